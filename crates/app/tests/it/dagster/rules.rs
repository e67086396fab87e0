//! What a cleanup deletes and what it keeps, as one condition from which each rule can be taken away. Written beside the product, not
//! taken from it: it says what the judge has to find.

use stillpoint_testkit::dagster::Line;

/// A rule that keeps rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Rule {
    /// Everything of a run that has not ended.
    Unfinished,
    /// The newest that was planned for an asset without partitions.
    NewestPlanned,
    /// The newest that was planned for a partition.
    NewestPlannedForPartition,
    /// Outputs of runs without success: they are taken up again from their failure.
    Outputs,
    /// Why a run crashed.
    Crashes,
}

/// Each with what is seen without it.
pub(super) const RULES: [(Rule, &[&str]); 5] = [
    (
        Rule::Unfinished,
        &["the log of a run that is STARTED has lost LOG INFO: restores held"],
    ),
    (
        Rule::NewestPlanned,
        &[
            "latest/assetsLatestInfo/fails/latestRun",
            "latest/assetsLatestInfo/made/latestRun",
        ],
    ),
    (
        Rule::NewestPlannedForPartition,
        &[
            "partition by_day 2024-03-03/assetNodeOrError/latestRunForPartition",
            "partition by_day 2024-03-04/assetNodeOrError/latestRunForPartition",
            "assets/assetNodes/by_day/partitionStats/numFailed",
        ],
    ),
    (
        Rule::Outputs,
        &[
            "the log of a run that is FAILURE has lost STEP_OUTPUT",
            "cannot be taken up again",
        ],
    ),
    (
        Rule::Crashes,
        &["has lost ENGINE_EVENT INFO: [DagsterApiServer] Run execution process"],
    ),
];

const ENDED: &str = "run_id not in (select run_id from runs where status not in ('SUCCESS', 'FAILURE', 'CANCELED'))";
const SUCCEEDED: &str = "run_id not in (select run_id from runs where status <> 'SUCCESS')";

/// The events that may go, without one rule or with all.
pub(super) fn without(rule: Option<Rule>) -> String {
    let unless = |which: Rule, condition: &'static str| if rule == Some(which) { "true" } else { condition };
    let newer = "exists (select from event_logs newer where newer.asset_key = event_logs.asset_key
        and newer.dagster_event_type = event_logs.dagster_event_type
        and newer.partition is not distinct from event_logs.partition and newer.id > event_logs.id)";
    format!(
        "{ended} and case
            when dagster_event_type is null then substring(event from '\"level\": ([0-9]+)') in ('10', '20', '30')
            when dagster_event_type in ('HANDLED_OUTPUT', 'LOADED_INPUT') then true
            when dagster_event_type = 'STEP_OUTPUT' then {outputs}
            when dagster_event_type = 'ENGINE_EVENT' then {crashes}
            when dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED' and partition is null then {planned}
            when dagster_event_type = 'ASSET_MATERIALIZATION_PLANNED' then {for_partition}
            else false end",
        ended = unless(Rule::Unfinished, ENDED),
        outputs = unless(Rule::Outputs, SUCCEEDED),
        crashes = unless(Rule::Crashes, SUCCEEDED),
        planned = unless(Rule::NewestPlanned, newer),
        for_partition = unless(Rule::NewestPlannedForPartition, newer),
    )
}

/// What Dagster's documentation deletes: fourteen types of events and the logs below error, of whatever run.
pub(super) const PUBLISHED: &str =
    "case when dagster_event_type is null then substring(event from '\"level\": ([0-9]+)') in ('10', '20', '30')
         else dagster_event_type in ('HANDLED_OUTPUT', 'LOADED_INPUT', 'ENGINE_EVENT', 'ASSET_MATERIALIZATION_PLANNED', 'STEP_OUTPUT',
            'PIPELINE_CANCELING', 'PIPELINE_ENQUEUED', 'PIPELINE_STARTING', 'RESOURCE_INIT_FAILURE', 'RESOURCE_INIT_STARTED',
            'RESOURCE_INIT_SUCCESS', 'STEP_INPUT', 'STEP_WORKER_STARTED', 'STEP_WORKER_STARTING') end";

/// What is seen after it.
pub(super) const SIGNS_OF_PUBLISHED: &[&str] = &[
    "latest/assetsLatestInfo/fails/latestRun: {\"runId\"",
    "partition restored held/assetNodeOrError/latestRunForPartition",
    "assets/assetNodes/restored/partitionStats/numMaterializing",
    "assets/assetNodes/by_day/partitionStats/numFailed",
    "stats/enqueuedTime",
    "cannot be taken up again",
];

/// Whether a line may go from the log of a run: nothing but this is to be seen of a cleanup.
pub(super) fn may_go(line: &Line) -> bool {
    let has_ended = ["SUCCESS", "FAILURE", "CANCELED"].contains(&line.status.as_str());
    has_ended
        && match line.kind.as_str() {
            "LOG" => ["DEBUG", "INFO", "WARNING"].contains(&line.level.as_str()),
            "HANDLED_OUTPUT" | "LOADED_INPUT" | "ASSET_MATERIALIZATION_PLANNED" => true,
            "STEP_OUTPUT" | "ENGINE_EVENT" => line.status == "SUCCESS",
            _ => false,
        }
}
