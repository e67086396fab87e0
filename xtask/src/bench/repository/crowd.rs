//! Many small artifacts and a large one, all at the same time: what memory they take together.

use anyhow::Result;
use futures::stream::{FuturesUnordered, TryStreamExt};
use stillpoint_core::sink::Sink;

use super::sides::{self, must_be};
use super::source::Source;
use super::step::Asked;

/// How many small ones.
pub(super) const SMALL: u64 = 200;
/// Their sizes are spread evenly between these, in bytes.
pub(super) const SIZES: (u64, u64) = (100 << 10, 4 << 20);

pub(super) async fn write(asked: &Asked) -> Result<()> {
    let sink = sides::sink(asked).await?;
    let source = Source::of(0);
    let sizes = (0..SMALL).map(|number| SIZES.0 + (SIZES.1 - SIZES.0) * number / (SMALL - 1));
    let all = sizes.chain([asked.count]).zip(0..);
    let tasks: FuturesUnordered<_> = all
        .map(|(size, number)| tokio::spawn(one(sink.clone(), number, source.fork(number, size), size)))
        .collect();
    let written: Vec<Result<()>> = tasks.try_collect().await?;
    written.into_iter().collect()
}

async fn one(sink: Sink, number: u64, pieces: Source, size: u64) -> Result<()> {
    let name = sides::artifact(&format!("{number}.dump"));
    let written = sides::put(&sink, name, pieces).await?;
    must_be("bytes written", written.size, size)
}
