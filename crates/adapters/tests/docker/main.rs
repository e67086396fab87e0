//! The Docker adapter, tried on a real engine: the one of `DOCKER_HOST`.
//!
//! Each file calls its port's suite and adds what only Docker can do wrong. One program for all:
//! what they share is linked once.

mod broken;
mod catalog;
mod claim;
mod gateway;
mod impatient;
mod power;
mod reach;
mod shell;
mod sibling;
mod support;
