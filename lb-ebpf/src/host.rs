//! The walk's tables in ordinary memory, for tests and for explaining what the program would do.
