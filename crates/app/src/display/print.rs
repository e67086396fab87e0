//! The only writer to standard output and standard error. A closed pipe (`| head`, a terminal that
//! went away) is no failure: `println!` and `eprintln!` would panic, in the middle of a standstill.

use std::borrow::Cow;
use std::io::{IsTerminal, Write};

use super::locale;

/// One line of result.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{}", to(&std::io::stdout(), text));
}

/// One line of explanation.
pub(crate) fn error(text: &str) {
    let _ = writeln!(std::io::stderr(), "{}", to(&std::io::stderr(), text));
}

/// A question, without the end of its line.
pub(crate) fn prompt(text: &str) {
    let _ = write!(std::io::stderr(), "{}", to(&std::io::stderr(), text));
}

/// A terminal shows what its locale can; a file and a pipe take everything.
fn to<'a>(place: &impl IsTerminal, text: &'a str) -> Cow<'a, str> {
    if place.is_terminal() {
        locale::shown(text)
    } else {
        Cow::Borrowed(text)
    }
}

/// One JSON document on one line.
pub(crate) fn document<T: serde::Serialize>(content: &T) {
    let document = serde_json::to_string(content).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}"));
    let _ = writeln!(std::io::stdout(), "{document}");
}

/// A sentence, or the same as JSON.
pub(crate) fn summary(json: bool, sentence: &str) {
    if json {
        document(&serde_json::json!({ "summary": sentence }));
    } else {
        line(sentence);
    }
}

/// A result that is no line of text, as it is.
pub(crate) fn bytes(content: &[u8]) {
    let _ = std::io::stdout().write_all(content);
}
