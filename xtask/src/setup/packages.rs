//! Packages of the distribution: Debian's, and the names that others may have for them.

use std::{fmt, path::Path, process::Command};

use anyhow::{Context as _, Result, ensure};

use super::program;
use crate::{
    privilege, step,
    toolchain::{Compiler, Target, at_least, output},
    workspace::root,
};

/// A program that tests or the demo run.
pub(super) struct Need {
    program: &'static str,
    purpose: &'static str,
    package: &'static str,
}

const NEEDS: [Need; 7] = [
    Need { program: "ip", purpose: "makes the laboratory's network", package: "iproute2" },
    Need {
        program: "ethtool",
        purpose: "sets the laboratory's cables to what XDP needs",
        package: "ethtool",
    },
    Need { program: "nsenter", purpose: "starts programs in a namespace", package: "util-linux" },
    Need { program: "setpriv", purpose: "ends programs with the test", package: "util-linux" },
    Need { program: "nginx", purpose: "is the server behind the switch", package: "nginx-light" },
    Need { program: "haproxy", purpose: "is what the switch is compared with", package: "haproxy" },
    Need { program: "bpftool", purpose: "shows maps", package: "bpftool" },
];

impl fmt::Display for Need {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (package {}): {}", self.program, self.package, self.purpose)
    }
}

/// rustc, its `core` for BPF and its clippy, under the names that releases of Debian have for them. The first
/// is what Debian 12 updates for its browsers.
const COMPILERS: [[&str; 3]; 2] = [
    ["rustc-web", "libstd-rust-web-dev-bpf", "rust-web-clippy"],
    ["rustc", "libstd-rust-dev-bpf", "rust-clippy"],
];

/// The script that installs packages, in the workspace.
const INSTALL: &str = "xtask/src/setup/apt-install.sh";

/// The programs that are not there.
pub(super) fn missing() -> Vec<&'static Need> {
    NEEDS.iter().filter(|need| program(need.program).is_none()).collect()
}

/// Whether `compiler` is one of these packages, without the one of its clippy. rustup has its own.
pub(super) fn lack_clippy(compiler: &Compiler) -> bool {
    compiler.sysroot == Path::new("/usr") && compiler.clippy().is_none()
}

/// Installs the missing programs, and a compiler for `target` unless one is there.
pub(super) fn install(target: &Target) -> Result<()> {
    let missing = missing();
    let wants_compiler = Compiler::find(target).map_or(true, |compiler| lack_clippy(&compiler));
    if missing.is_empty() && !wants_compiler {
        return Ok(());
    }
    for need in &missing {
        step::tell(format_args!("missing {need}"));
    }
    ensure!(
        program("apt-get").is_some(),
        "packages can be installed on Debian and its kin only\n\
         hint: install {} by your distribution's means, and a compiler as `cargo build` says",
        missing.iter().map(|need| need.package).collect::<Vec<_>>().join(", ")
    );
    let mut packages: Vec<&str> = missing.iter().map(|need| need.package).collect();
    packages.dedup();
    if wants_compiler {
        packages.extend(compiler_packages()?);
    }
    let mut shell = privilege::root("sh")?;
    step::run("install packages", shell.arg(INSTALL).args(packages).current_dir(root()))
}

/// The packages of a compiler that is new enough.
fn compiler_packages() -> Result<[&'static str; 3]> {
    let offered =
        || COMPILERS.into_iter().find(|packages| packages.iter().all(|package| is_offered(package)));
    if let Some(packages) = offered() {
        return Ok(packages);
    }
    step::run("refresh package lists", privilege::root("apt-get")?.args(["--quiet", "update"]))?;
    offered().with_context(|| {
        let names = COMPILERS.map(|packages| packages.join(" ")).join(", or ");
        format!(
            "this distribution's archive offers no Rust {NEEDED} with `core` for BPF: {names}\n\
             hint: on Debian 12 they come with its security updates; elsewhere,\n  \
             rustup toolchain install nightly --profile minimal --component rust-src"
        )
    })
}

const NEEDED: &str = env!("CARGO_PKG_RUST_VERSION");

/// Whether apt would install `package` in a version that is new enough.
fn is_offered(package: &str) -> bool {
    let policy = output(Command::new("apt-cache").args(["policy", package])).unwrap_or_default();
    let candidate = policy.lines().find_map(|line| line.trim().strip_prefix("Candidate: "));
    candidate.is_some_and(|version| at_least(version, NEEDED))
}
