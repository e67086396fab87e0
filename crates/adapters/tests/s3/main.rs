//! A bucket keeps every promise of a repository. These tests need a container engine.

mod answers;
mod between;
mod faults;
mod opening;
mod picky;
mod server;
mod uploads;

use stillpoint_testkit::conformance::repository::Subject;
use stillpoint_testkit::repository_conformance;

async fn subject() -> anyhow::Result<Subject> {
    Ok(Subject::new(server::repository().await?))
}

repository_conformance!(subject().await);
