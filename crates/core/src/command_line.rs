//! A command line, and which programs it starts. Pure. What every image has (an init, a script that ends with
//! `exec "$@"`, a change of user, a shell) is looked through; nothing else is guessed.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

/// Programs that start what follows them.
const WRAPPERS: [&str; 19] = [
    "ash",
    "bash",
    "catatonit",
    "chpst",
    "dash",
    "docker-entrypoint.sh",
    "docker-init",
    "dumb-init",
    "entrypoint.sh",
    "env",
    "gosu",
    "ionice",
    "nice",
    "nohup",
    "setpriv",
    "sh",
    "su-exec",
    "sudo",
    "tini",
];

/// Those of them that start their image's own program where the first word is an option.
const ENTRY_POINTS: [&str; 2] = ["docker-entrypoint.sh", "entrypoint.sh"];

/// Those of them that are told a user first.
const OF_A_USER: [&str; 3] = ["chpst", "gosu", "su-exec"];

/// Those of them that read commands from a text.
const SHELLS: [&str; 4] = ["ash", "bash", "dash", "sh"];

/// Words of a shell beside its commands.
const KEYWORDS: [&str; 13] = [
    "!", ":", "do", "done", "else", "exec", "fi", "if", "then", "time", "true", "until", "while",
];

/// A container's command line, or that of a process in it. `Debug` shows how long it is and nothing of it: passwords
/// stand in some.
#[derive(Clone, Default)]
pub struct CommandLine(Vec<SecretString>);

impl CommandLine {
    /// Takes program and arguments.
    pub fn new(words: impl IntoIterator<Item = String>) -> Self {
        Self(words.into_iter().map(SecretString::from).collect())
    }

    /// Program and arguments, in order.
    pub fn words(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(ExposeSecret::expose_secret)
    }

    /// The names of the programs that it starts, without their folders; several where a shell is told several commands,
    /// none where it cannot be told.
    pub fn programs(&self) -> Vec<String> {
        programs(self.words())
    }
}

impl fmt::Debug for CommandLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CommandLine({} words)", self.0.len())
    }
}

fn programs<'a>(words: impl Iterator<Item = &'a str>) -> Vec<String> {
    let mut words = words.map(|word| word.trim_matches(['"', '\'']));
    let mut in_shell = false;
    let mut is_entered = false;
    while let Some(word) = words.next() {
        let name = base_name(word);
        if is_entered && word.starts_with('-') {
            return Vec::new();
        }
        is_entered = ENTRY_POINTS.contains(&name);
        if in_shell && word.starts_with('-') && !word.starts_with("--") && word.ends_with('c') {
            // `ps` shows a text without its quotes, as many words.
            let text: Vec<&str> = words.collect();
            return of_text(&text.join(" "));
        }
        in_shell = SHELLS.contains(&name) || in_shell && word.starts_with('-');
        if OF_A_USER.contains(&name) {
            words.next();
        } else if !WRAPPERS.contains(&name) && !is_passed_over(word) {
            return vec![name.to_owned()];
        }
    }
    Vec::new()
}

/// The commands of a shell. It is no shell that reads them here: only which words begin a command is understood.
fn of_text(text: &str) -> Vec<String> {
    let commands = text.split([';', '&', '|', '\n', '(', ')', '{', '}']);
    commands
        .flat_map(|command| programs(command.split_whitespace()))
        .collect()
}

/// An option of a wrapper, the number that it is given, an assignment or keyword before a command.
fn is_passed_over(word: &str) -> bool {
    let is_name = |name: &str| !name.is_empty() && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
    word.is_empty()
        || word.starts_with('-')
        || KEYWORDS.contains(&word)
        || word.chars().all(|char| char.is_ascii_digit())
        || word.split_once('=').is_some_and(|(name, _)| is_name(name))
}

/// The last component of a path. A server may write over its own name: `postgres: checkpointer`.
fn base_name(word: &str) -> &str {
    let word = word.strip_suffix(':').unwrap_or(word);
    word.rsplit('/').next().unwrap_or(word)
}

/// A word as a shell takes it.
pub fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:=@%+,".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', "'\\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(text: &str) -> CommandLine {
        CommandLine::new(text.split_whitespace().map(ToOwned::to_owned))
    }

    #[test]
    fn a_command_line_keeps_its_secrets() {
        let command = line("valkey-server --requirepass=hidden");
        assert_eq!(command.words().last(), Some("--requirepass=hidden"));
        assert_eq!(format!("{command:?}"), "CommandLine(2 words)");
    }

    #[test]
    fn what_every_image_has_is_looked_through() {
        for (command, expected) in [
            ("docker-entrypoint.sh postgres -c a=b", &["postgres"][..]),
            ("docker-entrypoint.sh -c a=b", &[]),
            (
                "/usr/bin/tini -g -- gosu redis redis-server /etc/redis.conf",
                &["redis-server"],
            ),
            ("/bin/bash /usr/local/bin/docker-entrypoint.sh postgres", &["postgres"]),
            ("postgres: checkpointer", &["postgres"]),
            ("/usr/lib/postgresql/17/bin/postgres -D /data", &["postgres"]),
            ("valkey-server *:6379", &["valkey-server"]),
            (
                "sh -c while :; do pg_dump -U postgres; sleep 60; done",
                &["pg_dump", "sleep"],
            ),
            ("bash -ec A=1 exec nats-server -js && true", &["nats-server"]),
            ("nice -n 10 setpriv --reuid=999 mysqld", &["mysqld"]),
            ("docker-entrypoint.sh -c max_connections=200", &[]),
            ("sh", &[]),
            ("/start.sh postgres", &["start.sh"]),
        ] {
            assert_eq!(line(command).programs(), expected, "{command}");
        }
    }
}
