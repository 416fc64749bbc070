//! A laboratory of network namespaces: topology, servers, clients.
