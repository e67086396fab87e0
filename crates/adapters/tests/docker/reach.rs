//! The Docker adapter's way to a container's ports.

use std::sync::Arc;

use stillpoint_core::ports::Reach;
use stillpoint_testkit::conformance::reach::Reaches;

fn subject() -> anyhow::Result<Reaches> {
    crate::support::subject(|docker| Arc::new(docker) as Arc<dyn Reach>)
}

stillpoint_testkit::reach_conformance!(subject());
