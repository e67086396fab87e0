//! The options with which a container starts its server, as far as its command line and environment
//! tell. Options in a configuration file are not seen here: an operator names those to us.

use secrecy::ExposeSecret;
use stillpoint_core::workload::{Environment, Workload};

/// Variables whose text the images append to the server's command line (`valkey/valkey`,
/// `redis/redis-stack`).
const EXTRA: [&str; 3] = ["VALKEY_EXTRA_FLAGS", "REDIS_EXTRA_FLAGS", "REDIS_ARGS"];

/// The value of an option of the server: `--requirepass`. The last one holds, as for the server.
pub(super) fn option(workload: &Workload, name: &str) -> Option<String> {
    let mut extra = EXTRA
        .iter()
        .rev()
        .filter_map(|variable| workload.environment.get(variable));
    let extra = extra.find_map(|text| in_text(text.expose_secret(), name, &workload.environment));
    extra.or_else(|| in_command(workload, name))
}

fn in_command(workload: &Workload, name: &str) -> Option<String> {
    let words: Vec<&str> = workload.command.words().collect();
    let mut found = None;
    for (at, word) in words.iter().enumerate() {
        if *word == name {
            found = words.get(at + 1).map(|value| (*value).to_owned());
        } else if word.contains(char::is_whitespace) {
            // The command of a shell.
            found = in_text(word, name, &workload.environment).or(found);
        }
    }
    found
}

/// In a line for a shell. It is no shell that reads it here: quotes and plain variables are understood.
fn in_text(text: &str, name: &str, environment: &Environment) -> Option<String> {
    let mut words = text.split_whitespace();
    let mut found = None;
    while let Some(word) = words.next() {
        if word == name {
            found = words.next().map(|value| resolved(value, environment));
        }
    }
    found
}

fn resolved(word: &str, environment: &Environment) -> String {
    let bare = word.trim_matches(|char| matches!(char, '"' | '\'' | ';'));
    let variable = bare
        .strip_prefix('$')
        .map(|name| name.trim_start_matches('{').trim_end_matches('}'));
    let value = variable.and_then(|name| environment.get(name));
    value.map_or_else(|| bare.to_owned(), |value| value.expose_secret().to_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use stillpoint_core::workload::CommandLine;

    use super::*;
    use crate::settings::tests::container;

    /// A container of `image` that runs `command` with these variables.
    pub(in crate::valkey) fn workload(image: &str, command: &[&str], variables: &[&str]) -> Workload {
        Workload {
            image: image.to_owned(),
            command: CommandLine::new(command.iter().map(|word| (*word).to_owned())),
            ..container(&[], variables)
        }
    }

    fn password(command: &[&str], variables: &[&str]) -> Option<String> {
        option(&workload("valkey/valkey:8", command, variables), "--requirepass")
    }

    #[test]
    fn an_option_is_found_wherever_it_stands() {
        let found = Some("s3 cret".to_owned());
        assert_eq!(password(&["valkey-server", "--requirepass", "s3 cret"], &[]), found);
        let found = Some("s3cret".to_owned());
        for (command, variables) in [
            (
                &["sh", "-c", "exec redis-server --requirepass s3cret --appendonly yes"][..],
                &[][..],
            ),
            (&["sh", "-c", "redis-server --requirepass \"$PASS\""], &["PASS=s3cret"]),
            (&["sh", "-c", "redis-server --requirepass ${PASS}"], &["PASS=s3cret"]),
            (
                &["valkey-server"],
                &["VALKEY_EXTRA_FLAGS=--save 60 1 --requirepass s3cret"],
            ),
            (
                &["redis-server", "--requirepass", "old", "--requirepass", "s3cret"],
                &[],
            ),
            (
                &["redis-server", "--requirepass", "old"],
                &["REDIS_ARGS=--requirepass s3cret"],
            ),
        ] {
            assert_eq!(password(command, variables), found, "{command:?} {variables:?}");
        }
        assert_eq!(
            password(&["valkey-server", "--appendonly", "yes"], &["A=--requirepass x"]),
            None
        );
        assert_eq!(password(&["valkey-server", "--requirepass"], &[]), None);
    }
}
