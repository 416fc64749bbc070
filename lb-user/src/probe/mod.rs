//! Health checks: the I/O of one check. When to check and what a result means is the director's matter.
