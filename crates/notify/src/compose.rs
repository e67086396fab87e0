//! What is told, in which words: pure functions of what happened. A notice says in its first line what happened to what and
//! where, then why, then what to do.

use jiff::Timestamp;
use jiff::tz::TimeZone;
use serde_json::Value;
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::ports::history::{Ending, RunRecord, RunState, Way};
use stillpoint_core::ports::notices::{Notice, NoticeKind};
use stillpoint_core::words;

/// So many lines of an answer or a reason are told, and so many characters.
const LINES: usize = 12;
const CHARACTERS: usize = 1500;

/// Where notices come from.
#[derive(Clone, Debug)]
pub struct Place {
    /// The host.
    pub host: String,
    /// The platform, where it is named.
    pub platform: Option<String>,
    /// The zone in which times are told.
    pub zone: TimeZone,
    /// The address of the pages, where browsers reach them.
    pub pages: Option<String>,
}

impl Place {
    fn name(&self, platform: Option<&str>) -> String {
        match platform.or(self.platform.as_deref()) {
            Some(platform) => format!("{platform} on {}", self.host),
            None => self.host.clone(),
        }
    }

    fn local(&self, at: Timestamp) -> String {
        let zoned = at.to_zoned(self.zone.clone());
        zoned.strftime("%a %d %b %Y %H:%M %Z").to_string()
    }

    fn link(&self, path: &str) -> Option<String> {
        let pages = self.pages.as_ref()?;
        Some(format!("{}{path}", pages.trim_end_matches('/')))
    }

    fn notice(&self, key: String, kind: NoticeKind, at: Timestamp, title: String, text: String) -> Notice {
        Notice {
            key,
            kind,
            job: None,
            run: None,
            platform: self.platform.clone(),
            host: self.host.clone(),
            at,
            title,
            text,
            hint: None,
            link: None,
        }
    }
}

/// A job as a person calls it.
pub fn job_word(job: &str) -> String {
    match job {
        "backup_job" => "Backup".to_owned(),
        "full_restore_job" => "Restore".to_owned(),
        "undo_job" => "Undoing a restore".to_owned(),
        "discard_job" => "Freeing replaced data".to_owned(),
        "verify_job" => "Verification".to_owned(),
        "prune_job" => "Retention".to_owned(),
        other => {
            let word = other.trim_end_matches("_job").replace('_', " ");
            let mut letters = word.chars();
            let first = letters.next().map(|first| first.to_uppercase().to_string());
            format!("{}{}", first.unwrap_or_default(), letters.as_str())
        }
    }
}

fn replaces_data(job: &str) -> bool {
    matches!(job, "full_restore_job" | "undo_job")
}

/// What is told when a run begins: of a restore, that it does.
pub fn begun(run: &RunRecord, place: &Place) -> Option<Notice> {
    if !replaces_data(&run.job) {
        return None;
    }
    let platform = run.platform.as_ref().map(ToString::to_string);
    let (job, at) = (job_word(&run.job), run.started_at.unwrap_or(run.asked_at));
    let title = format!("{job} has begun: {}", place.name(platform.as_deref()));
    let backup = run.options.get("backup").and_then(Value::as_str);
    let what = backup.map(|backup| format!("Backup {backup} is brought back. "));
    let text = format!("{}{}", what.unwrap_or_default(), asked(run, place));
    let notice = place.notice(format!("begun:{}", run.run), NoticeKind::Restore, at, title, text);
    Some(about(notice, run, platform, place))
}

/// What is told of a run that is over. `was_bad`: the last that was told of its job was no good.
pub fn ended(run: &RunRecord, was_bad: bool, place: &Place) -> Option<Notice> {
    let nothing = Ending::default();
    let ending = run.ending.as_ref().unwrap_or(&nothing);
    let kind = kind_of(run, ending, was_bad)?;
    let platform = platform_of(run, ending);
    let name = place.name(platform.as_deref());
    let job = job_word(&run.job);
    let title = match kind {
        NoticeKind::Damage => format!("A backup is DAMAGED: {name}"),
        NoticeKind::NotBack => format!("{job}: not everything runs again: {name}"),
        NoticeKind::Degraded => format!("{job} is done, but not all is as it was: {name}"),
        NoticeKind::Recovered => format!("{job} works again: {name}"),
        NoticeKind::Restore | NoticeKind::Success => format!("{job} is done: {name}"),
        _ if ending.exit == Some(Exit::StoppedOnPurpose as u8) => {
            format!("{job} FAILED and the platform stands stopped on purpose: {name}")
        }
        _ if run.state == RunState::Canceled => format!("{job} was cut off: {name}"),
        _ => format!("{job} FAILED: {name}"),
    };
    let at = run.ended_at.unwrap_or(run.asked_at);
    let mut notice = place.notice(format!("ended:{}", run.run), kind, at, title, text(run, ending, place));
    notice.hint.clone_from(&ending.hint);
    Some(about(notice, run, platform, place))
}

fn about(notice: Notice, run: &RunRecord, platform: Option<String>, place: &Place) -> Notice {
    Notice {
        job: Some(run.job.clone()),
        run: Some(run.called()),
        platform: platform.or(notice.platform),
        link: run.number.and_then(|number| place.link(&format!("/runs/{number}"))),
        ..notice
    }
}

/// The platform that was named, else the one that the answer names.
fn platform_of(run: &RunRecord, ending: &Ending) -> Option<String> {
    let result = ending.result.as_ref();
    let told = result.and_then(|result| result.get("manifest").unwrap_or(result).get("platform")?.as_str());
    let named = run.platform.as_ref().map(ToString::to_string);
    named.or_else(|| told.map(ToOwned::to_owned))
}

/// What it is that is told; none of what nobody needs to be told.
fn kind_of(run: &RunRecord, ending: &Ending, was_bad: bool) -> Option<NoticeKind> {
    let exit = ending.exit;
    Some(match run.state {
        RunState::Failure if exit == Some(Exit::Damaged as u8) => NoticeKind::Damage,
        RunState::Failure if exit == Some(Exit::RecoveryIncomplete as u8) => NoticeKind::NotBack,
        RunState::Failure => NoticeKind::Failed,
        // Whoever has cancelled his own command knows.
        RunState::Canceled if run.asked.way == Way::Schedule => NoticeKind::Failed,
        RunState::Degraded if names_containers(ending) => NoticeKind::NotBack,
        RunState::Degraded => NoticeKind::Degraded,
        RunState::Success if replaces_data(&run.job) => NoticeKind::Restore,
        RunState::Success if was_bad => NoticeKind::Recovered,
        RunState::Success => NoticeKind::Success,
        _ => return None,
    })
}

/// Whether the answer of a backup lists what did not come back. A restore lists logins that are refused beside it.
fn names_containers(ending: &Ending) -> bool {
    let result = ending.result.as_ref();
    let is_backup = result.is_some_and(|result| result.get("manifest").is_some());
    let listed = result.and_then(|result| result.get("degraded")?.as_array());
    is_backup && listed.is_some_and(|listed| !listed.is_empty())
}

fn text(run: &RunRecord, ending: &Ending, place: &Place) -> String {
    let mut lines = Vec::new();
    lines.extend(ending.reason.as_deref().map(|reason| short(reason, LINES)));
    lines.extend(ending.said.as_deref().map(|said| short(said, LINES)));
    lines.push(asked(run, place));
    lines.retain(|line| !line.is_empty());
    lines.join("\n")
}

/// `Run 42, asked for by root (cli), began Tue 17 Feb 2026 01:00 CET and took 05:06.`
fn asked(run: &RunRecord, place: &Place) -> String {
    let mut sentence = format!(
        "Run {}, asked for by {} ({})",
        run.called(),
        run.asked.by,
        run.asked.way
    );
    if let Some(began) = run.started_at {
        sentence = format!("{sentence}, began {}", place.local(began));
        if let Some(ended) = run.ended_at {
            let took = ended.duration_since(began).unsigned_abs();
            sentence = format!("{sentence} and took {}", words::span(took));
        }
    }
    format!("{sentence}.")
}

/// The first lines of a text.
fn short(text: &str, most: usize) -> String {
    let lines = text.lines().count();
    let kept: Vec<&str> = text.lines().take(most).collect();
    let mut kept: String = kept.join("\n");
    if kept.chars().count() > CHARACTERS {
        kept = kept.chars().take(CHARACTERS).collect();
        kept.push('…');
    } else if lines > most {
        kept = format!("{kept}\n… and {} lines more", lines - most);
    }
    kept
}

/// A scheduled job has not succeeded in time.
pub fn overdue(job: &str, since: Timestamp, reason: &str, place: &Place, now: Timestamp) -> Notice {
    let title = format!("{} is OVERDUE: {}", job_word(job), place.name(None));
    let text = format!("It was due at {}: {}.", place.local(since), short(reason, LINES));
    let key = format!("overdue:{job}:{}", since.as_second());
    let hint = format!(
        "look whether the service runs (`stillpoint healthcheck`) and at its last runs (`stillpoint runs ls`); \
         `stillpoint schedules off {job}` says that it is not to come"
    );
    Notice {
        job: Some(job.to_owned()),
        hint: Some(hint),
        link: place.link("/schedules"),
        ..place.notice(key, NoticeKind::Overdue, now, title, text)
    }
}

/// Whether jobs are overdue cannot be told any more. `since` is when that was noticed first.
pub fn unreadable(why: &str, place: &Place, since: Timestamp) -> Notice {
    let title = format!("Nobody can tell what is overdue: {}", place.name(None));
    let hint = "look at the state directory: its disk, its owner; backups and restores go on without a history";
    Notice {
        hint: Some(hint.to_owned()),
        ..place.notice(
            format!("unreadable:{}", since.as_second()),
            NoticeKind::Failed,
            since,
            title,
            short(why, LINES),
        )
    }
}

/// What a run that died has left down could not be brought back. `since` tells this from another time.
pub fn not_recovered(why: &str, hint: &str, place: &Place, since: Timestamp) -> Notice {
    let title = format!("What a dead run left down is NOT BACK: {}", place.name(None));
    let key = format!("recovery:{}:{}", place.host, since.as_second());
    Notice {
        hint: Some(hint.to_owned()).filter(|hint| !hint.is_empty()),
        ..place.notice(key, NoticeKind::NotBack, since, title, short(why, LINES))
    }
}

/// A week in a few lines. `jobs` are those that come by themselves: how each stands, in words.
pub fn digest(runs: &[RunRecord], jobs: &[(String, String)], from: Timestamp, to: Timestamp, place: &Place) -> Notice {
    let within: Vec<&RunRecord> = runs
        .iter()
        .filter(|run| run.ended_at.is_some_and(|ended| from < ended && ended <= to))
        .collect();
    let bad = |run: &&&RunRecord| run.state == RunState::Failure;
    let failed = within.iter().filter(bad).count();
    let mut names: Vec<&str> = within.iter().map(|run| run.job.as_str()).collect();
    names.extend(jobs.iter().map(|(job, _)| job.as_str()));
    names.sort_unstable();
    names.dedup();
    let mut lines = Vec::new();
    for name in names {
        let of_job = |is: RunState| within.iter().filter(|run| run.job == name && run.state == is).count();
        let mut line = format!("{}: {} succeeded", job_word(name), of_job(RunState::Success));
        for (state, word) in [
            (RunState::Degraded, "degraded"),
            (RunState::Failure, "failed"),
            (RunState::Canceled, "cancelled"),
        ] {
            match of_job(state) {
                0 => {}
                count => line = format!("{line}, {count} {word}"),
            }
        }
        if let Some((_, standing)) = jobs.iter().find(|(job, _)| job == name) {
            line = format!("{line}; {standing}");
        }
        lines.push(line);
    }
    if lines.is_empty() {
        lines.push("Nothing ran, and nothing is to come by itself.".to_owned());
    }
    let verdict = match failed {
        0 => "nothing failed".to_owned(),
        1 => "1 run failed".to_owned(),
        many => format!("{many} runs failed"),
    };
    let title = format!("The week until {}: {verdict}: {}", place.local(to), place.name(None));
    Notice {
        link: place.link("/"),
        ..place.notice(
            format!("digest:{}", to.as_second()),
            NoticeKind::Digest,
            to,
            title,
            lines.join("\n"),
        )
    }
}

/// What `notify test` sends. It is no notice that is noted.
pub fn test(place: &Place, now: Timestamp) -> Notice {
    let title = format!("A test: {}", place.name(None));
    let text = format!(
        "Somebody wanted to see whether notices arrive here. This one was sent {}. Nothing has happened.",
        place.local(now)
    );
    let key = format!("test:{}:{}", place.host, now.as_nanosecond());
    Notice {
        link: place.link("/notices"),
        ..place.notice(key, NoticeKind::Test, now, title, text)
    }
}
