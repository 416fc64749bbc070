//! Every keyword that is known, once: where it may be and what becomes of it.
//! `docs/configuration.md` is checked against these lists.

use super::{
    keywords::{
        ALL, BACKEND, FRONTEND,
        Fate::{Gone, Harmless, Implemented, Later, Missing, Refused},
        Table, group, only,
    },
    reader::{Handler, Start},
    section::{bind, check, global, peers, proxy, server, stick, xdp},
};

const NO_PROXY: &str = "packets are forwarded, no connection is proxied";
const NO_HTTP: &str = "packets are forwarded, nothing in an HTTP stream is read or changed";
const NO_TLS: &str = "TLS passes through Stickfast untouched, between client and server";
const NO_PROCESS: &str = "it tunes HAProxy's process";
const NO_SOCKET: &str = "Stickfast opens no sockets for traffic";
const NO_RULES: &str = "it selects by the content of connections, and Stickfast forwards packets";
const NO_LOGS: &str = "Stickfast logs decisions to standard error, and no connections";
const LATER_CHECK: &str =
    "this way of learning that a server is down is missing, and without it a dead one might be chosen";

/// Sections by their first word.
pub(super) static SECTIONS: Table<Start> = &[
    group(&["global"], Implemented(global::start)),
    group(&["defaults", "frontend", "backend", "listen"], Implemented(proxy::start)),
    group(&["peers"], Implemented(peers::start)),
    group(&["xdp"], Implemented(xdp::start)),
    group(&["userlist", "http-errors"], Harmless(NO_HTTP)),
    group(&["resolvers"], Missing("names are resolved once, when the configuration is loaded")),
    group(&["mailers"], Missing("Stickfast sends no mail")),
    group(&["cache", "fcgi-app"], Refused(NO_HTTP)),
    group(&["ring", "log-forward"], Refused("Stickfast does not carry logs")),
    group(&["program"], Refused("Stickfast starts no other programs")),
];

/// Section `global` (configuration manual 3).
pub(super) static GLOBAL: Table<Handler> = &[
    group(&["stats"], Implemented(global::stats)),
    group(&["localpeer"], Implemented(global::local_peer)),
    group(&["node"], Implemented(global::node)),
    group(&["description"], Implemented(global::description)),
    group(&["setenv", "presetenv", "unsetenv", "resetenv"], Implemented(global::environment)),
    group(&["log", "log-tag", "log-send-hostname"], Missing(NO_LOGS)),
    group(
        &["daemon", "master-worker", "pidfile"],
        Missing("Stickfast stays in the foreground; use its systemd unit"),
    ),
    group(
        &["user", "group", "uid", "gid", "chroot"],
        Missing(
            "loading XDP programs needs capabilities that HAProxy's user lacks; restrict the systemd unit instead",
        ),
    ),
    group(
        &["server-state-file", "server-state-base"],
        Missing("Stickfast keeps its state in a file of its own and in the kernel"),
    ),
    group(&["unix-bind"], Missing("give path, mode and owner on the 'stats socket' line")),
    group(
        &["maxconn", "maxconnrate", "maxpipes", "maxsessrate", "fd-hard-limit", "ulimit-n"],
        Harmless(NO_PROXY),
    ),
    group(
        &[
            "nbthread",
            "thread-group",
            "thread-groups",
            "cpu-map",
            "numa-cpu-mapping",
            "no-memory-trimming",
            "noepoll",
            "noevports",
            "nogetaddrinfo",
            "nokqueue",
            "nopoll",
            "noreuseport",
            "nosplice",
            "busy-polling",
            "profiling.*",
            "tune.*",
            "set-dumpable",
            "strict-limits",
            "hard-stop-after",
            "close-spread-time",
            "grace",
            "mworker-max-reloads",
            "expose-experimental-directives",
            "insecure-fork-wanted",
            "insecure-setuid-wanted",
            "external-check",
            "cluster-secret",
            "default-path",
            "quiet",
            "zero-warning",
            "pp2-never-send-local",
        ],
        Harmless(NO_PROCESS),
    ),
    group(&["spread-checks", "max-spread-checks"], Missing("checks run when they are due")),
    group(
        &["ssl-*", "ca-base", "crt-base", "issuers-chain-path", "maxsslconn", "maxsslrate"],
        Harmless(NO_TLS),
    ),
    group(
        &[
            "h1-*",
            "h2-workaround-bogus-websocket-clients",
            "httpclient.*",
            "maxcomprate",
            "maxcompcpuusage",
            "maxzlibmem",
            "51degrees-*",
            "deviceatlas-*",
            "wurfl-*",
            "set-var",
            "set-var-fmt",
        ],
        Harmless(NO_HTTP),
    ),
    group(&["lua-load", "lua-load-per-thread", "lua-prepend-path"], Refused("Stickfast runs no Lua")),
    group(
        &["nbproc"],
        Gone(
            "nbproc is not supported any more since HAProxy 2.5. Threads will automatically be used on multi-processor machines if available.",
        ),
    ),
];

/// Parameters of a `stats socket` (management guide 9.3).
pub(super) static SOCKET: Table<global::SocketHandler> = &[
    group(&["mode"], Implemented(global::socket_mode)),
    group(&["user"], Implemented(global::socket_user)),
    group(&["group"], Implemented(global::socket_group)),
    group(&["level"], Implemented(global::socket_level)),
    group(&["uid", "gid"], Refused("owners are given by name: use 'user' and 'group'")).arguments(1),
    group(
        &["expose-fd", "severity-output", "name", "id", "process", "thread", "maxconn", "nice", "backlog"],
        Harmless(NO_PROCESS),
    )
    .arguments(1),
];

/// Section `peers` (configuration manual 3.5).
pub(super) static PEERS: Table<peers::Handler> = &[
    group(&["peer", "server"], Implemented(peers::peer)),
    group(&["bind"], Implemented(peers::bind)),
    group(&["disabled", "enabled"], Implemented(peers::enabling)),
    group(&["default-bind", "default-server"], Harmless("peers speak plain TCP")),
    group(&["log"], Missing(NO_LOGS)),
    group(&["table"], Later("Stickfast keeps the tables of backends only")),
];

/// Section `xdp`, our own.
pub(super) static XDP: Table<Handler> = &[
    group(&["interface"], Implemented(xdp::interface)),
    group(&["forward"], Implemented(xdp::forward)),
    group(&["source-ports"], Implemented(xdp::source_ports)),
    group(&["no-server"], Implemented(xdp::no_server)),
];

/// `defaults`, `frontend`, `backend` and `listen` (configuration manual 4).
pub(super) static PROXY: Table<proxy::Handler> = &[
    only(FRONTEND.not_in_defaults(), &["bind"], Implemented(bind::bind)),
    only(FRONTEND, &["default_backend"], Implemented(proxy::default_backend)),
    only(BACKEND.not_in_defaults(), &["server"], Implemented(server::server)),
    only(BACKEND, &["default-server"], Implemented(server::default_server)),
    group(&["mode"], Implemented(proxy::mode)),
    group(&["option"], Implemented(proxy::option)),
    group(&["timeout"], Implemented(proxy::timeout)),
    only(BACKEND, &["balance"], Implemented(proxy::balance)),
    only(ALL.not_in_defaults(), &["stick-table"], Implemented(stick::table)),
    only(BACKEND.not_in_defaults(), &["stick"], Implemented(stick::rule)),
    only(BACKEND, &["http-check"], Implemented(check::http_check)),
    group(&["disabled", "enabled"], Implemented(proxy::enabling)),
    only(ALL.not_in_defaults(), &["id"], Implemented(proxy::id)),
    group(&["stats"], Implemented(proxy::stats)),
    only(ALL.not_in_defaults(), &["description"], Harmless("Stickfast does not show it")),
    only(FRONTEND, &["maxconn", "backlog", "rate-limit"], Harmless(NO_PROXY)),
    only(BACKEND, &["fullconn", "max-keep-alive-queue", "hash-type", "source"], Harmless(NO_PROXY)),
    only(BACKEND, &["retries", "retry-on"], Harmless("no connection is opened on behalf of a client")),
    group(&["clitcpka-*", "srvtcpka-*", "bind-process"], Harmless(NO_PROXY)),
    group(
        &["http-reuse", "http-error", "errorfile", "errorfiles", "errorloc", "errorloc302", "errorloc303"],
        Harmless(NO_HTTP),
    ),
    group(
        &[
            "compression",
            "cookie",
            "http-send-name-header",
            "monitor-uri",
            "unique-id-format",
            "unique-id-header",
        ],
        Missing(NO_HTTP),
    ),
    group(&["log", "log-format", "log-format-sd", "log-tag", "error-log-format"], Missing(NO_LOGS)),
    only(
        BACKEND,
        &["load-server-state-from-file", "server-state-file-name"],
        Missing("Stickfast keeps its state in a file of its own and in the kernel"),
    ),
    only(BACKEND, &["tcp-check", "external-check"], Later(LATER_CHECK)),
    only(BACKEND, &["force-persist", "ignore-persist", "persist"], Refused(NO_RULES)),
    group(
        &[
            "acl",
            "use_backend",
            "use-server",
            "http-request",
            "http-response",
            "http-after-response",
            "tcp-request",
            "tcp-response",
            "redirect",
            "monitor",
        ],
        Refused(NO_RULES),
    ),
    group(&["capture", "declare", "filter", "use-fcgi-app"], Refused(NO_HTTP)),
    group(&["email-alert"], Refused("Stickfast sends no mail: watch its metrics or its log")),
    only(BACKEND, &["server-template"], Later("servers are listed one by one")),
    only(BACKEND, &["dispatch", "transparent"], Refused("traffic goes to the servers listed")),
    group(
        &["clitimeout"],
        Gone("the 'clitimeout' directive is not supported anymore since HAProxy 2.1. Use 'timeout client'."),
    ),
    group(
        &["srvtimeout"],
        Gone("the 'srvtimeout' directive is not supported anymore since HAProxy 2.1. Use 'timeout server'."),
    ),
    group(
        &["contimeout"],
        Gone("the 'contimeout' directive is not supported anymore since HAProxy 2.1. Use 'timeout connect'."),
    ),
    group(&["appsession"], Gone("'appsession' is not supported anymore since HAProxy 1.6.")),
];

/// `option …`
pub(super) static OPTIONS: Table<proxy::Handler> = &[
    only(BACKEND, &["httpchk"], Implemented(check::option_httpchk)),
    only(BACKEND, &["tcp-check"], Implemented(check::option_tcp_check)),
    only(BACKEND, &["allbackups"], Implemented(proxy::all_backups)),
    group(
        &[
            "http-server-close",
            "httpclose",
            "http-keep-alive",
            "http-buffer-request",
            "http-no-delay",
            "http-restrict-req-hdr-names",
        ],
        Harmless(NO_HTTP),
    ),
    only(
        FRONTEND,
        &[
            "accept-invalid-http-request",
            "disable-h2-upgrade",
            "h1-case-adjust-bogus-client",
            "http-ignore-probes",
            "http-use-proxy-header",
            "idle-close-on-response",
        ],
        Harmless(NO_HTTP),
    ),
    only(
        BACKEND,
        &[
            "accept-invalid-http-response",
            "checkcache",
            "h1-case-adjust-bogus-server",
            "http-pretend-keepalive",
            "prefer-last-server",
        ],
        Harmless(NO_HTTP),
    ),
    group(
        &["nolinger", "splice-auto", "splice-request", "splice-response", "tcpka", "independent-streams"],
        Harmless(NO_PROXY),
    ),
    only(FRONTEND, &["clitcpka", "tcp-smart-accept", "contstats", "socket-stats"], Harmless(NO_PROXY)),
    only(BACKEND, &["srvtcpka", "tcp-smart-connect", "abortonclose"], Harmless(NO_PROXY)),
    only(BACKEND, &["redispatch"], Harmless("a packet never goes to a server that is down")),
    only(BACKEND, &["log-health-checks"], Harmless("state changes are logged anyway")),
    only(FRONTEND, &["dontlognull", "dontlog-normal", "log-separate-errors", "logasap"], Harmless(NO_LOGS)),
    group(&["httplog", "httpslog", "tcplog"], Missing(NO_LOGS)),
    group(
        &["forwardfor", "originalto"],
        Missing(
            "packets are forwarded, no header is added; with 'forward dnat' or 'dsr' servers see the client's address",
        ),
    ),
    only(BACKEND, &["persist"], Later("traffic never stays on a server that is down")),
    only(BACKEND, &["transparent"], Refused("traffic goes to the servers listed")),
    only(
        BACKEND,
        &[
            "ldap-check",
            "mysql-check",
            "pgsql-check",
            "redis-check",
            "smtpchk",
            "spop-check",
            "ssl-hello-chk",
            "external-check",
        ],
        Later(LATER_CHECK),
    ),
    group(
        &["forceclose"],
        Gone(
            "option 'forceclose' is not supported any more since HAProxy 2.0, please just remove it, or use 'option httpclose' if absolutely needed.",
        ),
    ),
];

/// `timeout …`
pub(super) static TIMEOUTS: Table<proxy::TimeoutField> = &[
    only(FRONTEND, &["client"], Implemented(|timeouts| &mut timeouts.client)),
    only(BACKEND, &["server"], Implemented(|timeouts| &mut timeouts.server)),
    only(BACKEND, &["connect"], Implemented(|timeouts| &mut timeouts.connect)),
    only(BACKEND, &["check"], Implemented(|timeouts| &mut timeouts.check)),
    only(BACKEND, &["tunnel"], Implemented(|timeouts| &mut timeouts.tunnel)),
    group(&["http-request", "http-keep-alive", "tarpit"], Harmless(NO_HTTP)),
    only(FRONTEND, &["client-fin"], Harmless(NO_PROXY)),
    only(BACKEND, &["queue", "server-fin"], Harmless(NO_PROXY)),
];

/// `http-check …`
pub(super) static HTTP_CHECKS: Table<proxy::Handler> = &[
    group(&["send"], Implemented(check::send)),
    group(&["comment"], Harmless("it only names a step")),
    group(&["send-state"], Missing("the check carries no header about the server's state")),
    group(&["connect", "expect", "disable-on-404", "set-var*", "unset-var*"], Later(LATER_CHECK)),
];

/// Parameters of `bind` (configuration manual 5.1).
pub(super) static BIND: Table<bind::Handler> = &[
    group(&["name"], Implemented(bind::name)),
    group(&["interface"], Implemented(bind::interface)),
    group(&["id"], Harmless("Stickfast numbers no addresses")).arguments(1),
    group(
        &[
            "backlog",
            "maxconn",
            "mss",
            "nice",
            "process",
            "shards",
            "tcp-ut",
            "thread",
            "severity-output",
            "expose-fd",
            "gid",
            "uid",
            "group",
            "user",
            "mode",
            "level",
        ],
        Harmless(NO_SOCKET),
    )
    .arguments(1),
    group(&["defer-accept", "tfo", "transparent", "v4v6", "v6only"], Harmless(NO_SOCKET)),
    group(&["namespace"], Refused("one daemon serves one network namespace")),
    group(&["accept-proxy", "accept-netscaler-cip"], Refused("the header would reach the server as data")),
    group(
        &[
            "ssl",
            "crt",
            "crt-list",
            "ca-*",
            "alpn",
            "npn",
            "proto",
            "ciphers",
            "ciphersuites",
            "curves",
            "ecdhe",
            "crl-file",
            "crt-ignore-err",
            "allow-0rtt",
            "force-*",
            "no-*",
            "generate-certificates",
            "prefer-client-ciphers",
            "ssl-*",
            "strict-sni",
            "tls-ticket-keys",
            "verify",
        ],
        Refused(NO_TLS),
    ),
];

/// Parameters of `server` and `default-server` (configuration manual 5.2).
pub(super) static SERVER: Table<server::Handler> = &[
    group(&["check", "no-check"], Implemented(server::check)),
    group(&["backup", "no-backup"], Implemented(server::backup)),
    group(&["disabled", "enabled"], Implemented(server::enabling)),
    group(&["inter", "fastinter", "downinter"], Implemented(server::interval)),
    group(&["rise", "fall"], Implemented(server::threshold)),
    group(&["port"], Implemented(server::port)),
    group(&["addr"], Implemented(server::addr)),
    group(&["weight"], Implemented(server::weight)),
    group(&["id"], Implemented(server::id)),
    group(&["init-addr"], Implemented(server::init_addr)),
    group(&["on-marked-down"], Implemented(server::on_marked_down)),
    group(&["stick"], Harmless("it is the default")),
    group(
        &[
            "no-agent-check",
            "no-send-proxy*",
            "no-check-send-proxy",
            "no-check-ssl",
            "no-ssl*",
            "no-tls*",
            "no-tfo",
        ],
        Harmless("it is off anyway"),
    ),
    group(&["maxconn", "minconn", "maxqueue"], Missing(NO_PROXY)).arguments(1),
    group(
        &["max-reuse", "pool-low-conn", "pool-max-conn", "pool-purge-delay", "tcp-ut", "log-proto", "ws"],
        Harmless(NO_PROXY),
    )
    .arguments(1),
    group(&["tfo"], Harmless(NO_PROXY)),
    group(&["cookie", "redir"], Missing(NO_HTTP)).arguments(1),
    group(&["slowstart"], Missing("one server has all the traffic, there is no weight to ramp up"))
        .arguments(1),
    group(
        &["observe", "error-limit", "on-error"],
        Missing("connections are not observed, the active checks decide"),
    )
    .arguments(1),
    group(&["on-marked-up"], Later("connections to a backup stay where they are")),
    group(&["resolve-net", "resolve-opts", "resolve-prefer"], Missing("names are resolved once"))
        .arguments(1),
    group(&["resolvers"], Later("names are resolved once, when the configuration is loaded")),
    group(&["track", "agent-*"], Later(LATER_CHECK)),
    group(
        &["check-ssl", "check-sni", "check-alpn", "check-proto", "check-via-socks4", "check-send-proxy"],
        Later(LATER_CHECK),
    ),
    group(&["non-stick"], Later("every server's choice is remembered")),
    group(
        &["source", "usesrc", "namespace"],
        Refused("the kernel's routes and the 'xdp' section decide how a server is reached"),
    ),
    group(
        &["send-proxy*", "proxy-v2-options", "socks4"],
        Refused("no data can be put in front of a connection"),
    ),
    group(
        &[
            "ssl",
            "ssl-*",
            "verify",
            "verifyhost",
            "sni",
            "crt",
            "ca-file",
            "crl-file",
            "alpn",
            "npn",
            "proto",
            "allow-0rtt",
            "ciphers",
            "ciphersuites",
            "force-*",
            "tls-tickets",
        ],
        Refused(NO_TLS),
    ),
];
