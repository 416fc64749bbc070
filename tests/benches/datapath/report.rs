//! The table, on standard output and in README.md.

use std::{
    fmt::Write as _,
    fs,
    io::{self, Write as _},
    path::Path,
    process::Command,
};

use anyhow::Context as _;

/// What the table stands between in README.md.
const BEGIN: &str = "<!-- datapath benchmark: begin -->\n";
const END: &str = "<!-- datapath benchmark: end -->\n";

/// A case's line, in nanoseconds.
pub(crate) struct Row {
    name: &'static str,
    /// Median, test run and driver included.
    total: i64,
    /// Median without them.
    net: i64,
    /// Without them, the fastest round: what it costs when nobody else uses the processor.
    best: i64,
}

impl Row {
    /// A row of what a case and the empty program took in each round.
    pub(crate) fn new(name: &'static str, totals: &[i64], floors: &[i64]) -> Self {
        let (total, floor) = (median(totals), median(floors));
        let best = |values: &[i64]| values.iter().copied().min().unwrap_or_default();
        Self { name, total, net: total - floor, best: best(totals) - best(floors) }
    }
}

fn median(values: &[i64]) -> i64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

/// What the processors did up to some moment, in ticks (proc(5), `/proc/stat`).
pub(crate) struct ProcessorTime {
    busy: u64,
    /// Wanted here, but given to other machines by the hypervisor.
    stolen: u64,
}

impl ProcessorTime {
    pub(crate) fn now() -> anyhow::Result<Self> {
        const STOLEN: usize = 7;
        const IDLE: [usize; 2] = [3, 4];
        let text = fs::read_to_string("/proc/stat").context("reading /proc/stat")?;
        let line = text.lines().next().and_then(|line| line.strip_prefix("cpu ")).context("no line `cpu`")?;
        let ticks: Vec<u64> =
            line.split_whitespace().map(str::parse).collect::<Result<_, _>>().context("reading `cpu`")?;
        let stolen = *ticks.get(STOLEN).context("the kernel does not count stolen time")?;
        let busy = ticks.iter().take(STOLEN + 1).enumerate().filter(|(field, _)| !IDLE.contains(field));
        Ok(Self { busy: busy.map(|(_, ticks)| ticks).sum(), stolen })
    }

    /// Per cent of the time wanted since then that was given to other machines.
    pub(crate) fn stolen_since(&self) -> anyhow::Result<u64> {
        let now = Self::now()?;
        Ok((now.stolen - self.stolen) * 100 / (now.busy - self.busy).max(1))
    }
}

/// The table in Markdown, with what it was measured on.
pub(crate) fn table(rows: &[Row], stolen: u64) -> anyhow::Result<String> {
    let date = Command::new("date").args(["-u", "+%F"]).output().context("asking for the date")?;
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").context("reading the kernel's release")?;
    let mut table = format!(
        "Measured {} on Linux {}, {}: medians of {} rounds of {} packets of 64 bytes; {stolen} % of the processor's \
         time went to other machines on the same hardware.\n\n",
        String::from_utf8_lossy(&date.stdout).trim(),
        kernel.trim(),
        processor()?,
        crate::ROUNDS,
        crate::REPEAT,
    );
    table.push_str(
        "| packet | ns in all | ns net of an empty program | net, fastest round |\n|---|--:|--:|--:|\n",
    );
    for Row { name, total, net, best } in rows {
        writeln!(table, "| {name} | {total} | {net} | {best} |")?;
    }
    Ok(table)
}

fn processor() -> anyhow::Result<String> {
    let info = fs::read_to_string("/proc/cpuinfo").context("reading what processor this is")?;
    let field = |name: &str| {
        let line = info.lines().find(|line| line.starts_with(name));
        line.and_then(|line| line.split_once(": ")).map_or("unknown", |(_, value)| value).to_owned()
    };
    let (family, model) = (field("cpu family"), field("model\t"));
    Ok(format!("{} (family {family} model {model})", field("model name")))
}

pub(crate) fn print(table: &str) -> io::Result<()> {
    io::stdout().write_all(table.as_bytes())
}

/// Puts the table in place of the one that README.md has.
pub(crate) fn write_readme(table: &str) -> anyhow::Result<()> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md");
    let readme = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
    let marked = readme.split_once(BEGIN).and_then(|(before, rest)| Some((before, rest.split_once(END)?.1)));
    let (before, after) =
        marked.with_context(|| format!("{} has no {} … {}", path.display(), BEGIN.trim(), END.trim()))?;
    fs::write(&path, format!("{before}{BEGIN}\n{table}\n{END}{after}"))
        .with_context(|| format!("writing {}", path.display()))
}
