//! What the kernel knows about the network: routes, neighbours, links. Asked through netlink.
