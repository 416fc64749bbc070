//! Which compiler and which linker make the BPF object, and how they are called.
//!
//! A stable rustc generates BPF code; what it lacks is `core` for the target. So the compiler is, in this
//! order: the one named by `STICKFAST_BPF_RUSTC`; `rustc` on `PATH`, then `/usr/bin/rustc`, if `core` for
//! the target is in its sysroot (Debian: `libstd-rust-web-dev-bpf`); rustup's nightly, if it has `rust-src`
//! to compile `core` from. The linker is bpf-linker, on `PATH` or where `cargo install` puts it.
//!
//! `lb-user/build.rs` includes this file by its path, so that the build and `cargo xtask setup` and
//! `cargo xtask check` cannot disagree; a dependency would make the daemon wait for xtask and all that it is
//! made of. It needs nothing but the standard library and `anyhow`.

use std::{
    env, fmt,
    path::{Path, PathBuf},
    process::Command,
};

use anyhow::{Context as _, Result, bail, ensure};

/// Package and binary of the XDP program.
const PACKAGE: &str = "lb-ebpf";
/// File name of the object.
pub(crate) const OBJECT: &str = "lb-xdp";
/// Cargo's profile for it.
pub(crate) const PROFILE: &str = "bpf";
/// The crates of the object that use unstable features: `RUSTC_BOOTSTRAP` opens those for them alone.
const UNSTABLE_CRATES: &str = "aya_ebpf,lb_ebpf,lb_xdp";
/// Names the only compiler to be considered.
pub(crate) const RUSTC_VARIABLE: &str = "STICKFAST_BPF_RUSTC";
/// The compiler where a distribution puts it, hidden from `PATH` by rustup's.
const DISTRIBUTION_RUSTC: &str = "/usr/bin/rustc";
/// What the object is made with.
pub(crate) struct Toolchain {
    pub(crate) target: Target,
    pub(crate) compiler: Compiler,
    pub(crate) linker: Linker,
}

impl Toolchain {
    /// The first compiler and linker in the order of the module's description.
    ///
    /// # Errors
    ///
    /// Nothing suitable is there: the error lists what was looked at, why it was not taken, and the remedies.
    pub(crate) fn find(target: Target) -> Result<Self> {
        let compiler = Compiler::find(&target)?;
        let linker = Linker::find(compiler.llvm)?;
        Ok(Self { target, compiler, linker })
    }

    /// The cargo command that does `subcommand` with the XDP program, with more `flags` for rustc. An object
    /// that it makes is `TARGET_DIR/TRIPLE/PROFILE/OBJECT`.
    pub(crate) fn cargo(&self, subcommand: &str, flags: &[&str], target_dir: &Path) -> Command {
        let triple = self.target.triple();
        let architecture = format!("--cfg=bpf_target_arch=\"{}\"", self.target.architecture);
        let flags = [&[architecture.as_str()], flags].concat().join("\x1f");
        let linker = format!("CARGO_TARGET_{}_LINKER", triple.to_uppercase().replace('-', "_"));
        let mut command = match self.compiler.core {
            Core::Compiled => Command::new(env::var_os("CARGO").unwrap_or_else(|| "cargo".into())),
            // `-Z` is understood only by a cargo of the same channel.
            Core::Source => Command::new(self.compiler.rustc.with_file_name("cargo")),
        };
        command
            .args([subcommand, "--locked", "--package", PACKAGE, "--bin", OBJECT, "--profile", PROFILE])
            .args(["--target", triple, "--target-dir"])
            .arg(target_dir)
            // Of the build that this one is part of: the host's compiler, or its clippy.
            .env_remove("RUSTC_WORKSPACE_WRAPPER")
            .env("RUSTC", &self.compiler.rustc)
            .env("CARGO_ENCODED_RUSTFLAGS", flags)
            .env(linker, &self.linker.path);
        match self.compiler.core {
            Core::Compiled => command.env("RUSTC_BOOTSTRAP", UNSTABLE_CRATES),
            Core::Source => command.arg("-Zbuild-std=core"),
        };
        command
    }
}

/// The kind of BPF that a machine runs.
pub(crate) struct Target {
    /// The machine's, as rustc spells it: layouts of the kernel's structures depend on it.
    pub(crate) architecture: String,
    pub(crate) big_endian: bool,
}

impl Target {
    /// rustc's name of the target.
    pub(crate) fn triple(&self) -> &'static str {
        if self.big_endian { "bpfeb-unknown-none" } else { "bpfel-unknown-none" }
    }
}

/// Where `core` comes from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Core {
    /// It is in the sysroot.
    Compiled,
    /// It is compiled with the object, out of `rust-src`.
    Source,
}

/// A rustc that can compile for BPF.
#[derive(Debug)]
pub(crate) struct Compiler {
    pub(crate) rustc: PathBuf,
    /// As it calls itself, such as `1.96.0`.
    pub(crate) release: String,
    /// Major version of its LLVM, hence of the bitcode that the linker must understand.
    pub(crate) llvm: u32,
    /// The directory over `bin` and `lib`.
    pub(crate) sysroot: PathBuf,
    pub(crate) core: Core,
}

impl Compiler {
    /// The first suitable compiler.
    ///
    /// # Errors
    ///
    /// There is none: the error says of each why not.
    pub(crate) fn find(target: &Target) -> Result<Self> {
        let mut refused = Vec::new();
        for call in Self::candidates() {
            match Self::examine(&call, target) {
                Ok(compiler) => return Ok(compiler),
                Err(why) => refused.push(format!("  {}: {why:#}", call.join(" "))),
            }
        }
        bail!("no compiler for {} was found\n{}\n{REMEDY}", target.triple(), refused.join("\n"))
    }

    /// Clippy, if this compiler has its own.
    pub(crate) fn clippy(&self) -> Option<PathBuf> {
        Some(self.rustc.with_file_name("clippy-driver")).filter(|driver| driver.is_file())
    }

    /// How each is called.
    fn candidates() -> Vec<Vec<String>> {
        let call = |words: &[&str]| words.iter().map(|&word| word.into()).collect();
        match env::var(RUSTC_VARIABLE) {
            Ok(rustc) => vec![call(&[&rustc])],
            Err(_unset) => {
                vec![
                    call(&["rustc"]),
                    call(&[DISTRIBUTION_RUSTC]),
                    call(&["rustup", "run", "nightly", "rustc"]),
                ]
            }
        }
    }

    fn examine(call: &[String], target: &Target) -> Result<Self> {
        let (program, arguments) = call.split_first().context("no program is named")?;
        let ask = |question| output(Command::new(program).args(arguments).arg(question));
        let about = ask("-vV")?;
        let value = |key: &str| about.lines().find_map(|line| line.strip_prefix(key)?.strip_prefix(": "));
        let release = value("release").context("`rustc -vV` names no release")?;
        let llvm = value("LLVM version").and_then(major).context("`rustc -vV` names no LLVM version")?;

        let needed = env!("CARGO_PKG_RUST_VERSION");
        ensure!(at_least(release, needed), "is Rust {release}, {needed} is needed");
        let sysroot = PathBuf::from(ask("--print=sysroot")?.trim_end());
        let libraries = sysroot.join("lib/rustlib");
        let core = if libraries.join(target.triple()).is_dir() {
            Core::Compiled
        } else if !release.contains("nightly") {
            bail!("is Rust {release}, without `core` for {}", target.triple())
        } else if libraries.join("src/rust/library/core").is_dir() {
            Core::Source
        } else {
            bail!("is Rust {release}, without rust-src")
        };
        let rustc = sysroot.join("bin/rustc");
        Ok(Self { rustc, release: release.into(), llvm, sysroot, core })
    }
}

impl fmt::Display for Compiler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} (Rust {}, LLVM {})", self.rustc.display(), self.release, self.llvm)
    }
}

/// bpf-linker.
pub(crate) struct Linker {
    pub(crate) path: PathBuf,
}

impl Linker {
    /// The first bpf-linker that understands the bitcode of `llvm`: one of that major version or a later one.
    ///
    /// # Errors
    ///
    /// There is none: the error says of each why not.
    pub(crate) fn find(llvm: u32) -> Result<Self> {
        let mut refused = Vec::new();
        for path in Self::candidates() {
            match Self::examine(&path, llvm) {
                Ok(()) => return Ok(Self { path }),
                Err(why) => refused.push(format!("\n  {}: {why:#}", path.display())),
            }
        }
        bail!(
            "no bpf-linker for LLVM {llvm} was found on PATH or in cargo's bin{}\n{REMEDY}",
            refused.concat()
        )
    }

    fn candidates() -> impl Iterator<Item = PathBuf> {
        let path = env::var_os("PATH").unwrap_or_default();
        let mut directories = Vec::new();
        for directory in env::split_paths(&path).chain(cargo_bin()) {
            if !directories.contains(&directory) {
                directories.push(directory);
            }
        }
        directories.into_iter().map(|directory| directory.join("bpf-linker")).filter(|path| path.is_file())
    }

    fn examine(path: &Path, wanted: u32) -> Result<()> {
        output(Command::new(path).arg("--version"))?;
        // It does not say which LLVM it is made of, but the library's name does. A static one shows nothing
        // here; its complaint, if any, comes when it links.
        let has = Llvm::of(path).and_then(|llvm| llvm.major());
        match has {
            Some(has) if has < wanted => bail!("is made of LLVM {has}, the compiler's is {wanted}"),
            _ => Ok(()),
        }
    }
}

/// Where `cargo install` puts programs.
pub(crate) fn cargo_bin() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    Some(home.or_else(|| Some(env::home_dir()?.join(".cargo")))?.join("bin"))
}

/// What to do where compiler or linker is missing; `setup` does the first and the last by itself.
const REMEDY: &str = "\
hint: `cargo xtask setup` installs what is missing on Debian. By hand: the compiler is either of
  apt install rustc-web libstd-rust-web-dev-bpf       (Debian 12 with its security updates)
  rustup toolchain install nightly --profile minimal --component rust-src
and the linker, where N is the LLVM version that `rustc -vV` of that compiler shows,
  LLVM_PREFIX=DIR cargo install bpf-linker --version 0.13.0 --locked --no-default-features --features llvm-N
with DIR/lib/libLLVM.so a link to the compiler's libLLVM";

/// What `command` prints.
///
/// # Errors
///
/// It cannot be started, or it fails: the error carries the last line of its complaint.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_owned();
    let out = command.output().with_context(|| format!("cannot run {}", program.display()))?;
    let complaint = String::from_utf8_lossy(&out.stderr);
    ensure!(out.status.success(), "{}: {}", out.status, complaint.lines().last().unwrap_or("no output"));
    Ok(String::from_utf8_lossy(&out.stdout).into_owned())
}

/// The number at the start of a version.
fn major(version: &str) -> Option<u32> {
    version.split(|c: char| !c.is_ascii_digit()).next()?.parse().ok()
}

/// Whether `version` is `minimum` or later. Only major and minor count, and a suffix does not.
pub(crate) fn at_least(version: &str, minimum: &str) -> bool {
    let parts = |version: &str| {
        let mut numbers = version.split('.').map(major);
        (numbers.next().flatten(), numbers.next().flatten())
    };
    parts(version) >= parts(minimum)
}

/// The LLVM that a program is linked to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Llvm {
    /// The library as the program asks for it, such as `libLLVM.so.22.1`.
    pub(crate) name: String,
    /// The library as the dynamic linker finds it.
    pub(crate) path: PathBuf,
}

impl Llvm {
    /// That of `program`, if it is a shared library and there.
    pub(crate) fn of(program: &Path) -> Option<Self> {
        Self::listed(&output(Command::new("ldd").arg(program)).ok()?)
    }

    /// The one among the libraries that ldd lists, as `NAME => PATH (ADDRESS)`.
    fn listed(libraries: &str) -> Option<Self> {
        let mut libraries = libraries.lines().map(str::trim);
        let (name, found) = libraries.find(|line| line.starts_with("libLLVM"))?.split_once(" => ")?;
        let (path, _address) = found.split_once(" (")?;
        Some(Self { name: name.into(), path: path.into() })
    }

    fn major(&self) -> Option<u32> {
        major(self.name.trim_start_matches(|c: char| !c.is_ascii_digit()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_compare_by_number() {
        assert!(at_least("1.96.0", "1.95"));
        assert!(at_least("1.95.0-nightly", "1.95"));
        assert!(at_least("1.100.0", "1.95"));
        assert!(at_least("2.0", "1.95"));
        assert!(!at_least("1.85.0", "1.95"));
        assert!(!at_least("no version", "1.95"));
    }

    #[test]
    fn the_llvm_of_a_program_is_read_from_its_libraries() {
        let major = |libraries: &str| Llvm::listed(libraries)?.major();
        assert_eq!(major("\tlibLLVM.so.22.1 => /lib/libLLVM.so.22.1 (0x7f)\n"), Some(22));
        assert_eq!(
            major("\tlibc.so.6 => /lib/libc.so.6 (0x7f)\n\tlibLLVM-15.so.1 => /l/LLVM (0x7f)\n"),
            Some(15)
        );
        assert_eq!(major("\tlibLLVM.so.23.1-rust-1.98.0-nightly => not found\n"), None);
        assert_eq!(major("\tstatically linked\n"), None);
    }
}
