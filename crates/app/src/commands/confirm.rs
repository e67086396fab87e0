//! Asking an operator to name what is about to be lost.

use std::io::{BufRead, IsTerminal, Write};

use crate::display::print;
use crate::failure::Failure;

/// Fails unless what was typed is what is wanted.
pub(super) fn same(again: &str, wanted: &str, hint: &str) -> Result<(), Failure> {
    if again.trim() == wanted {
        return Ok(());
    }
    let wrong = format!("`{}` is not {wanted}: nothing was done", again.trim());
    Err(Failure::usage(wrong, hint))
}

/// Asks on the terminal; without one, says what a script has to add.
pub(super) fn ask(question: &str, unconfirmed: &str, wanted: &str) -> Result<String, Failure> {
    let add = format!("add --confirm {wanted}");
    if !std::io::stdin().is_terminal() {
        return Err(Failure::usage(unconfirmed, add));
    }
    let failed = |error: std::io::Error| Failure::usage(format!("no answer: {error}"), add.clone());
    print::prompt(question);
    std::io::stderr().flush().map_err(failed)?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer).map_err(failed)?;
    Ok(answer)
}
