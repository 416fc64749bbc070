//! HAProxy's Runtime API on the stats sockets.
