//! What a setting of a kind of store is, and the settings that several kinds have. A kind declares its own in its folder.

/// A setting of a kind of store.
#[derive(Debug, PartialEq, Eq)]
pub struct Key {
    /// Its name in `[stores.<name>]` and behind `stillpoint.` in a label; its variable ends with it in capitals.
    pub name: &'static str,
    /// What its values look like.
    pub shape: Shape,
    /// What holds where it is not set, in words.
    pub fallback: &'static str,
    /// What it means, as one sentence.
    pub about: &'static str,
    /// The setting that lists parts of the store, each of which may have this one for itself: `app_user` of the part
    /// `app`. None: it is the store's alone.
    pub parts: Option<&'static str>,
}

/// What values look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// Text that is never shown. It may stand in a file of its own, which `<name>_file` names.
    Secret,
    /// The name of a store.
    Name,
    /// A port of TCP.
    Port,
    /// So many seconds.
    Seconds,
    /// One of these.
    OneOf(&'static [&'static str]),
    /// Texts, parted by commas.
    List,
    /// A kind of store, or [`NO_STORE`].
    Kind,
}

/// What a kind of store can be told.
#[derive(Debug)]
pub struct Declared {
    /// The kind.
    pub kind: &'static str,
    /// Its own settings; those of [`COMMON`] are every kind's.
    pub keys: &'static [Key],
    /// Whether a label may name a file in the container, which takes a tool there that reads it.
    pub reads_files: bool,
}

/// The `kind` of a container that is no store.
pub const NO_STORE: &str = "none";

/// What the name of a secret ends with where a file is named that holds it.
pub(super) const FILE: &str = "_file";

/// What a container is.
pub const KIND: Key = Key {
    name: "kind",
    shape: Shape::Kind,
    fallback: "found out",
    about: "What the container is, whatever it looks like; `none`: no store.",
    parts: None,
};

pub(super) const NAME: Key = Key {
    name: "name",
    shape: Shape::Name,
    fallback: "the service's name",
    about: "What the store is called: its folder in backups, and what a restore looks for.",
    parts: None,
};

pub(super) const MODE: Key = Key {
    name: "mode",
    shape: Shape::OneOf(&["pin", "hold"]),
    fallback: "the backup's",
    about: "When the clients start again: `pin`: when the store is pinned; `hold`: when it is drained.",
    parts: None,
};

/// Where a server listens.
pub(crate) const PORT: Key = Key {
    name: "port",
    shape: Shape::Port,
    fallback: "the one that the server was started with, else its usual one",
    about: "The port on which the server listens in its container.",
    parts: None,
};

/// Who we are to a server.
pub(crate) const USER: Key = Key {
    name: "user",
    shape: Shape::Text,
    fallback: "found at its container",
    about: "Who we are to the store.",
    parts: Some("accounts"),
};

/// The proof of it.
pub(crate) const PASSWORD: Key = Key {
    name: "password",
    shape: Shape::Secret,
    about: "The password of that user.",
    ..USER
};

/// Settings of every kind of store.
pub const COMMON: [Key; 3] = [KIND, NAME, MODE];

impl Shape {
    /// The unit, as the documentation names it.
    pub fn unit(self) -> String {
        match self {
            Self::Text => "text".to_owned(),
            Self::Secret => "secret".to_owned(),
            Self::Name => "letters, digits, `.`, `_`, `-`".to_owned(),
            Self::Port => "port".to_owned(),
            Self::Seconds => "seconds".to_owned(),
            Self::OneOf(words) => {
                let words: Vec<String> = words.iter().map(|word| format!("`{word}`")).collect();
                words.join(" or ")
            }
            Self::List => "list of texts".to_owned(),
            Self::Kind => "a kind of store, or `none`".to_owned(),
        }
    }

    /// Why a text is no such value, without showing it where it is a secret.
    pub fn check(self, text: &str) -> Result<(), String> {
        let fits = match self {
            Self::Text | Self::Secret | Self::List => true,
            Self::Name => is_name(text),
            Self::Port => text.parse().is_ok_and(|port: u16| port > 0),
            Self::Seconds => text.parse::<u64>().is_ok(),
            Self::OneOf(words) => words.contains(&text),
            Self::Kind => text == NO_STORE || crate::DECLARED.iter().any(|declared| declared.kind == text),
        };
        let what = match self {
            _ if fits => return Ok(()),
            Self::Port => "is not a port".to_owned(),
            Self::Seconds => "is not a whole number of seconds".to_owned(),
            Self::Name => "is not a name of a store: letters, digits, `.`, `_` and `-` make one".to_owned(),
            Self::Kind => "is not a kind of store".to_owned(),
            other => format!("is not {}", other.unit()),
        };
        Err(format!("`{text}` {what}"))
    }
}

fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    text.as_bytes().first().is_some_and(u8::is_ascii_alphanumeric) && text.bytes().all(plain)
}

impl Key {
    /// Whether its value is never shown.
    pub fn is_secret(&self) -> bool {
        self.shape == Shape::Secret
    }

    /// The names that set it: its own, and that of the file which holds it.
    pub fn names(&self) -> Vec<String> {
        let in_file = self.is_secret().then(|| format!("{}{FILE}", self.name));
        [self.name.to_owned()].into_iter().chain(in_file).collect()
    }

    /// The part of a store for which a name sets this key: none for the store itself. Outer none: the name is
    /// another's.
    pub fn part<'a>(&self, name: &'a str) -> Option<Option<&'a str>> {
        let part = name.strip_suffix(self.name)?;
        match part.strip_suffix('_') {
            Some(part) => (self.parts.is_some() && !part.is_empty()).then_some(Some(part)),
            None => part.is_empty().then_some(None),
        }
    }
}

impl Declared {
    /// Every setting of this kind.
    pub fn all(&self) -> impl Iterator<Item = &'static Key> + use<> {
        COMMON.iter().chain(self.keys)
    }

    /// The setting that a name means, `_file` taken off, and the part of the store that has it.
    pub fn key<'a>(&self, name: &'a str) -> Option<(&'static Key, Option<&'a str>)> {
        let has = |list: Option<&str>| self.keys.iter().any(|key| Some(key.name) == list);
        let found = self.all().filter_map(|key| Some((key, key.part(name)?)));
        let found = found.filter(|(key, part)| part.is_none() || has(key.parts));
        // `nkey_seed` before what might end like it.
        found.max_by_key(|(key, _)| key.name.len())
    }
}

/// The declaration of a kind.
pub fn declared(kind: &str) -> Option<&'static Declared> {
    crate::DECLARED.iter().copied().find(|declared| declared.kind == kind)
}

/// Every setting of any kind, each once, and the kinds that have it; none: every kind.
pub fn every_key() -> Vec<(&'static Key, Vec<&'static str>)> {
    let mut keys: Vec<(&'static Key, Vec<&'static str>)> = COMMON.iter().map(|key| (key, Vec::new())).collect();
    for declared in crate::DECLARED {
        for key in declared.keys {
            match keys.iter_mut().find(|(known, _)| *known == key) {
                Some((_, kinds)) => kinds.push(declared.kind),
                None => keys.push((key, vec![declared.kind])),
            }
        }
    }
    keys
}

/// The setting of any kind that a name means, `_file` taken off, and the part of the store that has it.
pub fn any_key(name: &str) -> Option<(&'static Key, Option<&str>)> {
    let known = crate::DECLARED.iter().filter_map(|declared| declared.key(name));
    known.max_by_key(|(key, _)| key.name.len())
}
