//! The BPF file system, where maps and links are pinned.

use anyhow::{Result, ensure};
use nix::sys::statfs::{BPF_FS_MAGIC, statfs};

use crate::{privilege, step};

/// Where everybody expects it.
pub(super) const PATH: &str = "/sys/fs/bpf";

pub(super) fn is_mounted() -> bool {
    statfs(PATH).is_ok_and(|fs| fs.filesystem_type() == BPF_FS_MAGIC)
}

/// Mounts it if it is not there; until the next boot, at which systemd does so by itself.
pub(super) fn mount() -> Result<()> {
    if !is_mounted() {
        step::run("mount bpffs", privilege::root("mount")?.args(["-t", "bpf", "bpf", PATH]))?;
        ensure!(is_mounted(), "bpffs is not on {PATH}: does this kernel have CONFIG_BPF_SYSCALL?");
    }
    Ok(())
}
