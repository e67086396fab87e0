//! `stillpoint verify`.

use stillpoint_core::errors::Exit;
use stillpoint_core::names::BackupId;
use stillpoint_core::operations::Operations;

use super::order;
use crate::display::{Display, print, words};
use crate::failure::Failure;
use crate::options::Options;
use crate::wiring;

/// Read a backup to its last byte and compare it with its manifest
#[derive(clap::Args, Debug)]
pub(super) struct Args {
    /// The backup's id
    backup: BackupId,
}

pub(super) async fn run(options: &Options, args: &Args) -> Result<Exit, Failure> {
    let operations = wiring::operations(options)?;
    let display = Display::start(options.json);
    let verified = operations.verify(args.backup, order(options, &display)).await;
    display.finish();
    let manifest = verified?;
    if options.json {
        print::document(&serde_json::json!({ "backup": manifest.id, "verified": true, "bytes": manifest.size() }));
    } else {
        let count = manifest.artifacts().count();
        let bytes = words::bytes(manifest.size());
        print::line(&format!(
            "Backup {} is whole: {count} artifacts, {bytes} read, every SHA-256 as in its manifest.",
            manifest.id
        ));
    }
    Ok(Exit::Ok)
}
