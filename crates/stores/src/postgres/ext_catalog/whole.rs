//! Whether a script of this kind is whole, told from its bytes as they stream by: no row of it is held.

use stillpoint_core::stores::StoreError;

use super::script::{COPIED, END_OF_ROWS, LAST_LINE, ROWS};

/// More than any line that means something has behind its names.
const TAIL: usize = 64;

/// Reads along.
#[derive(Default)]
pub(in crate::postgres) struct Whole {
    /// The end of the present line, and whether it is all of it.
    line: Vec<u8>,
    is_cut: bool,
    /// The rows have begun.
    has_rows: bool,
    is_copying: bool,
    last: Vec<u8>,
}

impl Whole {
    /// Takes a piece of the script.
    pub(in crate::postgres) fn add(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.line.extend_from_slice(part);
            if self.line.last() == Some(&b'\n') {
                self.end_line();
            } else if self.line.len() > 2 * TAIL {
                self.is_cut = true;
                let cut = self.line.len() - TAIL;
                self.line.drain(..cut);
            }
        }
    }

    fn end_line(&mut self) {
        let line = std::mem::take(&mut self.line);
        let text = line.strip_suffix(b"\n").unwrap_or(&line);
        let is = |what: &str| !self.is_cut && line == what.as_bytes();
        if is(ROWS) {
            self.has_rows = true;
        } else if self.is_copying {
            self.is_copying = self.is_cut || text != END_OF_ROWS.as_bytes();
        } else if self.has_rows && text.ends_with(COPIED.as_bytes()) {
            self.is_copying = true;
        }
        self.last = if self.is_cut { Vec::new() } else { line };
        self.is_cut = false;
    }

    /// Fails where the script ended too early.
    pub(in crate::postgres) fn finish(self) -> Result<(), StoreError> {
        let broken = |what: &str| Err(StoreError::Damaged(what.to_owned()));
        if self.is_copying {
            return broken("it ends among the rows of a table");
        }
        if !self.has_rows || !self.line.is_empty() || self.last != LAST_LINE.as_bytes() {
            return broken("it ends before its end");
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(script: &str, at_once: usize) -> Result<(), String> {
        let mut whole = Whole::default();
        for piece in script.as_bytes().chunks(at_once) {
            whole.add(piece);
        }
        whole.finish().map_err(|error| error.to_string())
    }

    #[test]
    fn what_is_whole_is_told_from_what_is_not_however_it_arrives() {
        let long = "x".repeat(1000);
        let script = format!(
            "-- title\n{ROWS}BEGIN;\nCOPY s.\"{long}\" (a) FROM stdin;\n{long}\\\\.\n\\\\.\n-- Stillpoint: complete\n\\.\nCOMMIT;\n{LAST_LINE}"
        );
        for at_once in [1, 7, 100, script.len()] {
            assert_eq!(read(&script, at_once), Ok(()));
            let cut = script.find("COMMIT").unwrap();
            assert_eq!(read(&script[..cut], at_once), Err("it ends before its end".to_owned()));
            let among = script.find("\n\\.\n").unwrap();
            assert_eq!(
                read(&script[..among], at_once),
                Err("it ends among the rows of a table".to_owned())
            );
        }
        assert!(read(LAST_LINE, 10).is_err());
    }
}
