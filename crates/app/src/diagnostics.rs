//! Diagnostics: what `tracing` is told of, written to standard error for whoever asked for it. Nothing is told unasked.
//!
//! Never here: anything finer than a warning of a library. They tell what is sent, and passwords with it.

use std::io::{IsTerminal, stderr};

use tracing::{Level, Metadata};
use tracing_subscriber::filter::{FilterExt, filter_fn};
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, Registry, fmt, registry};

use crate::config::{Diagnostics, Format, OURS};
use crate::failure::Failure;

/// Begins to tell, for the rest of the process.
pub(crate) fn start(wanted: &Diagnostics) -> Result<(), Failure> {
    let Some(filter) = &wanted.filter else { return Ok(()) };
    let failed = |cause: String| Failure::usage(format!("diagnostics: {cause}"), "docs/operating/diagnostics.md");
    let filter = EnvFilter::try_new(filter).map_err(|cause| failed(cause.to_string()))?;
    let format = wanted.format.unwrap_or(if stderr().is_terminal() {
        Format::Text
    } else {
        Format::Json
    });
    // What a run does has its run, step and store beside it, whichever part is asked for.
    let filter = filter.and(filter_fn(may_be_told)).or(filter_fn(is_our_span));
    let layer = layer(format).with_filter(filter);
    registry()
        .with(layer)
        .try_init()
        .map_err(|cause| failed(cause.to_string()))
}

/// Whether diagnostics are told.
pub(crate) fn are_told() -> bool {
    tracing::dispatcher::has_been_set()
}

/// A terminal that went away must not end a run: what cannot be written is lost.
fn layer(format: Format) -> Box<dyn Layer<Registry> + Send + Sync> {
    let layer = fmt::layer().with_writer(stderr).log_internal_errors(false);
    match format {
        Format::Text => layer.with_ansi(false).boxed(),
        Format::Json => layer.json().flatten_event(true).with_current_span(false).boxed(),
    }
}

fn may_be_told(told: &Metadata<'_>) -> bool {
    is_ours(told) || *told.level() <= Level::WARN
}

fn is_our_span(told: &Metadata<'_>) -> bool {
    told.is_span() && is_ours(told)
}

fn is_ours(told: &Metadata<'_>) -> bool {
    told.target().starts_with(OURS)
}
