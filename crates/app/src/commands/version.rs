//! `stillpoint version`.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::manifest::FORMAT;

use crate::display::print;
use crate::options::Options;
use crate::wiring::VERSION;

/// What it was built from, if it was built to be given away.
const COMMIT: Option<&str> = option_env!("STILLPOINT_COMMIT");

pub(super) fn run(options: &Options) -> Exit {
    if options.json {
        print::document(&serde_json::json!({ "stillpoint": VERSION, "commit": COMMIT, "manifest_format": FORMAT }));
    } else {
        let commit = COMMIT.map_or_else(String::new, |commit| format!(", commit {commit}"));
        print::line(&format!("stillpoint {VERSION} (manifest format {FORMAT}{commit})"));
    }
    Exit::Ok
}
