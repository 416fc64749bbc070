//! Generated frames: whatever comes, host and kernel do the same.

use std::{cell::RefCell, collections::BTreeSet};

use bytemuck::Zeroable;
use lb_ebpf::{
    abi::{Counter, Flow, FlowState, Mode, NONE, NoServerPolicy, word::FlowTag},
    host::HostTables,
    testing::{BACKEND, IFINDEX, generate, world},
};
use proptest::{
    collection::vec,
    option,
    prelude::*,
    test_runner::{Config, RngSeed, TestRunner},
};

use crate::{kernel::Kernel, namespace, run::run_on_host, state::State};

/// Runs of frames, and frames in each.
const RUNS: u32 = 250;
const FRAMES: usize = 80;

/// A world where few source ports are left.
fn crowded() -> HostTables {
    let tables = world(Mode::Snat);
    for slot in tables.flows.iter().step_by(2).chain(tables.flows.iter().skip(5)) {
        let tag = FlowTag { generation: 1, state: FlowState::Established as u8, fins: 0, server_epoch: 0 };
        slot.set(Flow { tag, ..Zeroable::zeroed() });
    }
    tables
}

/// What the daemon may do between two frames.
#[derive(Clone, Copy, Debug)]
enum Change {
    Usable {
        id: usize,
        usable: bool,
    },
    /// Connections to the server are cut.
    Cut {
        id: usize,
    },
    Current {
        id: u32,
    },
    Policy(NoServerPolicy),
    NextHop {
        id: usize,
        known: bool,
    },
}

impl Change {
    fn apply(self, tables: &mut HostTables) {
        match self {
            Self::Usable { id, usable } => tables.server_state[id].get_mut().usable = usable.into(),
            Self::Cut { id } => tables.server_state[id].get_mut().epoch += 1,
            Self::Current { id } => tables.backends[BACKEND as usize].current = id,
            Self::Policy(policy) => tables.backends[BACKEND as usize].no_server = policy as u32,
            Self::NextHop { id, known } => {
                let slot = tables.server_state[id].get().slot;
                tables.servers[slot as usize].interface = if known { IFINDEX } else { 0 };
            }
        }
    }
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        2 => (0_usize..2, any::<bool>()).prop_map(|(id, usable)| Change::Usable { id, usable }),
        1 => (0_usize..2).prop_map(|id| Change::Cut { id }),
        1 => (0_usize..2, any::<bool>()).prop_map(|(id, known)| Change::NextHop { id, known }),
        2 => prop_oneof![Just(0), Just(1), Just(NONE)].prop_map(|id| Change::Current { id }),
        1 => any::<bool>().prop_map(|drop| {
            Change::Policy(if drop { NoServerPolicy::Drop } else { NoServerPolicy::Reject })
        }),
    ]
}

/// 20,000 frames in worlds whose servers fail on the way. After each, everything is compared that the program
/// can change.
#[test]
fn host_and_kernel_agree_about_every_frame() {
    namespace::enter();
    let worlds = [world(Mode::Snat), crowded(), world(Mode::Dnat), world(Mode::Dsr)].map(|mut tables| {
        namespace::learn_routes(&mut tables);
        tables
    });
    let kernels = RefCell::new(worlds.each_ref().map(Kernel::load));
    let reached = RefCell::new(BTreeSet::new());
    let steps = vec((option::weighted(0.05, change()), generate::frame()), FRAMES);
    let config =
        Config { cases: RUNS, failure_persistence: None, rng_seed: RngSeed::Fixed(1), ..Config::default() };
    let result = TestRunner::new(config).run(&(0..worlds.len(), steps), |(world, steps)| {
        let mut tables = worlds[world].clone();
        let kernel = &mut kernels.borrow_mut()[world];
        kernel.set(&tables);
        for (change, frame) in steps {
            if let Some(change) = change {
                change.apply(&mut tables);
                kernel.configure(&tables);
            }
            let (verdict, on_host) = run_on_host(&tables, &frame);
            reached.borrow_mut().insert(verdict.counter);
            prop_assert_eq!(kernel.run(&frame), on_host, "{:?}", verdict);

            let in_kernel = kernel.state(&tables);
            prop_assert_eq!(State::of(&tables).timeless(), in_kernel.clone().timeless(), "{:?}", verdict);
            tables.events.borrow_mut().clear();
            take_times(&tables, &in_kernel);
        }
        Ok(())
    });
    result.unwrap_or_else(|error| panic!("{error}"));

    let missed: Vec<_> =
        Counter::ALL.into_iter().filter(|(counter, _)| !reached.borrow().contains(counter)).collect();
    assert_eq!(missed, UNREACHED, "the frames are not varied enough");
}

/// Exits that one processor alone cannot get to, or that the world has no way to.
const UNREACHED: [(Counter, &str); 2] = [
    (Counter::PassedOtherInterface, "passed_other_interface"),
    (Counter::DroppedContended, "dropped_contended"),
];

/// Gives the host's flows the kernel's times: which of two has rested longer decides about a slot.
fn take_times(tables: &HostTables, kernel: &State) {
    for (host, kernel) in tables.flows.iter().zip(&kernel.flows) {
        if host.get().last_seen != kernel.last_seen {
            tables.now.set(kernel.last_seen);
        }
        host.set(Flow { last_seen: kernel.last_seen, ..host.get() });
    }
}
