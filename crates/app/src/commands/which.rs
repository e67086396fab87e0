//! Which backup is meant: the one with an id, the latest, or the last one before a moment. What `latest` or a moment has come to
//! mean is always told, and whatever replaces data is confirmed by the id.

use std::str::FromStr;

use jiff::civil::{Date, DateTime};
use jiff::{Span, Timestamp, Zoned};
use stillpoint_core::names::{BackupId, Project};
use stillpoint_core::operations::{Newest, Operations};

use crate::config::Config;
use crate::display::{print, words};
use crate::failure::Failure;

/// The word for the newest backup that is complete and not known to be damaged.
const LATEST: &str = "latest";

/// What `--at` takes, for messages.
const MOMENTS: &str = "a moment looks like 2026-02-17T08:00:00Z, `2026-02-17 08:00` (this host's time zone), 2026-02-17 (the end of \
                       that day), `yesterday`, or `2 days ago`";

/// A backup, as it is named on the command line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    /// This one.
    Id(BackupId),
    /// The newest that is complete and not known to be damaged.
    Latest,
}

impl FromStr for Named {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if text == LATEST {
            return Ok(Self::Latest);
        }
        let id = text.parse::<BackupId>().map(Self::Id);
        id.map_err(|error| format!("{error}, or `{LATEST}`"))
    }
}

/// A moment that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Moment(Timestamp);

impl FromStr for Moment {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        moment(text, &Zoned::now()).map(Self)
    }
}

/// Exactly one backup.
#[derive(clap::Args, Clone, Copy, Debug)]
pub(super) struct Wanted {
    /// The backup's id, as `stillpoint backups ls` shows it, or `latest`: the newest that is complete and not known to be damaged
    #[arg(required_unless_present = "at", value_name = "ID|latest")]
    pub(super) backup: Option<Named>,

    /// In place of an id: the last backup begun at this time or before, as `2026-02-17 08:00` or `2 days ago`; a day alone
    /// means its end
    #[arg(long, value_name = "TIME", conflicts_with = "backup")]
    pub(super) at: Option<Moment>,
}

impl Wanted {
    /// The id of the backup; of this platform's where one is given.
    pub(super) async fn id(
        self,
        config: &Config,
        operations: &impl Operations,
        of: Option<&Project>,
    ) -> Result<BackupId, Failure> {
        match (self.backup, self.at) {
            (Some(named), _) => named.id(config, operations, of).await,
            (None, Some(at)) => at.id(config, operations, of).await,
            (None, None) => Err(Failure::usage(
                "no backup was named",
                "`stillpoint backups ls` lists them; `latest` is the newest",
            )),
        }
    }
}

impl Named {
    /// The id of the backup.
    pub(super) async fn id(
        self,
        config: &Config,
        operations: &impl Operations,
        of: Option<&Project>,
    ) -> Result<BackupId, Failure> {
        match self {
            Self::Id(id) => Ok(id),
            Self::Latest => resolved(config, operations, None, of).await,
        }
    }
}

impl Moment {
    /// The id of the last backup that was begun by then.
    pub(super) async fn id(
        self,
        config: &Config,
        operations: &impl Operations,
        of: Option<&Project>,
    ) -> Result<BackupId, Failure> {
        resolved(config, operations, Some(self.0), of).await
    }
}

async fn resolved(
    config: &Config,
    operations: &impl Operations,
    at: Option<Timestamp>,
    of: Option<&Project>,
) -> Result<BackupId, Failure> {
    let list = operations.list().await?;
    let of = of.cloned().or_else(|| config.project());
    let Newest { backup, passed_over } = list.newest(at, of.as_ref());
    for (id, why) in passed_over {
        print::error(&format!("warning: {id} is newer and is passed over: {why}"));
    }
    let Some(id) = backup else {
        let of = of.map_or_else(String::new, |of| format!(" of platform {of}"));
        let until = at.map_or_else(String::new, |at| format!(" until {}", words::local(at)));
        return Err(Failure::NoBackup(format!(
            "there is no complete backup{of}{until} in {}",
            list.place
        )));
    };
    let asked = at.map_or_else(
        || "The latest backup".to_owned(),
        |at| format!("The last backup until {}", words::local(at)),
    );
    print::error(&format!("{asked} is {id} ({}).", words::local(id.timestamp())));
    Ok(id)
}

/// The moment that a text means, seen from `now`.
fn moment(text: &str, now: &Zoned) -> Result<Timestamp, String> {
    let text = text.trim();
    let found = read(text, now).ok_or_else(|| format!("`{text}` is no moment: {MOMENTS}"))?;
    if found > now.timestamp() {
        // A day's end is not over before the day is: all of it until now is meant.
        let is_today = Date::strptime("%Y-%m-%d", text).is_ok_and(|day| day == now.date());
        return if is_today {
            Ok(now.timestamp())
        } else {
            Err(format!("`{text}` is in the future: {MOMENTS}"))
        };
    }
    Ok(found)
}

fn read(text: &str, now: &Zoned) -> Option<Timestamp> {
    let end_of = |day: Date| {
        let end = day.at(23, 59, 59, 999_999_999).to_zoned(now.time_zone().clone()).ok();
        end.map(|end| end.timestamp())
    };
    match text {
        "now" => return Some(now.timestamp()),
        "yesterday" => return end_of(now.date().yesterday().ok()?),
        _ => {}
    }
    if let Ok(id) = text.parse::<BackupId>() {
        return Some(id.timestamp());
    }
    if let Ok(day) = Date::strptime("%Y-%m-%d", text) {
        return end_of(day);
    }
    if let Ok(instant) = text.parse::<Timestamp>() {
        return Some(instant);
    }
    if let Ok(local) = text.parse::<DateTime>() {
        return Some(local.to_zoned(now.time_zone().clone()).ok()?.timestamp());
    }
    // A span that is not said to be over would lead into the future.
    let ago: Span = text.parse().ok().filter(|span: &Span| span.is_negative())?;
    Some(now.checked_add(ago).ok()?.timestamp())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A Tuesday noon in winter, an hour east of UTC.
    fn now() -> Zoned {
        "2026-02-17T12:00:00+01:00[Europe/Zurich]".parse().unwrap()
    }

    #[test]
    fn a_moment_is_read_as_people_and_programs_write_it() {
        for (text, means) in [
            ("2026-02-16T08:00:00Z", "2026-02-16T08:00:00Z"),
            ("2026-02-16T08:00:00+01:00", "2026-02-16T07:00:00Z"),
            ("2026-02-16 08:00", "2026-02-16T07:00:00Z"),
            ("2026-02-16T08:00:30", "2026-02-16T07:00:30Z"),
            ("2026-02-16", "2026-02-16T22:59:59.999999999Z"),
            ("yesterday", "2026-02-16T22:59:59.999999999Z"),
            // Of today all that is over.
            ("2026-02-17", "2026-02-17T11:00:00Z"),
            ("2026-02-16_08-00-00", "2026-02-16T08:00:00Z"),
            ("2 days ago", "2026-02-15T11:00:00Z"),
            ("3 hours ago", "2026-02-17T08:00:00Z"),
            ("1 week ago", "2026-02-10T11:00:00Z"),
            ("now", "2026-02-17T11:00:00Z"),
        ] {
            assert_eq!(
                moment(text, &now()).map(|at| at.to_string()),
                Ok(means.to_owned()),
                "{text}"
            );
        }
    }

    #[test]
    fn a_day_ago_is_a_day_of_the_calendar_also_where_clocks_change() {
        let after: Zoned = "2026-03-29T12:00:00+02:00[Europe/Zurich]".parse().unwrap();
        let before = moment("1 day ago", &after).unwrap();
        assert_eq!(before.to_string(), "2026-03-28T11:00:00Z");
    }

    #[test]
    fn what_is_no_moment_or_is_not_over_is_refused() {
        for text in ["", "soon", "2 days", "tomorrow", "08:00", "2026-02-30", "17.02.2026"] {
            let refused = moment(text, &now()).unwrap_err();
            assert!(
                refused.contains("is no moment") && refused.contains("2 days ago"),
                "{text}: {refused}"
            );
        }
        for text in ["2026-02-18", "2026-02-17 12:01", "2026-02-17T11:00:01Z"] {
            let refused = moment(text, &now()).unwrap_err();
            assert!(refused.contains("is in the future"), "{text}: {refused}");
        }
    }

    #[test]
    fn a_backup_is_named_by_its_id_or_as_the_latest() {
        assert_eq!("latest".parse(), Ok(Named::Latest));
        let id: BackupId = "2026-02-17_00-00-00".parse().unwrap();
        assert_eq!("2026-02-17_00-00-00".parse(), Ok(Named::Id(id)));
        let refused = "newest".parse::<Named>().unwrap_err();
        assert!(
            refused.contains("is not a backup id") && refused.contains("`latest`"),
            "{refused}"
        );
    }
}
