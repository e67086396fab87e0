//! In which form a run is shown.

/// How a run is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Form {
    /// Bars on a terminal, plain lines elsewhere and beside diagnostics.
    Usual,
    /// Warnings alone.
    Quiet,
    /// One JSON line for each event.
    Json,
}
