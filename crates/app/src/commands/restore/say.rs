//! What a restore says before it is done.

use stillpoint_core::engine::restore::{HeldLogin, Origin, Rehearsed};
use stillpoint_core::names::Project;
use stillpoint_core::operations::Restore;

use crate::commands::table;
use crate::display::{print, words};
use crate::jobs::{listed, of_another, renamings};

pub(super) fn plan(rehearsed: &Rehearsed) {
    print::line(&format!(
        "Backup {} ({}){} can be restored here. It would replace:",
        rehearsed.backup,
        words::local(rehearsed.backup.timestamp()),
        of_another(&rehearsed.origin, &rehearsed.platform)
    ));
    let mut stores = table(&["STORE", "KIND", "VERSION", "ARTIFACTS", "SIZE"]);
    for store in &rehearsed.stores {
        stores.add_row([
            store.store.to_string(),
            store.kind.to_string(),
            store.version.clone(),
            store.artifacts.to_string(),
            words::bytes(store.bytes),
        ]);
    }
    print::line(&stores.to_string());
    for line in renamings(&rehearsed.origin) {
        print::line(&line);
    }
    for store in rehearsed.stores.iter().filter(|store| !store.databases.is_empty()) {
        let databases = listed(store.databases.iter().cloned());
        print::line(&format!(
            "{}: of its databases these alone: {databases}. All others stay as they are.",
            store.store
        ));
    }
    for store in &rehearsed.stores {
        if let Some(passwords) = &store.passwords {
            print::line(&format!("{}: {passwords}.", store.store));
        }
    }
    let mut workloads = table(&["CONTAINER", "ROLE", "NOW", "RESTORE WILL", "WHY"]);
    for workload in &rehearsed.workloads {
        workloads.add_row([
            workload.address.to_string(),
            workload.role.clone(),
            workload.state.to_string(),
            workload.action.clone(),
            workload.reason.clone(),
        ]);
    }
    print::line(&format!("\n{workloads}"));
    logins(&rehearsed.logins);
    print::line("Nothing was changed: this was a dry run.");
}

fn logins(held: &[HeldLogin]) {
    if held.is_empty() {
        return;
    }
    let mut logins = table(&["CLIENT", "VARIABLE", "STORE", "LOGIN", "NOW"]);
    for held in held {
        logins.add_row([
            held.client.to_string(),
            held.variable.clone(),
            held.store.to_string(),
            held.login.clone(),
            held.now.clone(),
        ]);
    }
    print::line(&format!(
        "\nThese logins of clients are tried again before anything starts:\n{logins}"
    ));
}

/// What is asked before the data of a platform is replaced.
pub(super) fn question(what: &Restore, platform: &Project) -> String {
    let origin = Origin::of(&what.selection, platform);
    let mut question = format!(
        "This stops platform {platform} and replaces its data with backup {} ({}){}.\n",
        what.backup,
        words::local(what.backup.timestamp()),
        of_another(&origin, platform),
    );
    question.extend(renamings(&origin).map(|line| line + "\n"));
    if !what.selection.databases.is_empty() {
        let databases = listed(what.selection.databases.iter().cloned());
        question.extend([
            "Of its databases ",
            &databases,
            " alone; all others stay as they are.\n",
        ]);
    }
    question.push_str("Type the backup's id to go on: ");
    question
}
