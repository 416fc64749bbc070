//! What the program does, case by case: a packet in, the packet out that `etherparse` builds, the verdict, and
//! what is counted. Each case runs on the host and in the kernel.

mod foreign;
mod refused;
mod snat;
mod stateless;

use std::collections::HashMap;

use lb_ebpf::{
    abi::{Counter, EventKind, Traffic, TrafficStats, word::ServerState},
    host::HostTables,
    net::protocol,
    testing::{BACKEND, PacketSpec, SERVICES},
};

use crate::{
    kernel::Kernel,
    namespace,
    run::{Outcome, run_on_host},
    state::State,
};

const DROP: u32 = 1;
const PASS: u32 = 2;
const TRANSMIT: u32 = 3;
const REDIRECT: u32 = 4;

/// Tables, and packets that come one after another.
pub(crate) struct Fixture {
    /// A fact.
    name: String,
    tables: HostTables,
    steps: Vec<Step>,
}

struct Step {
    frame: Vec<u8>,
    expected: Outcome,
    counter: Counter,
    traffic: Way,
    event: Option<EventKind>,
}

/// How a packet counts in the statistics of its service and of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    /// Not at all.
    None,
    /// To this server.
    In(u32),
    /// To this server, and begins a flow.
    First(u32),
    /// From this server.
    Out(u32),
    /// From a server of the service, whichever it is.
    OutOfAny,
}

impl Fixture {
    fn new(name: impl Into<String>, tables: HostTables) -> Self {
        Self { name: name.into(), tables, steps: Vec::new() }
    }

    /// The packet goes to the kernel as it came.
    fn passes(self, frame: &[u8], counter: Counter) -> Self {
        self.step(frame, (PASS, frame), counter, Way::None)
    }

    fn drops(self, frame: &[u8], counter: Counter) -> Self {
        self.step(frame, (DROP, frame), counter, Way::None)
    }

    /// The packet leaves by the interface that it came by, as `sent`.
    fn transmits(self, packet: &PacketSpec, counter: Counter, sent: &PacketSpec, way: Way) -> Self {
        self.step(&packet.bytes(), (TRANSMIT, &sent.bytes()), counter, way)
    }

    /// The packet leaves by redirect, as `sent`.
    fn redirects(self, packet: &PacketSpec, counter: Counter, sent: &PacketSpec, way: Way) -> Self {
        self.step(&packet.bytes(), (REDIRECT, &sent.bytes()), counter, way)
    }

    fn step(mut self, frame: &[u8], (action, sent): (u32, &[u8]), counter: Counter, traffic: Way) -> Self {
        let expected = Outcome { action, frame: sent.to_vec() };
        self.steps.push(Step { frame: frame.to_vec(), expected, counter, traffic, event: None });
        self
    }

    /// The last packet is reported, too.
    fn reporting(mut self, event: EventKind) -> Self {
        if let Some(step) = self.steps.last_mut() {
            step.event = Some(event);
        }
        self
    }

    /// Runs all packets; what is not as it should be.
    fn run(&self, kernel: &mut Kernel) -> Result<(), String> {
        let tables = self.tables.clone();
        kernel.set(&tables);
        for (number, step) in (1..).zip(&self.steps) {
            let before = State::of(&tables);
            let (verdict, outcome) = run_on_host(&tables, &step.frame);
            let after = State::of(&tables);
            tables.events.borrow_mut().clear();
            let complain = |what: &str, seen: String, expected: String| {
                Err(format!("{}, packet {number}: {what} is\n{seen}\nnot\n{expected}", self.name))
            };
            if verdict.counter != step.counter {
                return complain("the exit", format!("{:?}", verdict.counter), format!("{:?}", step.counter));
            }
            if outcome != step.expected {
                return complain("the outcome", format!("{outcome:02x?}"), format!("{:02x?}", step.expected));
            }
            let counted = step.after(before);
            let events: Vec<_> = after.events.iter().map(|event| EventKind::try_from(event.kind)).collect();
            if events != step.event.map(Ok).into_iter().collect::<Vec<_>>() {
                return complain("the report", format!("{events:?}"), format!("{:?}", step.event));
            }
            let seen = (&after.counters, &after.service_stats, &after.server_stats);
            let expected = (&counted.counters, &counted.service_stats, &counted.server_stats);
            if seen != expected {
                return complain("what is counted", format!("{seen:?}"), format!("{expected:?}"));
            }
            let in_kernel = kernel.run(&step.frame);
            if in_kernel != outcome {
                return complain(
                    "the kernel's outcome",
                    format!("{in_kernel:02x?}"),
                    format!("{outcome:02x?}"),
                );
            }
            let in_kernel = kernel.state(&tables).timeless();
            let on_host = after.timeless();
            if in_kernel != on_host {
                return complain("the kernel's state", format!("{in_kernel:?}"), format!("{on_host:?}"));
            }
        }
        Ok(())
    }
}

impl Step {
    /// What shall be counted after the packet, if `before` was.
    fn after(&self, mut before: State) -> State {
        let bytes = self.frame.len() as u64;
        let Traffic { packets, bytes: sum } = before.counters[self.counter.index() as usize];
        before.counters[self.counter.index() as usize] = Traffic { packets: packets + 1, bytes: sum + bytes };
        let add = |stats: &mut TrafficStats| match self.traffic {
            Way::None => {}
            Way::In(_) | Way::First(_) => {
                stats.packets_in += 1;
                stats.bytes_in += bytes;
                stats.flows += u64::from(matches!(self.traffic, Way::First(_)));
            }
            Way::Out(_) | Way::OutOfAny => {
                stats.packets_out += 1;
                stats.bytes_out += bytes;
            }
        };
        let service = SERVICES[usize::from(self.frame.get(23) == Some(&protocol::UDP))];
        before
            .service_stats
            .iter_mut()
            .filter(|(slot, _)| *slot == service)
            .for_each(|(_, stats)| add(stats));
        if let Way::In(server) | Way::First(server) | Way::Out(server) = self.traffic {
            before.server_stats.iter_mut().filter(|(id, _)| *id == server).for_each(|(_, stats)| add(stats));
        }
        before
    }
}

/// `tables` with a change.
fn with(mut tables: HostTables, change: impl FnOnce(&mut HostTables)) -> HostTables {
    change(&mut tables);
    tables
}

/// `tables` with `server` down, and the other one current.
fn failed_over(tables: HostTables, server: usize) -> HostTables {
    with(tables, |tables| {
        let state = tables.server_state[server].get_mut();
        *state = ServerState { usable: 0, epoch: state.epoch + 1, ..*state };
        tables.backends[BACKEND as usize].current = u32::from(server == 0);
    })
}

/// One interface that sends back by redirect, as a veth does.
fn redirecting(tables: HostTables) -> HostTables {
    with(tables, |tables| tables.settings.interfaces[0].redirect = 1)
}

#[test]
fn every_fixture_holds_on_the_host_and_in_the_kernel() {
    namespace::enter();
    let fixtures = [foreign::fixtures(), stateless::fixtures(), snat::fixtures(), refused::fixtures()];
    let mut kernels = HashMap::new();
    let mut failures = Vec::new();
    for fixture in fixtures.iter().flatten() {
        let settings = bytemuck::bytes_of(&fixture.tables.settings).to_vec();
        let kernel = kernels.entry(settings).or_insert_with(|| Kernel::load(&fixture.tables));
        failures.extend(fixture.run(kernel).err());
    }
    assert!(failures.is_empty(), "{} fixtures fail:\n{}", failures.len(), failures.join("\n"));
}
