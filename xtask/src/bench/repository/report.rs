//! The repository's figures as text, in the style of the other report. Never decides anything.

use super::super::contest::MEMORY_LIMIT;
use super::super::report::{bytes, table};
use super::results::{LISTING_LIMIT, Pairs, Results, THROUGHPUT_LIMIT};
use super::step::Figures;
use super::{Arguments, MIB, crowd};

pub(super) fn write(arguments: &Arguments, results: &Results) -> String {
    [
        about(arguments),
        compared(arguments, results),
        memory(arguments, results),
        verdict(results),
    ]
    .join("\n")
}

fn about(arguments: &Arguments) -> String {
    let cores = std::thread::available_parallelism().map_or(0, usize::from);
    format!(
        "{} backups; a stream of {}. {cores} cores, which server and client share.\n",
        arguments.listed,
        bytes(arguments.stream * MIB)
    )
}

fn compared(arguments: &Arguments, results: &Results) -> String {
    let seconds = |name: &str, pairs: &Pairs, of: fn(&Figures) -> f64| {
        let (ours, bare) = (pairs.ours(of), pairs.bare(of));
        [
            name.to_owned(),
            format!("{ours:.2} s"),
            format!("{bare:.2} s"),
            String::new(),
        ]
    };
    let timed = |name: &str, pairs: &Pairs| {
        let mut row = seconds(name, pairs, |run| run.seconds);
        row[3] = format!("{:.2}", pairs.time());
        row.into()
    };
    let processor = |name: &str, pairs: &Pairs| {
        let mut row = seconds(name, pairs, |run| run.processor);
        row[3] = format!(
            "{:.2}",
            pairs.ours(|run| run.processor) / pairs.bare(|run| run.processor)
        );
        row.into()
    };
    let speed = |name: &str, pairs: &Pairs| {
        let of = |run: &Figures| f64::from(u32::try_from(arguments.stream).unwrap_or(u32::MAX)) / run.seconds;
        let (ours, bare) = (pairs.ours(of), pairs.bare(of));
        let share = format!("{:.2}", pairs.throughput());
        vec![
            name.to_owned(),
            format!("{ours:.0} MiB/s"),
            format!("{bare:.0} MiB/s"),
            share,
        ]
    };
    let rows = [
        timed("`stillpoint backups ls --json`", &results.program),
        timed("the listing alone", &results.listing),
        processor("– the client's processor", &results.listing),
        speed("stream written, SHA-256 in flight", &results.writing),
        processor("– the client's processor", &results.writing),
        speed("the same read", &results.reading),
        processor("– the client's processor", &results.reading),
    ];
    format!(
        "Medians of {} rounds, by turns; a ratio of times or speeds is the median of the rounds' ratios:\n\n{}\n\
         Each round's ratio: `backups ls` {}; the listing alone {}; written {}; read {}\n",
        arguments.repository_rounds,
        table(&["repository", "stillpoint", "bare", "stillpoint ÷ bare"], &rows),
        each(results.program.times()),
        each(results.listing.times()),
        each(results.writing.times().map(f64::recip)),
        each(results.reading.times().map(f64::recip))
    )
}

fn each(ratios: impl Iterator<Item = f64>) -> String {
    ratios.map(|ratio| format!("{ratio:.2}")).collect::<Vec<_>>().join(", ")
}

fn memory(arguments: &Arguments, results: &Results) -> String {
    let row = |what: String, worst: u64| vec![what, bytes(worst)];
    let rows = [
        row("the stream".to_owned(), results.writing.worst_memory()),
        row(
            format!(
                "{} artifacts of {} to {} and one of {}, all at once",
                crowd::SMALL,
                bytes(crowd::SIZES.0),
                bytes(crowd::SIZES.1),
                bytes(arguments.stream * MIB / 2)
            ),
            results.crowd_memory(),
        ),
        row("the stream read".to_owned(), results.reading.worst_memory()),
        row("the listing alone".to_owned(), results.listing.worst_memory()),
    ];
    table(&["peak resident memory", "worst round"], &rows)
}

fn verdict(results: &Results) -> String {
    let state = if results.broken_limits().is_empty() {
        "kept"
    } else {
        "BROKEN"
    };
    format!(
        "Limits {state}: `backups ls` {:.2} of at most {LISTING_LIMIT}, throughput {:.2} of at least \
         {THROUGHPUT_LIMIT}, memory of what is written at worst {} of {}.\n",
        results.program.time(),
        results.writing.throughput(),
        bytes(results.crowd_memory().max(results.writing.worst_memory())),
        bytes(MEMORY_LIMIT)
    )
}

pub(super) fn large(gibibytes: u64, measured: &Figures) -> String {
    format!(
        "One artifact of {gibibytes} GiB through the S3 repository, SHA-256 in flight, to SeaweedFS on the same machine: \
         {:.0} s, {:.0} s on a processor, peak resident memory {} of {}.\n",
        measured.seconds,
        measured.processor,
        bytes(measured.memory),
        bytes(MEMORY_LIMIT)
    )
}
