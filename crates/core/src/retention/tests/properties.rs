//! What holds for every repository, every policy and every moment.

use std::collections::{BTreeMap, BTreeSet};

use jiff::ToSpan;
use proptest::prelude::*;

use super::histories::{History, history, periods};
use super::*;

/// A failing case is printed as small as it can be made, and becomes an example in `rules.rs`: no files of
/// seeds beside the code.
fn config() -> ProptestConfig {
    ProptestConfig {
        failure_persistence: None,
        cases: 1000,
        ..ProptestConfig::default()
    }
}

fn kept(history: &History) -> BTreeSet<BackupId> {
    history.plan().kept().collect()
}

fn gone(history: &History) -> BTreeSet<BackupId> {
    history.plan().gone().collect()
}

/// What goes, with what it was.
fn going(history: &History) -> impl Iterator<Item = Entry> {
    let gone = gone(history);
    history
        .entries
        .clone()
        .into_iter()
        .filter(move |entry| gone.contains(&entry.id))
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn everything_that_was_given_has_one_verdict_and_nothing_else(history in history()) {
        let given: Vec<BackupId> = history.entries.iter().map(|entry| entry.id).collect();
        let plan = history.plan();
        let judged: Vec<BackupId> = plan.verdicts.iter().map(|verdict| verdict.id).collect();
        prop_assert_eq!(&judged, &given);
        let mut parts: Vec<BackupId> = plan.kept().chain(plan.gone()).collect();
        parts.sort();
        prop_assert_eq!(parts, given);
    }

    #[test]
    fn never_fewer_complete_ones_stay_than_the_minimum(history in history()) {
        let (kept, countable) = (kept(&history), history.countable());
        let staying = countable.iter().filter(|id| kept.contains(id)).count();
        let minimum = usize::try_from(history.policy.minimum)?;
        prop_assert!(staying >= minimum.min(countable.len()));
    }

    #[test]
    fn the_newest_complete_one_stays(history in history()) {
        if let Some(newest) = history.countable().first() {
            prop_assert!(kept(&history).contains(newest));
        }
    }

    #[test]
    fn no_complete_one_goes_while_an_older_one_that_counts_stays(history in history()) {
        let history = history.without_periods();
        let kept = kept(&history);
        let fates: Vec<bool> = history.countable().iter().map(|id| kept.contains(id)).collect();
        prop_assert!(fates.is_sorted_by(|newer, older| newer >= older), "{fates:?}");
    }

    #[test]
    fn nothing_goes_before_its_time(history in history()) {
        for entry in going(&history) {
            let (since, limit) = match entry.standing {
                Standing::HalfDeleted => continue,
                Standing::Torso { written, .. } => (written, REMAINS_STAY),
                Standing::Partial => (entry.id.timestamp(), REMAINS_STAY),
                _ => (entry.id.timestamp(), hours(24 * i64::from(history.policy.days))),
            };
            prop_assert!(since + limit <= history.now, "{entry:?}");
        }
    }

    #[test]
    fn whatever_is_old_and_above_the_minimum_goes(history in history()) {
        let history = history.without_periods();
        let limit = hours(24 * i64::from(history.policy.days));
        let spared = usize::try_from(history.policy.minimum)?.max(1);
        let gone = gone(&history);
        for id in history.countable().into_iter().skip(spared) {
            prop_assert_eq!(gone.contains(&id), id.timestamp() + limit <= history.now, "{}", id);
        }
    }

    /// Found another way than the rules do: period by period.
    #[test]
    fn of_days_weeks_months_and_years_the_newest_stays_and_no_other_for_their_sake(history in history()) {
        let Periods { daily, weekly, monthly, yearly } = history.policy.periods;
        let date = |id: &BackupId| id.timestamp().to_zoned(jiff::tz::TimeZone::UTC).date();
        let monday = |id: &BackupId| date(id).saturating_sub(i64::from(date(id).weekday().to_monday_zero_offset()).days());
        let text = |date: jiff::civil::Date, length: usize| date.to_string()[..length].to_owned();
        let mut wanted: BTreeSet<BackupId> = kept(&history.clone().without_periods());
        for (keep, length, weeks) in [(daily, 10, false), (weekly, 10, true), (monthly, 7, false), (yearly, 4, false)] {
            let mut newest: BTreeMap<String, BackupId> = BTreeMap::new();
            for id in history.countable() {
                let period = text(if weeks { monday(&id) } else { date(&id) }, length);
                newest.entry(period).or_insert(id);
            }
            wanted.extend(newest.into_values().rev().take(usize::try_from(keep)?));
        }
        prop_assert_eq!(kept(&history), wanted);
    }

    #[test]
    fn what_dead_and_failed_runs_left_goes_after_a_day_but_for_the_newest_partial(history in history()) {
        let gone = gone(&history);
        let day_is_over = |since: Timestamp| since + REMAINS_STAY <= history.now;
        let own = history.entries.iter().filter(|entry| entry.exempt.is_none());
        let newest = own
            .clone()
            .filter(|entry| entry.standing == Standing::Partial)
            .map(|entry| entry.id)
            .rfind(|id| id.timestamp() <= history.now + CLOCK_TOLERANCE);
        for entry in own {
            let goes = match entry.standing {
                Standing::Partial => newest != Some(entry.id) && day_is_over(entry.id.timestamp()),
                Standing::Torso { written, held } => !held && day_is_over(written),
                Standing::HalfDeleted => true,
                _ => continue,
            };
            prop_assert_eq!(gone.contains(&entry.id), goes, "{:?}", entry);
        }
    }

    #[test]
    fn what_is_protected_held_or_of_a_newer_format_never_goes(history in history()) {
        for entry in going(&history).filter(|entry| entry.standing != Standing::HalfDeleted) {
            prop_assert_eq!(entry.exempt, None);
            prop_assert_ne!(entry.standing, Standing::Unusable { newer: true });
            let is_held = matches!(entry.standing, Standing::Torso { held: true, .. });
            prop_assert!(!is_held, "{:?}", entry);
        }
    }

    #[test]
    fn a_repository_is_never_emptied_of_what_could_be_restored(history in history()) {
        let could = |entry: &Entry| matches!(
            entry.standing,
            Standing::Complete | Standing::FailedVerification | Standing::Unusable { .. }
        );
        let kept = kept(&history);
        let before = history.entries.iter().any(could);
        let after = history.entries.iter().any(|entry| could(entry) && kept.contains(&entry.id));
        prop_assert_eq!(before, after);
    }

    #[test]
    fn what_does_not_count_has_no_say_in_which_complete_ones_stay(history in history()) {
        let countable: BTreeSet<BackupId> = history.countable().into_iter().collect();
        let alone = history.without(|id| !countable.contains(&id));
        let stay: BTreeSet<BackupId> = kept(&history).intersection(&countable).copied().collect();
        prop_assert_eq!(stay, kept(&alone));
    }

    #[test]
    fn the_order_in_which_directories_are_found_changes_nothing(
        (history, shuffled) in history().prop_flat_map(|history| {
            let shuffled = Just(history.entries.clone()).prop_shuffle();
            (Just(history), shuffled)
        })
    ) {
        prop_assert_eq!(history.plan(), history.with(shuffled).plan());
    }

    #[test]
    fn a_plan_that_was_carried_out_leaves_nothing_to_do(history in history()) {
        let gone = gone(&history);
        let rest = history.without(|id| gone.contains(&id));
        prop_assert_eq!(rest.plan().gone().count(), 0);
    }

    /// Deleting goes through `gone()` in its order; a death leaves the one at hand half deleted.
    #[test]
    fn a_prune_that_died_is_finished_by_the_next(history in history(), at in any::<prop::sample::Index>()) {
        let order: Vec<BackupId> = history.plan().gone().collect();
        prop_assume!(!order.is_empty());
        let at = at.index(order.len());
        let mut rest = history.without(|id| order[..at].contains(&id));
        for entry in rest.entries.iter_mut().filter(|entry| entry.id == order[at]) {
            entry.standing = Standing::HalfDeleted;
        }
        prop_assert_eq!(kept(&rest), kept(&history));
    }

    #[test]
    fn what_goes_today_goes_tomorrow_too(history in history(), seconds in 0..1000 * 86_400_i64) {
        let later = History { now: history.now + SignedDuration::from_secs(seconds), ..history.clone() };
        prop_assert!(gone(&history).is_subset(&gone(&later)));
    }

    #[test]
    fn a_stricter_policy_spares_nothing_that_a_milder_one_takes(
        history in history(),
        days in 0..10_u32,
        minimum in 0..5_u32,
        more in periods(),
    ) {
        let Policy { days: fewer, minimum: lower, periods: few } = history.policy;
        let periods = Periods {
            daily: few.daily + more.daily,
            weekly: few.weekly + more.weekly,
            monthly: few.monthly + more.monthly,
            yearly: few.yearly + more.yearly,
        };
        let policy = Policy { days: fewer + days, minimum: lower + minimum, periods };
        let milder = History { policy, ..history.clone() };
        prop_assert!(gone(&milder).is_subset(&gone(&history)));
    }
}
