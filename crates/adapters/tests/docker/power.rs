//! The Docker adapter as the power to stop and start.

use std::sync::Arc;

use stillpoint_core::ports::Power;
use stillpoint_testkit::conformance::power::Powers;

fn subject() -> anyhow::Result<Powers> {
    crate::support::subject(|docker| Arc::new(docker) as Arc<dyn Power>)
}

stillpoint_testkit::power_conformance!(subject());
