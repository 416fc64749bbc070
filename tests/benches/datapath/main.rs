//! What the program costs per packet, by `BPF_PROG_TEST_RUN`: `cargo bench -p stickfast-lab --bench datapath`,
//! as root. With `-- --write-readme` the table goes into README.md, too.
//!
//! Every packet is rewritten to what it was (the server has the VIP's address), so that all the work is done and
//! the next repetition finds the same bytes. A program that does nothing runs in between, behind the same driver;
//! its cost is taken off.

mod cases;
mod driver;
#[path = "../../tests/datapath/kernel.rs"]
mod kernel;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../tests/datapath/namespace.rs"]
mod namespace;
mod report;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../tests/datapath/run.rs"]
mod run;
#[expect(dead_code, reason = "the tests use the rest")]
#[path = "../../tests/datapath/state.rs"]
mod state;

use anyhow::Context as _;
use cases::Case;
use driver::Driven;
use kernel::Kernel;
use nix::{
    sched::{CpuSet, sched_setaffinity},
    unistd::Pid,
};
use report::Row;

/// Repetitions in a run: about a millisecond. A processor that is lent to other machines for longer at a time spoils
/// some rounds, and the median is of those that it left alone.
const REPEAT: u32 = 20_000;
/// Rounds over all cases; one more goes before them and does not count.
const ROUNDS: usize = 501;

fn main() -> anyhow::Result<()> {
    let write_readme = std::env::args().any(|argument| argument == "--write-readme");
    stay_on_one_processor()?;
    namespace::enter();
    let before = report::ProcessorTime::now()?;
    let rows = measure(&cases::all())?;
    let table = report::table(&rows, before.stolen_since()?)?;
    report::print(&table)?;
    if write_readme { report::write_readme(&table) } else { Ok(()) }
}

fn measure(cases: &[Case]) -> anyhow::Result<Vec<Row>> {
    let mut kernels: Vec<_> = cases.iter().map(|case| Kernel::load(&case.tables)).collect();
    for (case, kernel) in cases.iter().zip(&mut kernels) {
        case.check(kernel);
    }
    let (Some(case), Some(kernel)) = (cases.first(), kernels.first()) else { return Ok(Vec::new()) };
    let floor = Driven::new(kernel.named("pass"), &case.frame).context("loading the driver")?;
    let driven: Vec<_> = cases
        .iter()
        .zip(&kernels)
        .map(|(case, kernel)| Driven::new(kernel.named("stickfast"), &case.frame))
        .collect::<Result<_, _>>()
        .context("loading the driver")?;

    let mut floors = Vec::new();
    let mut totals = vec![Vec::new(); cases.len()];
    for round in 0..=ROUNDS {
        let nothing = floor.time(REPEAT)?;
        let times: Vec<_> = driven.iter().map(|driven| driven.time(REPEAT)).collect::<Result<_, _>>()?;
        if round > 0 {
            floors.push(nothing.into());
            totals.iter_mut().zip(times).for_each(|(totals, time)| totals.push(time.into()));
        }
    }
    let rows = cases.iter().zip(&totals);
    Ok(rows.map(|(case, totals)| Row::new(case.name, totals, &floors)).collect())
}

/// On the last processor: interrupts tend to be served by the first.
fn stay_on_one_processor() -> anyhow::Result<()> {
    let last = aya::util::nr_cpus().map_err(|(what, error)| anyhow::anyhow!("{what}: {error}"))? - 1;
    let mut processors = CpuSet::new();
    processors.set(last)?;
    sched_setaffinity(Pid::from_raw(0), &processors).context("staying on one processor")
}
