//! A restore that is asked for in two steps: first what it would do, then that it is meant.

use std::sync::Arc;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};
use stillpoint_core::engine::restore::Rehearsed;
use stillpoint_core::operations::Restore;

use super::Problem;

/// A restore that is planned. It has no effect.
#[derive(Clone, Debug, Serialize)]
pub struct RestorePlan {
    /// Its id.
    pub id: String,
    /// What is to be restored.
    pub restore: Restore,
    /// The same from the command line.
    pub command: String,
    /// Since when it is looked at.
    pub since: Timestamp,
    /// How far that is.
    pub state: PlanState,
    /// Why it was refused.
    pub problem: Option<Problem>,
    /// What it would do.
    #[serde(serialize_with = "as_document")]
    pub rehearsed: Option<Arc<Rehearsed>>,
    /// What has to be sent back to carry it out, once, by who asked for the plan.
    pub confirmation: Option<String>,
    /// Until when.
    pub expires: Option<Timestamp>,
}

/// How far a plan is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum PlanState {
    /// The backup is read, the stores are asked.
    Checking,
    /// It could not succeed.
    Refused,
    /// It can be carried out.
    Ready,
}

/// That a plan is meant.
#[derive(Clone, Debug, Deserialize)]
pub struct Confirmed {
    /// The plan's confirmation.
    pub confirmation: String,
    /// The backup's id once more, as its operator has typed it.
    pub backup: String,
}

fn as_document<S: Serializer>(rehearsed: &Option<Arc<Rehearsed>>, serializer: S) -> Result<S::Ok, S::Error> {
    rehearsed.as_deref().serialize(serializer)
}
