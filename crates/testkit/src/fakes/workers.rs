//! Work that is done at once, where it is begun: the order of a test is always the same.

use stillpoint_core::ports::Workers;

/// Does all work itself.
pub struct AtOnce;

impl Workers for AtOnce {
    fn begin(&self, work: Box<dyn FnOnce() + Send>) {
        work();
    }
}
