//! Stopping and starting through the engine. What a call reports is what a look afterwards shows,
//! not what the engine's answer promises.

use std::time::Duration;

use async_trait::async_trait;
use bollard::models::{ContainerState, ContainerUpdateBody};
use bollard::query_parameters::{StartContainerOptions, StopContainerOptions};
use stillpoint_core::names::{Project, WorkloadId};
use stillpoint_core::ports::power::{Claim, Intent, Stopped};
use stillpoint_core::ports::{EngineError, Power};
use stillpoint_core::workload::{RestartPolicy, State};
use tokio::time::sleep;

use super::connect::{Docker, LOOK_EVERY, SHORT};
use super::errors::Act;
use super::translate::{state_of, to_engine};
use crate::awake::timeout;

/// What the engine may need beyond the container's own grace: killing, and letting go of its
/// networks and mounts.
const STOP_SLACK: Duration = Duration::from_secs(30);

/// 128 + SIGKILL. A process that ends itself so after a polite signal lost what it held as well.
const KILLED: i64 = 137;

#[async_trait]
impl Power for Docker {
    async fn stop(&self, id: &WorkloadId, grace: Duration) -> Result<Stopped, EngineError> {
        let id = id.as_str();
        let act = Act::on("stop", id);
        let before = self.report(id).await?;
        let limit = grace.saturating_add(STOP_SLACK);
        let options = StopContainerOptions {
            t: Some(whole_seconds(grace)),
            signal: None,
        };
        // Stopping what is stopped is answered with 304, which the client takes for a success.
        let patient = self.patient(limit);
        let stopped = self.call(&act, limit, patient.stop_container(id, Some(options)));
        match stopped.await {
            // The engine goes on with a stop whose caller it has lost.
            Err(lost @ EngineError::Cut { .. }) => self.down_within(id, limit, lost).await?,
            stopped => stopped?,
        }
        let after = self.report(id).await?;
        if state_of(&after).is_up() {
            return Err(act.refused("it runs after it was stopped"));
        }
        Ok(outcome(&before, &after))
    }

    async fn start(&self, id: &WorkloadId) -> Result<(), EngineError> {
        let id = id.as_str();
        let started = self.client().start_container(id, None::<StartContainerOptions>);
        match self.call(&Act::on("start", id), SHORT, started).await {
            Err(refused @ EngineError::Refused { .. }) => self.unpause_or(id, refused).await,
            started => started,
        }
    }

    async fn pause(&self, id: &WorkloadId) -> Result<(), EngineError> {
        let id = id.as_str();
        let paused = self.client().pause_container(id);
        match self.call(&Act::on("pause", id), SHORT, paused).await {
            Err(EngineError::Refused { .. }) if self.is(State::Paused, id).await? => Ok(()),
            paused => paused,
        }
    }

    async fn set_restart(&self, id: &WorkloadId, policy: &RestartPolicy) -> Result<(), EngineError> {
        let body = ContainerUpdateBody {
            restart_policy: Some(to_engine(policy)),
            ..ContainerUpdateBody::default()
        };
        let act = Act::on("set the restart policy of", id.as_str());
        let updated = self.client().update_container(id.as_str(), body);
        self.call(&act, SHORT, updated).await.map(drop)
    }

    async fn claim(&self, intent: &Intent, image: &str) -> Result<Claim, EngineError> {
        self.take_claim(intent, image).await
    }

    async fn claimed(&self, platform: &Project) -> Result<Option<Intent>, EngineError> {
        self.read_claim(platform).await
    }

    async fn held(&self) -> Result<Vec<Project>, EngineError> {
        self.list_claims().await
    }

    async fn release(&self, platform: &Project) -> Result<(), EngineError> {
        self.drop_claim(platform).await
    }
}

impl Docker {
    async fn report(&self, id: &str) -> Result<ContainerState, EngineError> {
        Ok(self.look(id).await?.state.unwrap_or_default())
    }

    /// Waits until it is down; else fails with `otherwise`.
    async fn down_within(&self, id: &str, limit: Duration, otherwise: EngineError) -> Result<(), EngineError> {
        let down = async {
            while self.state(id).await?.is_up() {
                sleep(LOOK_EVERY).await;
            }
            Ok(())
        };
        timeout(limit, down).await.unwrap_or(Err(otherwise))
    }

    async fn is(&self, state: State, id: &str) -> Result<bool, EngineError> {
        Ok(self.state(id).await? == state)
    }

    /// The engine refuses to start what is frozen; what is asked for is that it runs.
    async fn unpause_or(&self, id: &str, refused: EngineError) -> Result<(), EngineError> {
        if !self.is(State::Paused, id).await? {
            return Err(refused);
        }
        let unpaused = self.client().unpause_container(id);
        match self.call(&Act::on("unpause", id), SHORT, unpaused).await {
            Err(EngineError::Refused { .. }) if self.is(State::Running, id).await? => Ok(()),
            unpaused => unpaused,
        }
    }
}

/// The engine counts in seconds; a fraction is the container's.
fn whole_seconds(grace: Duration) -> i32 {
    let seconds = grace.as_secs().saturating_add(u64::from(grace.subsec_nanos() > 0));
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// An end that was already there before our stop is not ours.
fn outcome(before: &ContainerState, after: &ContainerState) -> Stopped {
    let ended_now = before.finished_at != after.finished_at;
    if ended_now && after.exit_code == Some(KILLED) {
        Stopped::Killed
    } else {
        Stopped::Cleanly
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ended(finished_at: &str, exit_code: i64) -> ContainerState {
        ContainerState {
            finished_at: Some(finished_at.into()),
            exit_code: Some(exit_code),
            ..ContainerState::default()
        }
    }

    #[test]
    fn only_an_end_of_our_making_counts_as_killed() {
        assert_eq!(outcome(&ended("1", 0), &ended("2", 137)), Stopped::Killed);
        assert_eq!(outcome(&ended("1", 137), &ended("1", 137)), Stopped::Cleanly);
        assert_eq!(outcome(&ended("1", 137), &ended("2", 0)), Stopped::Cleanly);
        assert_eq!(outcome(&ended("1", 0), &ended("2", 143)), Stopped::Cleanly);
    }

    #[test]
    fn a_fraction_of_a_second_is_given_whole() {
        assert_eq!(whole_seconds(Duration::ZERO), 0);
        assert_eq!(whole_seconds(Duration::from_millis(1200)), 2);
        assert_eq!(whole_seconds(Duration::MAX), i32::MAX);
    }
}
