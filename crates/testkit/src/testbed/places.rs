//! Where the testbed's files are. Nothing here is created or changed.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};

/// The folder `testbed/` of this checkout.
pub(crate) fn testbed() -> PathBuf {
    let here = Path::new(env!("CARGO_MANIFEST_DIR"));
    here.ancestors().nth(2).unwrap_or(here).join("testbed")
}

/// Kept between runs, see `testbed/env.sh`.
pub(super) fn cache() -> PathBuf {
    let base = std::env::var_os("XDG_CACHE_HOME")
        .filter(|v| !v.is_empty())
        .map(PathBuf::from);
    let home = || PathBuf::from(std::env::var_os("HOME").unwrap_or_else(|| "/root".into())).join(".cache");
    base.unwrap_or_else(home).join("stillpoint")
}

/// The client configuration with the pinned Compose (`testbed/setup.sh`).
pub(super) fn docker_config() -> PathBuf {
    cache().join("docker-config")
}

/// Written by `testbed/images/build.sh`.
pub(super) fn images_env() -> PathBuf {
    testbed().join(".state/images.env")
}

/// Where failed tests leave their platform's logs.
pub(super) fn failures() -> PathBuf {
    testbed().join(".state/failed")
}

/// `IMG_<NAME>` to tag, for all images of this checkout.
pub fn images() -> Result<BTreeMap<String, String>> {
    let path = images_env();
    let text = std::fs::read_to_string(&path)
        .with_context(|| format!("{} is not there: run testbed/images/build.sh first", path.display()))?;
    Ok(text
        .lines()
        .filter_map(|line| line.split_once('='))
        .map(|(k, v)| (k.to_owned(), v.to_owned()))
        .collect())
}

/// The tag of one image, such as `POSTGRES`.
pub(crate) fn image(name: &str) -> Result<String> {
    let key = format!("IMG_{name}");
    images()?
        .remove(&key)
        .with_context(|| format!("{} has no {key}", images_env().display()))
}

/// What is run inside the pages that a browser shows (`testbed/setup.sh`).
pub fn browser_tools() -> PathBuf {
    cache().join("axe-core")
}

/// Says whether a page is HTML (`testbed/setup.sh`).
pub fn html_validate() -> PathBuf {
    cache().join("html-validate/node_modules/.bin/html-validate")
}

/// Asks an HTTP API for all that its description allows, and more (`testbed/setup.sh`).
pub fn schemathesis() -> PathBuf {
    cache().join("schemathesis/bin/schemathesis")
}

/// Tries alert rules (`testbed/setup.sh`).
pub fn promtool() -> PathBuf {
    cache().join("promtool/promtool")
}

/// Where tests leave pictures of the pages.
pub fn screens() -> PathBuf {
    testbed().join(".state/screens")
}
