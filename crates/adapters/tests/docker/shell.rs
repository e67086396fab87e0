//! The Docker adapter as a shell.

use std::sync::Arc;

use stillpoint_core::ports::Shell;
use stillpoint_testkit::conformance::shell::Shells;

fn subject() -> anyhow::Result<Shells> {
    crate::support::subject(|docker| Arc::new(docker) as Arc<dyn Shell>)
}

stillpoint_testkit::shell_conformance!(subject());
stillpoint_testkit::shell_ends_conformance!(subject());
