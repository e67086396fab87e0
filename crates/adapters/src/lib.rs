//! The rim: the ports of the rules, filled with the real world. Nothing here decides anything; each
//! adapter is held to its port's prose by the conformance suites of the testkit.

pub mod clock;
pub mod lock;
pub mod repository;
