/// Why a packet left the program: every exit has one. The index into the per-CPU array `counters`.
/// Written by: XDP; read by: daemon.
#[repr(u32)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Counter {
    /// Came in on an interface that is not configured.
    PassedOtherInterface,
    /// Not addressed to the interface's own MAC: multicast, broadcast, promiscuous.
    PassedOtherMac,
    /// Neither IPv4 nor anything else that is looked into (ARP, LLDP …).
    PassedOtherEthertype,
    /// Shorter than its headers say, or a header that contradicts itself.
    PassedMalformed,
    /// IPv4 options.
    PassedOptions,
    /// A fragment.
    PassedFragment,
    /// Neither TCP nor UDP.
    PassedOtherProtocol,
    /// Well formed, but not for a service and not a reply of one.
    PassedOtherDestination,
    /// For a service, but from an address that nobody has or from the service's own: the kernel judges it.
    PassedMartian,
    /// For a service, but its TTL is used up: the kernel answers with time exceeded.
    PassedTtl,
    /// To a source port of ours, but no flow is there.
    PassedNoFlow,
    /// The client's neighbour is not known to the kernel, which gets the translated reply and resolves it.
    PassedNoNeighbour,
    /// From a server of a `dnat` service, but not for the kernel to forward: the host's own connection, or
    /// forwarding is switched off.
    PassedNotForwarded,
    /// Client to server.
    ForwardedSnat,
    ForwardedDnat,
    ForwardedDsr,
    /// Server to client.
    RepliedSnat,
    RepliedDnat,
    /// No usable server: the client got a reset or port unreachable.
    RejectedNoServer,
    /// All source ports the flow may have are in use: as above.
    RejectedPortsExhausted,
    /// The server of an established connection went down: the client got a reset.
    ResetServerDown,
    /// A segment of a connection that is not known: the client got a reset.
    ResetUnknownConnection,
    /// No usable server and the policy is silence, or the packet may not be answered.
    DroppedNoServer,
    /// As above, for source ports.
    DroppedPortsExhausted,
    /// A reset of a connection that is not known.
    DroppedUnknownConnection,
    /// No way to the server is known: its route or its interface is gone, and its checks have not said so yet. The
    /// kernel could only refuse, so the client is left to try again.
    DroppedNoNextHop,
    /// A reply of a server whose connections were cut.
    DroppedCutReply,
    /// Another processor took the flow's slot at the same moment: the client sends again.
    DroppedContended,
}

impl Counter {
    /// Every counter with its name, in index order.
    pub const ALL: [(Self, &'static str); 28] = [
        (Self::PassedOtherInterface, "passed_other_interface"),
        (Self::PassedOtherMac, "passed_other_mac"),
        (Self::PassedOtherEthertype, "passed_other_ethertype"),
        (Self::PassedMalformed, "passed_malformed"),
        (Self::PassedOptions, "passed_options"),
        (Self::PassedFragment, "passed_fragment"),
        (Self::PassedOtherProtocol, "passed_other_protocol"),
        (Self::PassedOtherDestination, "passed_other_destination"),
        (Self::PassedMartian, "passed_martian"),
        (Self::PassedTtl, "passed_ttl"),
        (Self::PassedNoFlow, "passed_no_flow"),
        (Self::PassedNoNeighbour, "passed_no_neighbour"),
        (Self::PassedNotForwarded, "passed_not_forwarded"),
        (Self::ForwardedSnat, "forwarded_snat"),
        (Self::ForwardedDnat, "forwarded_dnat"),
        (Self::ForwardedDsr, "forwarded_dsr"),
        (Self::RepliedSnat, "replied_snat"),
        (Self::RepliedDnat, "replied_dnat"),
        (Self::RejectedNoServer, "rejected_no_server"),
        (Self::RejectedPortsExhausted, "rejected_ports_exhausted"),
        (Self::ResetServerDown, "reset_server_down"),
        (Self::ResetUnknownConnection, "reset_unknown_connection"),
        (Self::DroppedNoServer, "dropped_no_server"),
        (Self::DroppedPortsExhausted, "dropped_ports_exhausted"),
        (Self::DroppedUnknownConnection, "dropped_unknown_connection"),
        (Self::DroppedNoNextHop, "dropped_no_next_hop"),
        (Self::DroppedCutReply, "dropped_cut_reply"),
        (Self::DroppedContended, "dropped_contended"),
    ];

    /// Index into the `counters` map.
    #[inline(always)]
    pub fn index(self) -> u32 {
        self as u32
    }
}

/// A value of `counters`.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Traffic {
    pub packets: u64,
    /// Frame bytes, Ethernet header included.
    pub bytes: u64,
}

/// A value of `service_stats` (by service slot) and `server_stats` (by server id), per CPU.
/// Written by: XDP; read by: daemon.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct TrafficStats {
    /// Client to server.
    pub packets_in: u64,
    pub bytes_in: u64,
    /// Server to client; stays 0 where replies do not come through here.
    pub packets_out: u64,
    pub bytes_out: u64,
    /// Connections begun: SYNs that made a flow, and new UDP flows. Stateless modes count SYNs only.
    pub flows: u64,
}

/// How a packet counts in the statistics of its service and server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Passage {
    /// Client to server.
    In,
    /// As above, and the first of its flow.
    First,
    /// Server to client.
    Out,
}

impl TrafficStats {
    /// Counts a packet of `bytes`.
    #[inline(always)]
    pub fn add(&mut self, passage: Passage, bytes: u64) {
        match passage {
            Passage::Out => {
                self.packets_out += 1;
                self.bytes_out += bytes;
            }
            Passage::In | Passage::First => {
                self.packets_in += 1;
                self.bytes_in += bytes;
                self.flows += u64::from(passage == Passage::First);
            }
        }
    }
}

impl Traffic {
    /// Counts a packet of `bytes`.
    #[inline(always)]
    pub fn add(&mut self, bytes: u64) {
        self.packets += 1;
        self.bytes += bytes;
    }
}

#[cfg(test)]
mod tests {
    extern crate std;

    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_counter_stands_at_its_index() {
        for (index, (counter, _)) in Counter::ALL.iter().enumerate() {
            assert_eq!(counter.index() as usize, index);
        }
    }

    #[test]
    fn the_description_of_the_walk_names_every_counter_and_no_other() {
        let text = include_str!("../../../docs/packet-walk.md");
        let words = text.split(|letter: char| !letter.is_ascii_alphabetic() && letter != '_');
        let kinds = ["passed_", "forwarded_", "replied_", "rejected_", "reset_", "dropped_"];
        let named: BTreeSet<_> =
            words.filter(|word| kinds.iter().any(|kind| word.starts_with(kind))).collect();
        assert_eq!(named, Counter::ALL.iter().map(|(_, name)| *name).collect());

        let (diagram, tables) = text.split_once("## The exits").expect("the diagram comes first");
        for (counter, name) in Counter::ALL {
            assert!(
                tables.contains(&std::format!("{} `{name}`", counter.index())),
                "{name} has another index"
            );
            assert!(diagram.contains(name), "the diagram lacks {name}");
            assert!(tables.contains(name), "the tables lack {name}");
        }
    }
}
