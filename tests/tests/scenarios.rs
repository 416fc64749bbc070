//! Who answers after which events? The transition table of HAProxy 2.6 for the article's two
//! configurations, held against both subjects; where Stickfast differs on purpose the row says so.

#![expect(clippy::unwrap_used, reason = "a test fails by a panic")]

use std::fmt::Write as _;

use anyhow::{Result, bail, ensure};
use stickfast_lab::clock::PATIENCE;
use stickfast_lab::{Answer, Balancer, Config, Http, Lab, Nginx, Shape, Subject, privilege, until};

#[test]
fn haproxy_answers_as_the_table_says() {
    play_all(Subject::Haproxy);
}

#[test]
fn stickfast_answers_as_the_table_says() {
    play_all(Subject::Stickfast);
}

/// One row: from a fresh start, with all servers up and one request answered by s1.
struct Row {
    what: &'static str,
    configuration: Configuration,
    steps: &'static [Step],
}

#[derive(Clone, Copy)]
enum Configuration {
    /// The article's second one: `stick on dst`.
    Sticky,
    /// The article's first one.
    Failback,
    /// `stick on dst` with s2 and s3 as backups.
    StickyOfThree,
    /// Failback with s2 and s3 as backups.
    FailbackOfThree,
    /// `stick on dst`, and no server is a backup.
    TwoEquals,
    /// `stick on dst`, and s2 has weight 0.
    BackupOfWeightZero,
}

enum Step {
    /// Kill the server, and wait until its check has failed often enough.
    Down(usize),
    /// Start the server, and wait until its check has passed often enough.
    Up(usize),
    /// A command on the stats socket.
    Say(&'static str),
    /// A command that is answered, but not carried out.
    Refused(&'static str),
    /// The next request is answered by the server of this number.
    Answers(usize),
    /// The next request finds nobody: 503 from HAProxy, RST from Stickfast.
    NobodyAnswers,
    /// The entry of the VIP in `show table` names this server.
    Entry(usize),
    /// `show table` has no entry.
    NoEntry,
    /// The subjects differ on purpose.
    Differs { haproxy: &'static Self, stickfast: &'static Self },
}

use Configuration::{BackupOfWeightZero, Failback, FailbackOfThree, Sticky, StickyOfThree, TwoEquals};
use Step::{Answers, Differs, Down, Entry, NoEntry, NobodyAnswers, Refused, Say, Up};

const DISABLE_1: Step = Say("disable server bk_app/s1");
const ENABLE_1: Step = Say("enable server bk_app/s1");
const MAINT_1: Step = Say("set server bk_app/s1 state maint");
const READY_1: Step = Say("set server bk_app/s1 state ready");
const MAINT_2: Step = Say("set server bk_app/s2 state maint");
const READY_2: Step = Say("set server bk_app/s2 state ready");
const DRAIN_1: Step = Say("set server bk_app/s1 state drain");
const DRAIN_2: Step = Say("set server bk_app/s2 state drain");

/// HAProxy rewrites the entry when a request comes; Stickfast as soon as the server goes.
const AT_ONCE: Step = Differs { haproxy: &Entry(1), stickfast: &Entry(2) };

const ROWS: &[Row] = &[
    Row { what: "the first request makes the entry", configuration: Sticky, steps: &[Entry(1), Answers(1)] },
    Row {
        what: "s1 fails: everybody follows to s2",
        configuration: Sticky,
        steps: &[Down(1), AT_ONCE, Answers(2), Entry(2)],
    },
    Row {
        what: "s1 fails and returns before anybody asks",
        configuration: Sticky,
        steps: &[Down(1), Up(1), Differs { haproxy: &Answers(1), stickfast: &Answers(2) }],
    },
    Row {
        what: "s1 returns after a failover: no failback",
        configuration: Sticky,
        steps: &[Down(1), Answers(2), Up(1), Answers(2), Answers(2), Entry(2)],
    },
    Row {
        what: "s2 fails while s1 is up, and returns: s1 stays",
        configuration: Sticky,
        steps: &[Down(1), Answers(2), Up(1), Down(2), Answers(1), Entry(1), Up(2), Answers(1), Entry(1)],
    },
    Row {
        what: "the backup that is not in use fails and returns",
        configuration: Sticky,
        steps: &[Down(2), Answers(1), Up(2), Answers(1), Entry(1)],
    },
    Row {
        what: "both are down: nobody answers, and the entry is kept",
        configuration: Sticky,
        steps: &[Down(1), Answers(2), Down(2), NobodyAnswers, Entry(2)],
    },
    Row {
        what: "both are down, s1 returns alone and is asked",
        configuration: Sticky,
        steps: &[Down(1), Answers(2), Down(2), NobodyAnswers, Up(1), Answers(1), Entry(1), Up(2), Answers(1)],
    },
    Row {
        what: "both are down and return before anybody asks",
        configuration: Sticky,
        steps: &[
            Down(1),
            Answers(2),
            Down(2),
            Up(1),
            Up(2),
            // The first usable server takes the place of one that is not, request or no request.
            Differs { haproxy: &Answers(2), stickfast: &Answers(1) },
        ],
    },
    Row {
        what: "disable server moves the traffic, enable server does not move it back",
        configuration: Sticky,
        steps: &[DISABLE_1, Answers(2), Entry(2), ENABLE_1, Answers(2), Entry(2)],
    },
    Row {
        what: "state maint moves the traffic, state ready does not move it back",
        configuration: Sticky,
        steps: &[MAINT_1, Answers(2), Entry(2), READY_1, Answers(2), Entry(2)],
    },
    Row {
        what: "drain keeps what is stuck",
        configuration: Sticky,
        steps: &[Down(1), Answers(2), Up(1), DRAIN_2, Answers(2), READY_2, Answers(2), Entry(2)],
    },
    Row {
        what: "weight 0 keeps what is stuck",
        configuration: Sticky,
        steps: &[
            Down(1),
            Answers(2),
            Up(1),
            Differs {
                haproxy: &Say("set server bk_app/s2 weight 0"),
                stickfast: &Refused("set server bk_app/s2 weight 0"),
            },
            Answers(2),
            Entry(2),
        ],
    },
    Row {
        what: "a failback is triggered by disabling s2 for a few seconds",
        configuration: Sticky,
        steps: &[Down(1), Answers(2), Up(1), MAINT_2, Answers(1), Entry(1), READY_2, Answers(1), Entry(1)],
    },
    Row {
        what: "s2 is disabled and enabled before anybody asks",
        configuration: Sticky,
        steps: &[
            Down(1),
            Answers(2),
            Up(1),
            MAINT_2,
            READY_2,
            Differs { haproxy: &Answers(2), stickfast: &Answers(1) },
        ],
    },
    Row {
        what: "clear table forgets the choice",
        configuration: Sticky,
        steps: &[
            Down(1),
            Answers(2),
            Up(1),
            Say("clear table bk_app"),
            // A lone Stickfast elects at once.
            Differs { haproxy: &NoEntry, stickfast: &Entry(1) },
            Answers(1),
            Entry(1),
        ],
    },
    Row {
        what: "clear table with a key forgets that choice",
        configuration: Sticky,
        steps: &[Down(1), Answers(2), Up(1), Say("clear table bk_app key 10.0.0.100"), Answers(1), Entry(1)],
    },
    Row {
        what: "set table moves the traffic; in HAProxy the entry's server_key overrules it",
        configuration: Sticky,
        steps: &[
            Say("set table bk_app key 10.0.0.100 data.server_id 2"),
            Differs { haproxy: &Answers(1), stickfast: &Answers(2) },
            AT_ONCE,
        ],
    },
    Row {
        what: "all in maintenance: nobody answers, and the entry is kept",
        configuration: Sticky,
        steps: &[MAINT_2, MAINT_1, NobodyAnswers, Entry(1), READY_1, READY_2, Answers(1), Entry(1)],
    },
    Row {
        what: "drain does not keep what is stuck to a server that fails",
        configuration: Sticky,
        steps: &[DRAIN_1, Answers(1), Down(1), Answers(2), Entry(2)],
    },
    Row {
        what: "clear table while s1 is in maintenance",
        configuration: Sticky,
        steps: &[MAINT_1, Answers(2), Say("clear table bk_app"), Answers(2), Entry(2)],
    },
    Row {
        what: "set table to a server that is down moves nothing",
        configuration: Sticky,
        steps: &[Down(2), Say("set table bk_app key 10.0.0.100 data.server_id 2"), Answers(1), Entry(1)],
    },
    Row {
        what: "the backup is drained: s1's failure leaves nobody",
        configuration: Sticky,
        steps: &[DRAIN_2, Answers(1), Down(1), NobodyAnswers, READY_2, Answers(2), Entry(2)],
    },
    Row {
        what: "without a stick table: failover, and failback as soon as s1 is up",
        configuration: Failback,
        steps: &[Answers(1), Down(1), Answers(2), Up(1), Answers(1)],
    },
    Row {
        what: "without a stick table: both are down, one returns after the other",
        configuration: Failback,
        steps: &[Down(2), Answers(1), Down(1), NobodyAnswers, Up(2), Answers(2), Up(1), Answers(1)],
    },
    Row {
        what: "without a stick table: maintenance and drain send the traffic away, and only for so long",
        configuration: Failback,
        steps: &[DISABLE_1, Answers(2), ENABLE_1, Answers(1), DRAIN_1, Answers(2), READY_1, Answers(1)],
    },
    Row {
        what: "a backup of weight 0 is never elected",
        configuration: BackupOfWeightZero,
        steps: &[Answers(1), Down(1), NobodyAnswers, Entry(1), Up(1), Answers(1), Entry(1)],
    },
    Row {
        what: "three servers: down the list, and never up by itself",
        configuration: StickyOfThree,
        steps: &[Down(1), Answers(2), Down(2), Answers(3), Up(2), Answers(3), Up(1), Answers(3), Entry(3)],
    },
    Row {
        what: "three servers: the first of the backups takes over from s3 as well",
        configuration: StickyOfThree,
        steps: &[Down(1), Answers(2), Down(2), Answers(3), Up(2), Down(3), Answers(2), Entry(2)],
    },
    Row {
        what: "three servers without a stick table: always the first usable one",
        configuration: FailbackOfThree,
        steps: &[Down(1), Answers(2), Down(2), Answers(3), Up(2), Answers(2), Up(1), Answers(1)],
    },
    Row {
        what: "two equals: whoever was first keeps it",
        configuration: TwoEquals,
        steps: &[Answers(1), Answers(1), Down(1), Answers(2), Up(1), Answers(2), Answers(2), Entry(2)],
    },
];

/// The laboratory of one subject, used by all rows in turn.
struct Stage {
    subject: Subject,
    lab: Lab,
    servers: Vec<Nginx>,
    http: Http,
}

fn play_all(subject: Subject) {
    if !privilege::can_run() {
        return;
    }
    let lab = Lab::new(Shape::Segment, 3).unwrap();
    let servers = lab.servers.iter().map(|host| Nginx::new(host, 80).unwrap()).collect();
    let mut stage = Stage { subject, http: Http::on(&lab.client), lab, servers };

    let mut failures = String::new();
    for row in ROWS {
        if let Err(error) = stage.play(row) {
            writeln!(failures, "{}: {error:#}\n", row.what).unwrap();
        }
    }
    assert!(failures.is_empty(), "{subject} differs from the table:\n{failures}");
}

impl Stage {
    fn play(&mut self, row: &Row) -> Result<()> {
        self.servers.iter_mut().try_for_each(Nginx::start)?;
        let balancer = Balancer::start(&self.lab, self.subject, &row.configuration.text(&self.lab))?;
        for (number, step) in row.steps.iter().enumerate() {
            if let Err(error) = self.take(step, &balancer) {
                bail!("step {}: {error:#}\n{}", number + 1, balancer.log());
            }
        }
        Ok(())
    }

    fn take(&mut self, step: &Step, balancer: &Balancer) -> Result<()> {
        match step {
            Down(server) => {
                self.servers[server - 1].kill()?;
                balancer.wait_until_up(&name(*server), false)
            }
            Up(server) => {
                self.servers[server - 1].start()?;
                balancer.wait_until_up(&name(*server), true)
            }
            Say(command) => {
                let answer = balancer.ctl(command)?;
                ensure!(answer == "\n", "{command}: {answer}");
                Ok(())
            }
            Refused(command) => {
                let answer = balancer.ctl(command)?;
                ensure!(answer.ends_with("is not supported.\n\n"), "{command}: {answer}");
                Ok(())
            }
            Answers(server) => self.expect_answer(&Answer::From(name(*server))),
            NobodyAnswers => self.expect_answer(match self.subject {
                Subject::Haproxy => &Answer::Unavailable,
                Subject::Stickfast => &Answer::Refused,
            }),
            Entry(server) => expect_entry(balancer, Some(*server)),
            NoEntry => expect_entry(balancer, None),
            Differs { haproxy, stickfast } => match self.subject {
                Subject::Haproxy => self.take(haproxy, balancer),
                Subject::Stickfast => self.take(stickfast, balancer),
            },
        }
    }

    fn expect_answer(&self, expected: &Answer) -> Result<()> {
        let seen = self.http.get("http://10.0.0.100/");
        ensure!(seen == *expected, "{seen}, expected: {expected}");
        Ok(())
    }
}

/// What the data path did by itself reaches `show table` a moment later, hence the patience.
fn expect_entry(balancer: &Balancer, server: Option<usize>) -> Result<()> {
    let expected = server.map(|server| format!(" server_id={server} server_key={}", name(server)));
    until(PATIENCE / 10, &format!("the entry {expected:?}"), || {
        let table = balancer.ctl("show table bk_app").map_err(|error| format!("{error:#}"))?;
        let entry = table.lines().find(|line| line.contains("key=10.0.0.100 "));
        match (entry, &expected) {
            (None, None) => Ok(()),
            (Some(entry), Some(expected)) if entry.ends_with(expected.as_str()) => Ok(()),
            _ => Err(table),
        }
    })
}

fn name(server: usize) -> String {
    format!("s{server}")
}

impl Configuration {
    fn text(self, lab: &Lab) -> String {
        match self {
            Sticky => Config::no_failback(lab).first_servers(2).text(),
            Failback => Config::failback(lab).first_servers(2).text(),
            StickyOfThree => Config::no_failback(lab).text(),
            FailbackOfThree => Config::failback(lab).text(),
            BackupOfWeightZero => {
                let text = Config::no_failback(lab).first_servers(2).text();
                text.replace(" backup", " backup weight 0")
            }
            TwoEquals => Config::no_failback(lab).first_servers(2).equals().text(),
        }
    }
}
