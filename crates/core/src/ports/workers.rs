//! Processors for work that computes and waits for nothing, so that one task that drives many streams is not
//! slowed down by it.

/// Runs work beside its caller.
pub trait Workers: Send + Sync {
    /// Begins `work` and returns at once. It runs to its end, also if nobody waits for it any more; works that were begun
    /// one after the other may run at the same time. Whoever wants its result sends it to himself. Where the
    /// process is about to end, `work` may be dropped instead.
    fn begin(&self, work: Box<dyn FnOnce() + Send>);
}
