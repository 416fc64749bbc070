use super::capacity;

/// An interface that the program serves.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Interface {
    /// Kernel's ifindex; 0 ends the list.
    pub index: u32,
    /// Its own MAC, wire order.
    pub mac: [u8; 6],
    /// 1: send back out of it by redirect, because `XDP_TX` stalls there (veth); 0: by `XDP_TX`.
    pub redirect: u16,
}

/// What is fixed while a program is loaded. It lives in read-only memory, where the verifier sees the values
/// and removes the branches that they close; a change means loading the program again and swapping it.
/// Written by: daemon at load; read by: XDP.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, bytemuck::Pod, bytemuck::Zeroable)]
pub struct Settings {
    /// First source port of SNAT, host order.
    pub first_port: u32,
    /// How many source ports SNAT has; 0 = SNAT is not in use.
    pub ports: u32,
    /// 1: some service is in mode `dnat`, so replies must be looked for.
    pub dnat: u32,
    /// 1: some service is for every port of its address.
    pub any_port: u32,
    /// 1: log each packet's verdict through aya-log.
    pub trace: u32,
    /// Jiffies that a flow may be idle before its slot may be taken: SYN seen.
    pub opening_jiffies: u32,
    /// As above: established.
    pub established_jiffies: u32,
    /// As above: UDP.
    pub udp_jiffies: u32,
    /// One second.
    pub second_jiffies: u32,
    pub interfaces: [Interface; capacity::INTERFACES as usize],
}
