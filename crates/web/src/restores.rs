//! Restores that are planned and not yet meant. A plan is looked at in the background, for all of the backup is read. Then it
//! can be confirmed once, for five minutes, by who asked for it. Plans are kept in memory: a service that ends forgets them.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use jiff::{SignedDuration, Timestamp};
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::engine::restore::Rehearsed;
use stillpoint_core::operations::Restore;
use stillpoint_core::ports::history::Way;

use crate::auth::{Who, refusals, secrets};
use crate::platform::Platform;
use crate::wire::Problem;
use crate::wire::restores::{Confirmed, PlanState, RestorePlan};

/// So long a plan can be confirmed.
const VALID: SignedDuration = SignedDuration::from_mins(5);

/// So many are kept.
const KEPT: usize = 32;

/// So many are looked at side by side: each reads a whole backup.
const LOOKED_AT: usize = 2;

/// The plans there are.
#[derive(Default)]
pub(crate) struct Plans(Mutex<Vec<Planned>>);

/// One of them, and whose it is.
struct Planned {
    owner: (String, Way),
    plan: RestorePlan,
}

impl Plans {
    /// Begins to look at a restore.
    pub(crate) fn begin(
        self: &Arc<Self>,
        platform: Arc<dyn Platform>,
        what: Restore,
        who: &Who,
    ) -> Result<RestorePlan, Problem> {
        let now = platform.now();
        let plan = self.add(what, who, now)?;
        let (plans, id, what) = (self.clone(), plan.id.clone(), plan.restore.clone());
        let (looking, clock) = (platform.clone(), platform);
        let looked = tokio::spawn(async move { looking.rehearse(what).await });
        tokio::spawn(async move {
            // One that dies must not be looked at for ever: only so many are at a time.
            let looked = looked.await.unwrap_or_else(|_| Err(refusals::died()));
            plans.looked(&id, looked, clock.now());
        });
        Ok(plan)
    }

    fn add(&self, restore: Restore, who: &Who, now: Timestamp) -> Result<RestorePlan, Problem> {
        let mut planned = self.lock();
        let looked_at = planned
            .iter()
            .filter(|planned| planned.plan.state == PlanState::Checking);
        if looked_at.count() >= LOOKED_AT {
            return Err(too_many());
        }
        planned.retain(|planned| !is_expired(&planned.plan, now));
        if planned.len() >= KEPT {
            planned.remove(0);
        }
        let plan = RestorePlan {
            id: secrets::mark(),
            command: restore.selection.command(restore.backup),
            restore,
            since: now,
            state: PlanState::Checking,
            problem: None,
            rehearsed: None,
            confirmation: None,
            expires: None,
        };
        planned.push(Planned {
            owner: owner(who),
            plan: plan.clone(),
        });
        Ok(plan)
    }

    fn looked(&self, id: &str, looked: Result<Rehearsed, Problem>, now: Timestamp) {
        let mut planned = self.lock();
        let Some(Planned { plan, .. }) = planned.iter_mut().find(|planned| planned.plan.id == id) else {
            return;
        };
        match looked {
            Ok(rehearsed) => {
                plan.state = PlanState::Ready;
                plan.rehearsed = Some(Arc::new(rehearsed));
                plan.confirmation = Some(secrets::fresh());
            }
            Err(problem) => {
                plan.state = PlanState::Refused;
                plan.problem = Some(problem);
            }
        }
        plan.expires = Some(now + VALID);
    }

    /// The plan with this id, for who asked for it.
    pub(crate) fn find(&self, id: &str, who: &Who, now: Timestamp) -> Result<RestorePlan, Problem> {
        let planned = self.lock();
        let found = planned
            .iter()
            .find(|planned| planned.plan.id == id && planned.owner == owner(who));
        let found = found.ok_or_else(unknown)?;
        if is_expired(&found.plan, now) {
            return Err(expired());
        }
        Ok(found.plan.clone())
    }

    /// What is to be restored, now that it is meant. The plan is gone then.
    pub(crate) fn confirm(&self, id: &str, who: &Who, said: &Confirmed, now: Timestamp) -> Result<Restore, Problem> {
        let plan = self.find(id, who, now)?;
        let Some(confirmation) = &plan.confirmation else {
            return Err(not_ready());
        };
        if !is_same(confirmation, &said.confirmation) {
            return Err(foreign());
        }
        if said.backup.trim() != plan.restore.backup.to_string() {
            return Err(mistyped(said.backup.trim(), &plan.restore.backup.to_string()));
        }
        let mut planned = self.lock();
        let place = planned.iter().position(|planned| planned.plan.id == id);
        // Somebody may have been faster.
        let place = place.ok_or_else(unknown)?;
        Ok(planned.remove(place).plan.restore)
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Planned>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn owner(who: &Who) -> (String, Way) {
    (who.name.clone(), who.way)
}

fn is_expired(plan: &RestorePlan, now: Timestamp) -> bool {
    plan.expires.is_some_and(|expires| expires <= now)
}

/// Takes as long for a text that is nearly right as for any other of its length.
fn is_same(one: &str, other: &str) -> bool {
    let differing = one
        .bytes()
        .zip(other.bytes())
        .fold(0, |differing, (a, b)| differing | (a ^ b));
    one.len() == other.len() && differing == 0
}

fn problem(title: &str, hint: &str, status: u16, exit: Exit) -> Problem {
    Problem {
        title: title.to_owned(),
        hint: hint.to_owned(),
        status,
        exit: exit as u8,
    }
}

fn unknown() -> Problem {
    problem(
        "there is no such plan of yours, or it was carried out already",
        "look whether its run is among the runs; otherwise plan the restore anew",
        404,
        Exit::NotFound,
    )
}

fn expired() -> Problem {
    problem(
        "the plan is older than five minutes: what it says may not be so any more",
        "plan the restore anew; nothing was changed",
        410,
        Exit::Usage,
    )
}

fn foreign() -> Problem {
    problem(
        "the confirmation is not that of this plan",
        "send what the plan says, or plan the restore anew; nothing was changed",
        403,
        Exit::Usage,
    )
}

fn not_ready() -> Problem {
    problem(
        "the plan cannot be confirmed: it is still looked at, or was refused",
        "look at the plan; nothing was changed",
        409,
        Exit::Held,
    )
}

fn too_many() -> Problem {
    problem(
        "other restores are being looked at, and each reads a whole backup",
        "try again when they are done",
        429,
        Exit::Held,
    )
}

fn mistyped(typed: &str, wanted: &str) -> Problem {
    Problem {
        title: format!("`{typed}` is not {wanted}: nothing was done"),
        hint: "type the backup's id as it stands on the page".to_owned(),
        status: 422,
        exit: Exit::Usage as u8,
    }
}

/// The platform's name, once more.
pub(crate) fn must_be(typed: &str, platform: &str, hint: &str) -> Result<(), Problem> {
    if typed.trim() == platform {
        return Ok(());
    }
    Err(Problem {
        title: format!("`{}` is not {platform}: nothing was done", typed.trim()),
        hint: hint.to_owned(),
        status: 422,
        exit: Exit::Usage as u8,
    })
}

#[cfg(test)]
mod tests {
    use stillpoint_core::engine::restore::Origin;
    use stillpoint_core::names::{BackupId, Project};

    use super::*;
    use crate::auth::Role;

    const BACKUP: &str = "2026-03-14_00-00-00";

    fn now() -> Timestamp {
        "2026-03-14T07:12:00Z".parse().unwrap()
    }

    fn anna() -> Who {
        Who {
            name: "anna".to_owned(),
            ..Who::local()
        }
    }

    fn restore() -> Restore {
        Restore::from(BACKUP.parse::<BackupId>().unwrap())
    }

    fn ready(plans: &Plans) -> RestorePlan {
        let plan = plans.add(restore(), &anna(), now()).unwrap();
        let rehearsed = Rehearsed {
            backup: plan.restore.backup,
            platform: Project::new("acme"),
            origin: Origin::default(),
            stores: Vec::new(),
            workloads: Vec::new(),
            logins: Vec::new(),
        };
        plans.looked(&plan.id, Ok(rehearsed), now());
        plans.find(&plan.id, &anna(), now()).unwrap()
    }

    fn said(plan: &RestorePlan) -> Confirmed {
        Confirmed {
            confirmation: plan.confirmation.clone().unwrap(),
            backup: BACKUP.to_owned(),
        }
    }

    fn status<T: std::fmt::Debug>(refused: Result<T, Problem>) -> u16 {
        refused.unwrap_err().status
    }

    #[test]
    fn a_plan_is_carried_out_once() {
        let plans = Plans::default();
        let plan = ready(&plans);
        let done = plans.confirm(&plan.id, &anna(), &said(&plan), now()).unwrap();
        assert_eq!(done, restore());
        assert_eq!(status(plans.confirm(&plan.id, &anna(), &said(&plan), now())), 404);
    }

    #[test]
    fn nobody_else_sees_or_confirms_a_plan() {
        let plans = Plans::default();
        let plan = ready(&plans);
        let others = [
            Who {
                name: "bert".to_owned(),
                role: Role::Admin,
                way: anna().way,
            },
            Who {
                way: Way::Api,
                ..anna()
            },
        ];
        for other in others {
            assert_eq!(status(plans.find(&plan.id, &other, now())), 404);
            assert_eq!(status(plans.confirm(&plan.id, &other, &said(&plan), now())), 404);
        }
        assert!(plans.confirm(&plan.id, &anna(), &said(&plan), now()).is_ok());
    }

    #[test]
    fn the_confirmation_of_another_plan_is_refused_and_the_plan_stays() {
        let plans = Plans::default();
        let (plan, other) = (ready(&plans), ready(&plans));
        assert_eq!(status(plans.confirm(&plan.id, &anna(), &said(&other), now())), 403);
        for guess in ["", "0", &"0".repeat(64)] {
            let guessed = Confirmed {
                confirmation: guess.to_owned(),
                ..said(&plan)
            };
            assert_eq!(status(plans.confirm(&plan.id, &anna(), &guessed, now())), 403);
        }
        assert!(plans.confirm(&plan.id, &anna(), &said(&plan), now()).is_ok());
    }

    #[test]
    fn another_id_than_that_of_the_backup_is_refused() {
        let plans = Plans::default();
        let plan = ready(&plans);
        for typed in ["", "2026-03-13_00-00-00", "acme"] {
            let mistyped = Confirmed {
                backup: typed.to_owned(),
                ..said(&plan)
            };
            assert_eq!(status(plans.confirm(&plan.id, &anna(), &mistyped, now())), 422);
        }
    }

    #[test]
    fn after_five_minutes_a_plan_is_worth_nothing() {
        let plans = Plans::default();
        let plan = ready(&plans);
        let nearly = now() + SignedDuration::from_secs(299);
        assert!(plans.find(&plan.id, &anna(), nearly).is_ok());
        let later = now() + VALID;
        assert_eq!(status(plans.confirm(&plan.id, &anna(), &said(&plan), later)), 410);
    }

    #[test]
    fn a_plan_that_is_looked_at_or_was_refused_cannot_be_confirmed() {
        let plans = Plans::default();
        let plan = plans.add(restore(), &anna(), now()).unwrap();
        let guess = Confirmed {
            confirmation: String::new(),
            backup: BACKUP.to_owned(),
        };
        assert_eq!(status(plans.confirm(&plan.id, &anna(), &guess, now())), 409);
        plans.looked(&plan.id, Err(expired()), now());
        assert_eq!(status(plans.confirm(&plan.id, &anna(), &guess, now())), 409);
    }

    #[test]
    fn few_are_looked_at_side_by_side_and_few_are_kept() {
        let plans = Plans::default();
        for _ in 0..LOOKED_AT {
            plans.add(restore(), &anna(), now()).unwrap();
        }
        assert_eq!(status(plans.add(restore(), &anna(), now())), 429);
        let plans = Plans::default();
        let first = ready(&plans);
        for _ in 0..KEPT {
            ready(&plans);
        }
        assert_eq!(plans.lock().len(), KEPT);
        assert_eq!(status(plans.find(&first.id, &anna(), now())), 404);
    }
}
