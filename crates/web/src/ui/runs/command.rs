//! The same from the command line: what is asked for on a page can be asked for there, to the letter.

use stillpoint_core::logins::Passwords;
use stillpoint_core::maintenance::CleanupWish;
use stillpoint_core::operations::{Order, Restore, Scope, Terms};

/// The command that asks for the same.
pub(super) fn command(order: &Order) -> String {
    let words = match order {
        Order::Backup { mode: None } => vec!["backup".to_owned()],
        Order::Backup { mode: Some(mode) } => vec![format!("backup --mode {mode}")],
        Order::Restore(restore) => restore_words(restore),
        Order::ResumeRestore(terms) => with_terms("restore resume".to_owned(), terms),
        Order::UndoRestore => vec!["restore undo".to_owned()],
        Order::DiscardOld => vec!["restore discard-old".to_owned()],
        Order::Verify { scope: Scope::All } => vec!["verify --all".to_owned()],
        Order::Verify {
            scope: Scope::One(backup),
        } => vec![format!("verify {backup}")],
        Order::Verify {
            scope: Scope::Within(bytes),
        } => vec![format!("verify --budget {bytes}")],
        Order::Prune => vec!["prune".to_owned()],
        Order::Cleanup(wish) => cleanup_words(*wish),
        Order::Repack => vec!["maintenance repack".to_owned()],
    };
    format!("stillpoint {}", words.join(" "))
}

fn cleanup_words(wish: CleanupWish) -> Vec<String> {
    let mut words = vec!["maintenance cleanup".to_owned()];
    words.extend(wish.until_drained.then(|| "--until-drained".to_owned()));
    words.extend(wish.drop_published_index.then(|| "--drop-published-index".to_owned()));
    words
}

fn restore_words(restore: &Restore) -> Vec<String> {
    let selection = &restore.selection;
    let mut words = with_terms(format!("restore {}", restore.backup), &restore.terms);
    words.extend(selection.from.iter().map(|from| option("from", from.as_str())));
    let maps = selection.map.iter();
    words.extend(maps.map(|(theirs, ours)| option("map", &format!("{theirs}={ours}"))));
    words.extend(selection.stores.iter().map(|store| option("store", store.as_str())));
    words.extend(selection.databases.iter().map(|database| option("database", database)));
    words.extend(selection.accept_partial.then(|| "--accept-partial".to_owned()));
    words
}

fn with_terms(words: String, terms: &Terms) -> Vec<String> {
    let mut words = vec![words];
    words.extend(terms.discard_old.then(|| "--discard-old".to_owned()));
    words.extend(
        terms
            .passwords
            .map(|which: Passwords| option("passwords", &which.to_string())),
    );
    words.extend(terms.accept.iter().map(|database| option("accept", database)));
    words
}

fn option(name: &str, value: &str) -> String {
    format!("--{name} {}", quoted(value))
}

/// As a shell takes it for one word.
fn quoted(value: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.=/:@".contains(c);
    if !value.is_empty() && value.chars().all(is_plain) {
        value.to_owned()
    } else {
        format!("'{}'", value.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use stillpoint_core::manifest::Mode;
    use stillpoint_core::names::{BackupId, StoreName};

    use super::*;

    #[test]
    fn every_order_has_its_command() {
        let backup: BackupId = "2026-02-17_00-00-00".parse().unwrap();
        let mut restore = Restore::from(backup);
        restore.selection.stores = vec![StoreName::new("postgres-main")];
        restore.selection.databases = vec!["it's".to_owned()];
        restore.terms.discard_old = true;
        let said = [
            Order::Backup { mode: None },
            Order::Backup { mode: Some(Mode::Hold) },
            Order::Restore(restore),
            Order::ResumeRestore(Terms::default()),
            Order::UndoRestore,
            Order::DiscardOld,
            Order::Verify { scope: Scope::All },
            Order::Verify {
                scope: Scope::One(backup),
            },
            Order::Verify {
                scope: Scope::Within(7),
            },
            Order::Prune,
            Order::Cleanup(CleanupWish {
                until_drained: true,
                drop_published_index: true,
            }),
            Order::Repack,
        ]
        .map(|order| command(&order));
        assert_eq!(
            said,
            [
                "stillpoint backup",
                "stillpoint backup --mode hold",
                r"stillpoint restore 2026-02-17_00-00-00 --discard-old --store postgres-main --database 'it'\''s'",
                "stillpoint restore resume",
                "stillpoint restore undo",
                "stillpoint restore discard-old",
                "stillpoint verify --all",
                "stillpoint verify 2026-02-17_00-00-00",
                "stillpoint verify --budget 7",
                "stillpoint prune",
                "stillpoint maintenance cleanup --until-drained --drop-published-index",
                "stillpoint maintenance repack",
            ]
        );
    }
}
