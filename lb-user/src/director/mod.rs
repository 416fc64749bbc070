//! Who serves: a pure state machine. Events and the time in, actions out; it knows no clock, no socket,
//! no runtime.
//!
//! Contract of the parts that stand around it:
//! * after every `handle_*` call, drain [`Director::poll_action`] and carry out the actions in their order:
//!   the order is what makes a failover safe half-way;
//! * call [`Director::handle_timeout`] at [`Director::poll_timeout`]; an early call does nothing;
//! * moments never go back.

pub mod types;
