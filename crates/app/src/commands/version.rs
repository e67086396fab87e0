//! `stillpoint version`.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::manifest::FORMAT;

use crate::display::print;
use crate::options::Options;
use crate::wiring::VERSION;

pub(super) fn run(options: &Options) -> Exit {
    if options.json {
        print::document(&serde_json::json!({ "stillpoint": VERSION, "manifest_format": FORMAT }));
    } else {
        print::line(&format!("stillpoint {VERSION} (manifest format {FORMAT})"));
    }
    Exit::Ok
}
