//! The Docker adapter as a catalog.

use std::sync::Arc;

use stillpoint_core::ports::Catalog;
use stillpoint_testkit::conformance::catalog::Catalogs;

fn subject() -> anyhow::Result<Catalogs> {
    crate::support::subject(|docker| Arc::new(docker) as Arc<dyn Catalog>)
}

stillpoint_testkit::catalog_conformance!(subject());
