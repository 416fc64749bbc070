//! The data path in the kernel: loaded, adopted, attached.

use std::{ops::RangeInclusive, os::fd::BorrowedFd, path::Path, time::Duration};

use aya::{
    Ebpf, EbpfError, EbpfLoader, VerifierLogLevel,
    programs::{ProgramError, Xdp},
};
use aya_obj::Object;
use lb_ebpf::abi::{
    ABI_VERSION, Counter, Event, Interface, Meta, Settings, Traffic, TrafficStats, capacity, map,
    word::Chosen,
};
use nix::sys::utsname::uname;

use super::{
    OBJECT,
    abi::Abi,
    attach::{self, Attached, Attachment},
    error::DatapathError,
    jiffies::TickRate,
    maps::Maps,
    pins::Pins,
    trace,
};
use crate::plan::{Contents, Op};

/// Name of the XDP program in the object.
const PROGRAM: &str = "stickfast";

/// Oldest kernel with everything that the program uses: multi-buffer XDP (`xdp.frags`).
const KERNEL_FLOOR: &str = "5.18";

/// What the program is told when it is loaded.
#[derive(Clone, Debug)]
pub struct Tuning {
    /// Source ports of SNAT, host order.
    pub source_ports: RangeInclusive<u16>,
    /// Some service is in mode `dnat`.
    pub dnat: bool,
    /// Some service is for every port of its address.
    pub any_port: bool,
    /// Log every packet's verdict.
    pub trace: bool,
    /// How long a flow may be idle before its source port may be taken.
    pub established_timeout: Duration,
    pub udp_timeout: Duration,
    pub tick: TickRate,
}

/// How long a half-open connection keeps its source port from others: beyond the first repetitions of a SYN
/// (RFC 6298, section 2.1: after 1, 3 and 7 s).
const OPENING_TIMEOUT: Duration = Duration::from_secs(10);

/// The loaded program and its maps.
pub struct Datapath {
    ebpf: Ebpf,
    maps: Maps,
    pins: Pins,
    /// Whether pinned maps of an earlier run were there.
    adopted: bool,
    attached: bool,
}

impl Datapath {
    /// Loads the program for `attachments` and opens its maps, the pinned ones where there are any. No packet
    /// is touched before [`Self::attach`].
    ///
    /// # Errors
    /// Whatever stands in the way; what was made on the way is removed again.
    pub fn load(pin_path: &Path, attachments: &[Attachment], tuning: &Tuning) -> Result<Self, DatapathError> {
        let settings = settings(attachments, tuning)?;
        let object = Object::parse(OBJECT)
            .map_err(|error| DatapathError::Object { source: Box::new(EbpfError::ParseError(error)) })?;
        let (pins, adopted) = Pins::open(pin_path)?;
        let result = pins
            .check(&object, flow_capacity(&settings))
            .and_then(|()| load(&pins, &settings, adopted, tuning.trace));
        match result {
            Ok((ebpf, maps)) => Ok(Self { ebpf, maps, pins, adopted, attached: false }),
            Err(error) => {
                if !adopted {
                    pins.remove()?;
                }
                Err(error)
            }
        }
    }

    /// Whether an earlier run's maps were taken over.
    pub fn adopted(&self) -> bool {
        self.adopted
    }

    /// Puts the program onto the interfaces, or in place of the one of an earlier run without losing a packet.
    ///
    /// # Errors
    /// The first interface that will not have it. A fresh start leaves nothing behind then.
    pub fn attach(&mut self, attachments: &[Attachment]) -> Result<(), DatapathError> {
        let result = self.attach_all(attachments);
        if result.is_err() && !self.adopted {
            self.pins.remove()?;
        }
        self.attached = result.is_ok();
        result
    }

    fn attach_all(&mut self, attachments: &[Attachment]) -> Result<(), DatapathError> {
        let program = program(&mut self.ebpf)?;
        for attachment in attachments {
            let name = &attachment.link.name;
            match attach::attach(program, &self.pins, attachment)? {
                Attached::Replaced => tracing::info!("{name}: program replaced, no packet lost"),
                Attached::Native => tracing::info!("{name}: attached in the driver"),
                Attached::Generic => tracing::info!("{name}: attached in the kernel's generic path"),
                Attached::FellBack => tracing::warn!(
                    "{name}: its driver has no native XDP; attached in the kernel's generic path, which is \
                     several times slower (`mode generic` silences this)"
                ),
            }
        }
        for interface in self.pins.linked_interfaces() {
            if !attachments.iter().any(|attachment| attachment.link.name == interface) {
                tracing::info!("{interface}: not configured any more, detached");
                self.pins.unlink(&interface)?;
            }
        }
        Ok(())
    }

    /// What the maps hold.
    ///
    /// # Errors
    /// A map that cannot be read.
    pub fn contents(&self) -> Result<Contents, DatapathError> {
        self.maps.contents()
    }

    /// See [`crate::plan`]. `false`: the data path was faster, nothing was written.
    ///
    /// # Errors
    /// A map that cannot be written.
    pub fn apply(&mut self, op: Op) -> Result<bool, DatapathError> {
        self.maps.apply(op)
    }

    /// Whom a stick entry names at this moment.
    pub fn chosen(&self, slot: u32) -> Option<Chosen> {
        self.maps.chosen(slot)
    }

    /// Every counter with its total.
    ///
    /// # Errors
    /// A map that cannot be read.
    pub fn counters(&self) -> Result<Vec<(Counter, Traffic)>, DatapathError> {
        self.maps.counters()
    }

    /// Totals of a service slot.
    ///
    /// # Errors
    /// A map that cannot be read.
    pub fn service_stats(&self, slot: u32) -> Result<TrafficStats, DatapathError> {
        self.maps.service_stats(slot)
    }

    /// Totals of a server id.
    ///
    /// # Errors
    /// A map that cannot be read.
    pub fn server_stats(&self, id: u32) -> Result<TrafficStats, DatapathError> {
        self.maps.server_stats(id)
    }

    /// The next event, if one waits.
    pub fn next_event(&mut self) -> Option<Event> {
        self.maps.next_event()
    }

    /// Readable when an event waits: see [`super::Readiness`].
    pub fn events(&self) -> BorrowedFd<'_> {
        self.maps.events()
    }

    /// How many flows are open at this moment, and how many could be.
    pub fn flows(&self) -> (u32, u32) {
        self.maps.flows()
    }
}

impl Drop for Datapath {
    fn drop(&mut self) {
        // A start that failed between load and attach leaves nothing behind.
        if !self.attached
            && !self.adopted
            && let Err(error) = self.pins.remove()
        {
            tracing::warn!(%error, "pins are left behind");
        }
    }
}

fn load(pins: &Pins, settings: &Settings, adopted: bool, trace: bool) -> Result<(Ebpf, Maps), DatapathError> {
    let global = Abi(*settings);
    let flows = flow_capacity(settings);
    let mut loader = EbpfLoader::new();
    loader
        .override_global("SETTINGS", &global, true)
        .map_max_entries(map::FLOWS, flows)
        .verifier_log_level(VerifierLogLevel::STATS);
    for name in map::ALL {
        loader.map_pin_path(name, pins.map(name));
    }
    let mut ebpf = loader.load(OBJECT).map_err(explain_load)?;
    if trace {
        trace::start(&mut ebpf);
    }
    program(&mut ebpf)?.load().map_err(explain_verifier)?;
    let mut maps = Maps::open(&mut ebpf, flows)?;
    let meta = Meta {
        abi_version: ABI_VERSION,
        first_port: settings.first_port,
        ports: settings.ports,
        reserved: 0,
    };
    let found = maps.meta()?;
    // All zero: made just now, or by a start that died before it could write this.
    if adopted && found.abi_version != 0 {
        let facts = [
            ("ABI version", found.abi_version, meta.abi_version),
            ("source ports beginning at", found.first_port, meta.first_port),
            ("a number of source ports of", found.ports, meta.ports),
        ];
        for (what, seen, wanted) in facts {
            pins.expect(map::META, what, seen.into(), wanted.into())?;
        }
    } else {
        maps.set_meta(meta)?;
    }
    Ok((ebpf, maps))
}

/// One half for TCP, one for UDP.
fn flow_capacity(settings: &Settings) -> u32 {
    2 * settings.ports
}

fn program(ebpf: &mut Ebpf) -> Result<&mut Xdp, DatapathError> {
    let missing = DatapathError::MissingProgram { name: PROGRAM };
    ebpf.program_mut(PROGRAM).and_then(|program| program.try_into().ok()).ok_or(missing)
}

fn settings(attachments: &[Attachment], tuning: &Tuning) -> Result<Settings, DatapathError> {
    let mut interfaces = [Interface::default(); capacity::INTERFACES as usize];
    if attachments.len() > interfaces.len() {
        let names: Vec<&str> = attachments.iter().map(|attachment| attachment.link.name.as_str()).collect();
        return Err(DatapathError::TooManyInterfaces {
            limit: capacity::INTERFACES,
            names: names.join(", "),
        });
    }
    for (place, attachment) in interfaces.iter_mut().zip(attachments) {
        let link = &attachment.link;
        // Frames that XDP_TX puts on a veth wait until something else wakes its far end (kernel
        // drivers/net/veth.c: only a program there makes it poll); a redirect wakes it.
        let redirect = u16::from(link.kind.as_deref() == Some("veth"));
        *place = Interface { index: link.index, mac: link.mac, redirect };
    }
    let ports = &tuning.source_ports;
    let jiffies = |time| tuning.tick.jiffies(time);
    Ok(Settings {
        first_port: u32::from(*ports.start()),
        ports: u32::from(ports.end() - ports.start()) + 1,
        dnat: u32::from(tuning.dnat),
        any_port: u32::from(tuning.any_port),
        trace: u32::from(tuning.trace),
        opening_jiffies: jiffies(OPENING_TIMEOUT),
        established_jiffies: jiffies(tuning.established_timeout),
        udp_jiffies: jiffies(tuning.udp_timeout),
        second_jiffies: jiffies(Duration::from_secs(1)),
        interfaces,
    })
}

fn explain_load(error: EbpfError) -> DatapathError {
    match errno_of(&error) {
        Some(libc::EPERM) => DatapathError::Privilege { source: errno(libc::EPERM) },
        Some(code @ libc::EINVAL) if kernel_is_old() => old_kernel(errno(code).to_string()),
        _ => DatapathError::Object { source: Box::new(error) },
    }
}

fn explain_verifier(error: ProgramError) -> DatapathError {
    let ProgramError::LoadError { io_error, verifier_log } = error else {
        return DatapathError::Verifier { cause: error.to_string(), log: String::new() };
    };
    match io_error.raw_os_error() {
        Some(libc::EPERM) => DatapathError::Privilege { source: io_error },
        Some(libc::EINVAL | libc::EACCES) if kernel_is_old() => old_kernel(io_error.to_string()),
        _ => {
            let log = verifier_log.to_string();
            DatapathError::Verifier { cause: cause(&log, &io_error.to_string()), log }
        }
    }
}

/// The verifier's last line that is not a statistic: there it says what it disliked.
fn cause(log: &str, fallback: &str) -> String {
    let statistics = ["processed ", "verification time", "stack depth"];
    let lines = log.lines().rev().map(str::trim).filter(|line| !line.is_empty());
    let mut telling = lines.filter(|line| !statistics.iter().any(|start| line.starts_with(start)));
    telling.next().unwrap_or(fallback).to_owned()
}

fn old_kernel(reason: String) -> DatapathError {
    DatapathError::OldKernel { release: release(), floor: KERNEL_FLOOR, reason }
}

fn kernel_is_old() -> bool {
    older(&release(), KERNEL_FLOOR)
}

fn release() -> String {
    uname().map(|name| name.release().to_string_lossy().into_owned()).unwrap_or_default()
}

/// Whether kernel release `release` comes before `floor` (both `major.minor…`). Only explains a refusal: a
/// kernel with the features backported is not refused for its number.
fn older(release: &str, floor: &str) -> bool {
    let numbers = |text: &str| -> Option<(u32, u32)> {
        let mut parts = text.split(|c: char| !c.is_ascii_digit()).map(str::parse::<u32>);
        Some((parts.next()?.ok()?, parts.next()?.ok()?))
    };
    match (numbers(release), numbers(floor)) {
        (Some(release), Some(floor)) => release < floor,
        _ => false,
    }
}

fn errno(code: i32) -> std::io::Error {
    std::io::Error::from_raw_os_error(code)
}

/// The system's error code anywhere in the chain of causes.
fn errno_of(error: &EbpfError) -> Option<i32> {
    let mut cause: Option<&(dyn std::error::Error + 'static)> = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<std::io::Error>() {
            return io.raw_os_error();
        }
        cause = error.source();
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_kernel_is_told_by_its_release() {
        assert!(older("4.19.0-26-amd64", KERNEL_FLOOR));
        assert!(older("5.10.0", KERNEL_FLOOR));
        assert!(!older("5.18.0", KERNEL_FLOOR));
        assert!(!older("6.1.0-18-amd64", KERNEL_FLOOR));
        assert!(!older("strange", KERNEL_FLOOR));
    }

    #[test]
    fn an_old_kernel_is_named_with_what_is_needed() {
        let error = DatapathError::OldKernel {
            release: "5.4.0".to_owned(),
            floor: KERNEL_FLOOR,
            reason: "invalid argument".to_owned(),
        };
        let text = error.to_string();
        assert!(text.contains("5.4.0") && text.contains("hint: Stickfast needs Linux 5.18"), "{text}");
    }

    #[test]
    fn the_cause_is_the_verifiers_last_telling_line() {
        let log = "0: (b7) r0 = 1\nR1 invalid mem access 'scalar'\nprocessed 7 insns (limit 1000000)\n";
        assert_eq!(cause(log, "x"), "R1 invalid mem access 'scalar'");
        assert_eq!(cause("", "Invalid argument"), "Invalid argument");
    }
}
