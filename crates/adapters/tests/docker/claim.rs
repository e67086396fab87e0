//! The Docker adapter's claims.

use std::sync::Arc;

use stillpoint_core::ports::Power;
use stillpoint_testkit::conformance::power::Powers;

fn subject() -> anyhow::Result<Powers> {
    crate::support::subject(|docker| Arc::new(docker) as Arc<dyn Power>)
}

stillpoint_testkit::claim_conformance!(subject());
