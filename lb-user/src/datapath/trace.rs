//! Lines of `--trace`: one per packet, through aya-log.

use std::os::fd::AsFd as _;

use aya::Ebpf;
use aya_log::EbpfLogger;
use lb_ebpf::abi::Counter;

use super::readiness::Readiness;

/// Prints what the data path logs, for as long as the process lives.
pub(super) fn start(ebpf: &mut Ebpf) {
    let mut logger = match EbpfLogger::init_with_logger(ebpf, Printer) {
        Ok(logger) => logger,
        Err(error) => {
            tracing::warn!(%error, "no trace: the log of the data path cannot be opened");
            return;
        }
    };
    tokio::spawn(async move {
        let Ok(ready) = Readiness::of(logger.as_fd()) else { return };
        while ready.wait().await.is_ok() {
            logger.flush();
        }
    });
}

struct Printer;

impl log::Log for Printer {
    fn enabled(&self, _: &log::Metadata<'_>) -> bool {
        true
    }

    fn log(&self, record: &log::Record<'_>) {
        tracing::info!(target: "packet", "{}", named(&record.args().to_string()));
    }

    fn flush(&self) {}
}

/// What precedes a counter's number in the program's log lines.
const REASON: &str = "reason=";

/// The line with the counter's name in place of its number.
fn named(line: &str) -> String {
    let Some((start, number)) = line.rsplit_once(REASON) else { return line.to_owned() };
    let name = number.parse::<usize>().ok().and_then(|index| Counter::ALL.get(index));
    match name {
        Some((_, name)) => format!("{start}{name}"),
        None => line.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reason_is_shown_by_its_name() {
        let index = Counter::ForwardedSnat.index();
        assert_eq!(named(&format!("3 -> 4 reason={index}")), "3 -> 4 forwarded_snat");
        assert_eq!(named("reason=4711"), "reason=4711");
        assert_eq!(named("something else"), "something else");
    }
}
