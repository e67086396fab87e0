//! The rim: what the rules need from the world, done with real engines, files and clocks. Nothing
//! here decides anything; each adapter keeps the contract of its port and no more.

pub mod docker;
