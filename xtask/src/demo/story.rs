//! What the demo shows: a table of steps.

use anyhow::Result;

use super::stage::Stage;

/// One configuration, from its start.
pub(super) struct Act {
    /// The article's heading.
    pub(super) title: &'static str,
    /// File below `tests/data/config`.
    pub(super) configuration: &'static str,
    pub(super) steps: &'static [Step],
}

/// Something is done and must have its effect.
pub(super) struct Step {
    pub(super) title: &'static str,
    /// Does it, and returns what was seen of the effect.
    pub(super) play: fn(&mut Stage) -> Result<String>,
    /// Shows what only Stickfast has.
    pub(super) needs_xdp: bool,
}

const fn step(title: &'static str, play: fn(&mut Stage) -> Result<String>) -> Step {
    Step { title, play, needs_xdp: false }
}

const fn xdp_step(title: &'static str, play: fn(&mut Stage) -> Result<String>) -> Step {
    Step { title, play, needs_xdp: true }
}

pub(super) const ACTS: [Act; 2] = [
    Act {
        title: "Automatic failover without failback",
        configuration: "no-failback.cfg",
        steps: &[
            step("requests go to s1", |stage| stage.stays("s1")),
            step("s1 is killed (kill -9): s2 takes over", |stage| {
                stage.moves("s2", |stage| stage.kill("s1"))
            }),
            step("`show table bk_app` names s2", |stage| stage.table_names("s2")),
            xdp_step("`bpftool map dump` shows the same entry", |stage| stage.stick_map()),
            step("s1 is back, and its checks pass", |stage| stage.revive("s1")),
            step("requests stay on s2: no failback", |stage| stage.stays("s2")),
            xdp_step("the daemon is killed (kill -9): requests go on", |stage| {
                stage.kill_daemon()?;
                stage.stays("s2")
            }),
            xdp_step("the daemon starts again: it adopts what is pinned", |stage| {
                stage.start_daemon()?;
                stage.stays("s2")
            }),
            step("`disable server bk_app/s2`: the operator fails back", |stage| {
                stage.moves("s1", |stage| stage.order("disable server bk_app/s2"))
            }),
            step("`enable server bk_app/s2`: requests stay on s1", |stage| {
                stage.order("enable server bk_app/s2")?;
                stage.stays("s1")
            }),
            xdp_step("every packet's fate is counted", |stage| stage.counters()),
        ],
    },
    Act {
        title: "Automatic failover and failback",
        configuration: "failback.cfg",
        steps: &[
            step("requests go to s1", |stage| stage.stays("s1")),
            step("s1 is killed (kill -9): s2 takes over", |stage| {
                stage.moves("s2", |stage| stage.kill("s1"))
            }),
            step("s1 is back: requests return to it by themselves", |stage| {
                stage.moves("s1", |stage| stage.revive("s1").map(drop))
            }),
        ],
    },
];
