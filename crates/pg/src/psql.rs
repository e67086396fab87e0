//! A session through the server's own psql, for servers that let nobody in over the network: one process that is fed one
//! statement after the other. Knows nothing of how the process is started.

use stillpoint_core::ports::Process;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use crate::PgError;

/// What stands between values, after a row, for NULL, and around what psql says of a statement: control characters that no
/// name and no number holds.
const FIELD: char = '\x1f';
const ROW: char = '\x1e';
const NULL: &str = "\x1a";
const SAYS: char = '\x1d';

/// The command line of a psql that such a session can be held with.
pub const PSQL: [&str; 9] = [
    "psql",
    "-XAtq",
    "--no-password",
    "--field-separator=\x1f",
    "--record-separator=\x1e",
    "--pset=null=\x1a",
    "--set=ON_ERROR_STOP=0",
    "--set=VERBOSITY=default",
    "--file=-",
];

/// More than any answer that is read whole may have.
const LIMIT: usize = 64 << 20;

pub(crate) type Row = Vec<Option<String>>;

/// The process, and how many statements it was given.
pub(crate) struct Psql {
    input: Box<dyn AsyncWrite + Send + Unpin>,
    output: Box<dyn AsyncRead + Send + Unpin>,
    control: Box<dyn stillpoint_core::ports::Control>,
    asked: u64,
}

impl Psql {
    pub(crate) fn of(process: Process) -> Option<Self> {
        Some(Self {
            input: process.input?,
            output: process.output,
            control: process.control,
            asked: 0,
        })
    }

    /// Runs a statement. An answer that nobody waited for is skipped by the next call.
    pub(crate) async fn ask(&mut self, sql: &str) -> Result<Vec<Row>, PgError> {
        self.asked += 1;
        let mark = format!("{SAYS}{}{FIELD}", self.asked);
        let echo = format!("\\echo {mark}:ERROR{FIELD}:LAST_ERROR_SQLSTATE{FIELD}:LAST_ERROR_MESSAGE{SAYS}");
        let script = format!("{sql}\n;\n{echo}\n");
        let broken = |error: std::io::Error| PgError::Broken(error.to_string());
        // A process that has ended takes no input; its last words say why.
        let fed = match self.input.write_all(script.as_bytes()).await {
            Ok(()) => self.input.flush().await,
            Err(error) => Err(error),
        };
        let mut said = Vec::new();
        loop {
            if let Some(answer) = Answer::read(&said, &mark) {
                return answer.rows();
            }
            let read = self.output.read_buf(&mut said).await.map_err(broken)?;
            if read == 0 {
                return Err(self.last_words(fed.err()).await);
            }
            if said.len() > LIMIT {
                return Err(PgError::Broken("psql answers without end".to_owned()));
            }
        }
    }

    async fn last_words(&mut self, fed: Option<std::io::Error>) -> PgError {
        match self.control.finish().await {
            Ok(exit) => PgError::NotReady(exit.errors.trim().to_owned()),
            Err(error) => fed.map_or(PgError::Engine(error), |error| PgError::Broken(error.to_string())),
        }
    }

    /// Says goodbye and waits until the process has ended.
    pub(crate) async fn close(mut self) {
        // Whatever fails here, the process is gone in the end: nothing more is asked of it.
        let _ = self.input.write_all(b"\\q\n").await;
        let _ = self.input.shutdown().await;
        let _ = self.control.finish().await;
    }

    /// Ends the process, whatever it waits for; the server notices that its client is gone.
    pub(crate) async fn kill(mut self) {
        let _ = self.control.kill().await;
    }
}

/// What psql wrote for one statement: its rows, and what it says of it.
struct Answer<'a> {
    rows: &'a str,
    failed: bool,
    code: &'a str,
    message: &'a str,
}

impl<'a> Answer<'a> {
    /// The answer that ends with the statement's mark, if all of it is there.
    fn read(said: &'a [u8], mark: &str) -> Option<Self> {
        let text = std::str::from_utf8(said).ok()?;
        let (rows, after) = text.split_once(mark)?;
        let (verdict, _) = after.split_once(&format!("{SAYS}\n"))?;
        // What a statement before has left, when nobody waited for its end.
        let rows = rows.rsplit_once(&format!("{SAYS}\n")).map_or(rows, |(_, rows)| rows);
        let mut parts = verdict.splitn(3, FIELD);
        Some(Self {
            rows,
            failed: parts.next()? == "true",
            code: parts.next()?,
            message: parts.next()?,
        })
    }

    fn rows(&self) -> Result<Vec<Row>, PgError> {
        if self.failed {
            return Err(PgError::Statement {
                message: self.message.to_owned(),
                code: self.code.to_owned(),
            });
        }
        let rows = self.rows.strip_suffix('\n').unwrap_or(self.rows);
        if self.rows.is_empty() {
            return Ok(Vec::new());
        }
        let value = |text: &str| (text != NULL).then(|| text.to_owned());
        Ok(rows
            .split(ROW)
            .map(|row| row.split(FIELD).map(value).collect())
            .collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(said: &str) -> Option<Result<Vec<Row>, String>> {
        let answer = Answer::read(said.as_bytes(), "\x1d2\x1f")?;
        Some(answer.rows().map_err(|error| error.to_string()))
    }

    #[test]
    fn rows_are_taken_apart() {
        let value = |text: &str| Some(text.to_owned());
        let rows = vec![vec![value("a\nb"), None], vec![value(""), value("|")]];
        assert_eq!(
            read("a\nb\x1f\x1a\x1e\x1f|\n\x1d2\x1ffalse\x1f00000\x1f\x1d\n"),
            Some(Ok(rows))
        );
        assert_eq!(read("\x1d2\x1ffalse\x1f00000\x1f\x1d\n"), Some(Ok(Vec::new())));
        assert_eq!(
            read("\n\x1d2\x1ffalse\x1f00000\x1f\x1d\n"),
            Some(Ok(vec![vec![value("")]]))
        );
    }

    #[test]
    fn an_error_is_told_with_its_code() {
        let said = "\x1d2\x1ftrue\x1f42P01\x1frelation \"x\" does not exist\x1d\n";
        let error = "relation \"x\" does not exist (SQLSTATE 42P01)".to_owned();
        assert_eq!(read(said), Some(Err(error)));
    }

    #[test]
    fn an_answer_that_nobody_waited_for_is_skipped() {
        let late = "late\n\x1d1\x1ffalse\x1f00000\x1f\x1d\n";
        let rows = vec![vec![Some("now".to_owned())]];
        assert_eq!(read(late), None);
        assert_eq!(
            read(&format!("{late}now\n\x1d2\x1ffalse\x1f00000\x1f\x1d\n")),
            Some(Ok(rows))
        );
    }
}
