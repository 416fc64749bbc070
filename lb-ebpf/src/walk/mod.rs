//! The walk of a packet: parse, find the service, choose the server, rewrite, send.

mod refusal;
mod service;
mod snat;
mod stateless;

use core::hint::black_box;

use crate::{
    abi::{Counter, Direction, Interface, Mode, Server, Service, Settings, capacity, word::ServerState},
    flow,
    net::Frame,
    parse::{Packet, parse},
    rewrite::{Rewrite, rewrite},
    tables::Tables,
};

/// What happens to the frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// To the kernel, as if nothing were here.
    Pass,
    Drop,
    /// Back out of the interface it came in on.
    Transmit,
    /// Out of the verdict's interface.
    Redirect,
}

/// The end of a walk: what to do, and why.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Verdict {
    pub action: Action,
    /// Where a [`Action::Redirect`] goes; otherwise 0. Not a field of the variant: the compiler would move it
    /// about where it holds nothing, and the verifier refuses to move what was never written.
    pub interface: u32,
    pub counter: Counter,
}

/// Decides about a frame that came in on interface `ifindex`, changes it accordingly and counts it.
#[inline(always)]
pub fn walk<F: Frame, T: Tables>(frame: &mut F, tables: &T, ifindex: u32) -> Verdict {
    let (verdict, bytes) = match parse(frame) {
        Ok(packet) => (decide(frame, tables, &packet, ifindex), packet.bytes),
        Err(reason) => (pass(reason), frame.length() as u64),
    };
    tables.count(verdict.counter, bytes);
    verdict
}

#[inline(always)]
fn decide<F: Frame, T: Tables>(frame: &mut F, tables: &T, packet: &Packet, ifindex: u32) -> Verdict {
    let ingress = match ingress(tables, packet, ifindex) {
        Ok(ingress) => ingress,
        Err(reason) => return pass(reason),
    };
    let mut walk = Walk { frame, tables, packet, ingress };
    let request = service::find(
        tables,
        packet.destination,
        packet.destination_port,
        packet.protocol,
        Direction::Request,
    );
    if let Some((slot, service)) = request {
        return walk.request(Request { slot, service });
    }
    if let Some(slot) = flow::slot_of_port(tables.settings(), packet, packet.destination_port) {
        return walk.reply_snat(slot);
    }
    if tables.settings().dnat == 1 {
        let reply =
            service::find(tables, packet.source, packet.source_port, packet.protocol, Direction::Reply);
        if let Some((_, service)) = reply {
            return walk.reply_dnat(service);
        }
    }
    pass(Counter::PassedOtherDestination)
}

/// A well-formed packet for one of our interfaces, and everything around it.
struct Walk<'a, F, T> {
    frame: &'a mut F,
    tables: &'a T,
    packet: &'a Packet,
    ingress: Ingress,
}

/// The service that a client's packet is for.
#[derive(Clone, Copy)]
struct Request<'a> {
    slot: u32,
    service: &'a Service,
}

impl<'a, F: Frame, T: Tables> Walk<'a, F, T> {
    #[inline(always)]
    fn request(&mut self, request: Request<'_>) -> Verdict {
        if is_martian(self.packet) {
            return pass(Counter::PassedMartian);
        }
        if self.packet.ttl <= 1 {
            return pass(Counter::PassedTtl);
        }
        let forwarded = match Mode::of(request.service.mode) {
            Mode::Snat => self.forward_snat(request),
            mode @ (Mode::Dnat | Mode::Dsr) => self.forward_stateless(request, mode),
        };
        match forwarded {
            Ok(verdict) => verdict,
            Err(refusal) => self.refuse(request, refusal),
        }
    }

    /// Rewrites the packet; whether that was possible, as it always is.
    #[inline(always)]
    fn rewrite(&mut self, wanted: &Rewrite) -> bool {
        rewrite(self.frame, self.packet, wanted).is_some()
    }

    /// The server's present data, once its next hop is known.
    #[inline(always)]
    fn reachable(&self, state: ServerState) -> Option<&'a Server> {
        self.tables.server(state.slot).filter(|server| server.interface != 0)
    }

    #[inline(always)]
    fn send(&self, interface: u32, counter: Counter) -> Verdict {
        if interface == self.ingress.index && !self.ingress.redirect {
            Verdict { action: Action::Transmit, interface: 0, counter }
        } else {
            Verdict { action: Action::Redirect, interface, counter }
        }
    }
}

#[inline(always)]
fn pass(counter: Counter) -> Verdict {
    Verdict { action: Action::Pass, interface: 0, counter }
}

#[inline(always)]
fn drop(counter: Counter) -> Verdict {
    Verdict { action: Action::Drop, interface: 0, counter }
}

/// Whether nobody can be reached at the source address (RFC 1122, section 3.2.1.3): what such a packet would be
/// answered with must not be sent.
#[inline(always)]
fn is_martian(packet: &Packet) -> bool {
    let [first, ..] = packet.source.v4_bytes();
    first == 0 || first == 127 || first >= 224 || packet.source == packet.destination
}

/// Where a frame came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Ingress {
    index: u32,
    redirect: bool,
}

/// Which interface of ours this is, and whether the frame is addressed to it.
#[inline(always)]
fn ingress<T: Tables>(tables: &T, packet: &Packet, ifindex: u32) -> Result<Ingress, Counter> {
    let interface = interface(tables.settings(), ifindex).ok_or(Counter::PassedOtherInterface)?;
    if !packet.macs.is_to(interface.mac) {
        return Err(Counter::PassedOtherMac);
    }
    Ok(Ingress { index: ifindex, redirect: interface.redirect == 1 })
}

#[inline(always)]
fn interface(settings: &Settings, ifindex: u32) -> Option<&Interface> {
    // A bound that the compiler does not know keeps the loop a loop.
    for place in 0..black_box(capacity::INTERFACES) {
        let interface = settings.interfaces.get(place as usize)?;
        if interface.index == ifindex {
            return Some(interface);
        }
        if interface.index == 0 {
            return None;
        }
    }
    None
}
