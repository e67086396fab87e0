//! The only writer to standard output and standard error. A closed pipe (`| head`) is no failure.
#![expect(clippy::print_stderr, reason = "this module is the display's last inch")]

use std::io::Write;

/// One line of result.
pub(crate) fn line(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// One line of explanation.
pub(crate) fn error(text: &str) {
    eprintln!("{text}");
}

/// A question, without the end of its line.
pub(crate) fn prompt(text: &str) {
    eprint!("{text}");
}

/// One JSON document on one line.
pub(crate) fn document<T: serde::Serialize>(content: &T) {
    line(&serde_json::to_string(content).unwrap_or_else(|error| format!("{{\"error\":\"{error}\"}}")));
}

/// A sentence, or the same as JSON.
pub(crate) fn summary(json: bool, sentence: &str) {
    if json {
        document(&serde_json::json!({ "summary": sentence }));
    } else {
        line(sentence);
    }
}
