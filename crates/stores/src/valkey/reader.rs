//! A process in the server's container that has a dump open. It runs before the server forks, so that it can open
//! the file which the fork writes at once: what is open stays that file, whatever is renamed over its name.
//!
//! A server's child writes `temp-<its pid>.rdb` in the folder of its fork and renames it when it is whole (`rdb.c`).
//! We talk with the process in lines: `look` opens a file anew, `written` asks whether its writer is done with it,
//! `go` brings its bytes. At the end of its input it ends by itself.

use stillpoint_core::engine::limits::LOOK_EVERY;
use stillpoint_core::ports::{Command, EngineError, Process};
use stillpoint_core::stores::{Cx, StoreError};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::ValkeyStore;
use super::layout::Layout;
use crate::toolbox::{Doing, end, guarded};

/// Holds files of the folder `$1` open. Arguments: folder, name of the dump, pid of the server.
///
/// The server's own tool, where it is there, reads what is open at the same time: by a descriptor of its own.
const HOLD: &str = r#"
cd "$1" || exit
dump=$2 server=$3
is_child() {
  while read -r key value; do
    if [ "$key" = PPid: ]; then [ "$value" = "$server" ]; return; fi
  done <"/proc/$1/status"
  return 1
}
find_child() {
  for file in temp-*.rdb; do
    child=${file#temp-}; child=${child%.rdb}
    case $child in '' | *[!0-9]*) continue ;; esac
    if is_child "$child"; then return 0; fi
  done 2>/dev/null
  return 1
}
tool() {
  for tool in valkey-check-rdb redis-check-rdb; do
    if command -v "$tool" >/dev/null 2>&1; then exec "$tool" /proc/self/fd/3; fi
  done
}
bring() {
  tool >&2 &
  cat <&3 || exit
  wait "$!"
  exit
}
held() {
  echo "$1"
  while IFS= read -r word; do
    case $word in
      look) return 0 ;;
      written) if [ "$1" = temp ] && [ -e "temp-$child.rdb" ] && [ -e "/proc/$child" ]; then echo no; else echo yes; fi ;;
      go) bring ;;
    esac
  done
  exit 1
}
IFS= read -r word
while [ "$word" = look ]; do
  if find_child && { held temp; } 3<"./temp-$child.rdb"; then continue; fi
  if { held dump; } 3<"./$dump"; then continue; fi
  echo none
  IFS= read -r word
done
"#;

/// What it has open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Held {
    /// The file that a child of the server wrote when it was opened.
    Temporary,
    /// The dump, by its name.
    Dump,
    /// Nothing: there is no dump.
    Nothing,
}

/// What a dump is read with.
pub(super) const READING: Doing<'_> = Doing {
    what: "reading the dump",
    tool: "sh",
};

/// The process.
pub(super) struct Reader(Process);

impl Reader {
    /// Starts it. It has nothing open yet.
    pub(super) async fn begin(cx: &Cx, store: &ValkeyStore, layout: &Layout, server: &str) -> Result<Self, StoreError> {
        let command = Command::new(["sh", "-c", HOLD, "sh", &layout.folder, &layout.dump, server]).with_input();
        Ok(Self(cx.shell.exec(&store.workload, command).await?))
    }

    /// Opens what a child of the server writes now, or else the dump.
    pub(super) async fn look(&mut self, cx: &Cx) -> Result<Held, StoreError> {
        match self.ask(cx, "look").await?.as_str() {
            "temp" => Ok(Held::Temporary),
            "dump" => Ok(Held::Dump),
            "none" => Ok(Held::Nothing),
            other => Err(cut(format!("it said `{other}`"))),
        }
    }

    /// Waits until whoever writes what is open has ended, or has given the file its name.
    pub(super) async fn written(&mut self, cx: &Cx) -> Result<(), StoreError> {
        while self.ask(cx, "written").await? != "yes" {
            guarded(cx, "waiting", cx.clock.sleep(LOOK_EVERY)).await?;
        }
        Ok(())
    }

    /// Has it bring the bytes of what is open: they are the output of the process from now on.
    pub(super) async fn go(mut self, cx: &Cx) -> Result<Process, StoreError> {
        match self.say(cx, "go").await {
            Ok(()) => Ok(self.0),
            Err(error) => {
                self.end(cx).await;
                Err(error)
            }
        }
    }

    /// Ends it.
    pub(super) async fn end(self, cx: &Cx) {
        end(cx, READING, self.0).await;
    }

    /// Ends it without a word.
    pub(super) async fn kill(mut self) {
        // An open file holds nothing up: where it cannot be ended now, the end of the run reaps it.
        let _ = self.0.control.kill().await;
    }

    async fn ask(&mut self, cx: &Cx, word: &str) -> Result<String, StoreError> {
        self.say(cx, word).await?;
        let mut line = Vec::new();
        loop {
            let byte = guarded(cx, READING.what, self.0.output.read_u8()).await?;
            match byte {
                Ok(b'\n') => return Ok(String::from_utf8_lossy(&line).into_owned()),
                Ok(byte) => line.push(byte),
                Err(error) => return Err(self.why(error).await),
            }
        }
    }

    async fn say(&mut self, cx: &Cx, word: &str) -> Result<(), StoreError> {
        let line = format!("{word}\n");
        let Some(input) = &mut self.0.input else {
            return Err(cut("it has no input".to_owned()));
        };
        let said = async {
            input.write_all(line.as_bytes()).await?;
            input.flush().await
        };
        match guarded(cx, READING.what, said).await? {
            Ok(()) => Ok(()),
            Err(error) => Err(self.why(error).await),
        }
    }

    /// Why it ended before it was told to: its own words, where there are some.
    async fn why(&mut self, error: std::io::Error) -> StoreError {
        match self.0.control.finish().await {
            Ok(exit) => StoreError::Tool {
                doing: READING.what.to_owned(),
                tool: READING.tool.to_owned(),
                code: exit.code,
                errors: exit.errors.trim().to_owned(),
            },
            Err(_) => cut(error.to_string()),
        }
    }
}

fn cut(cause: String) -> StoreError {
    StoreError::Engine(EngineError::Cut {
        what: format!("{} ({})", READING.tool, READING.what),
        cause,
    })
}

#[cfg(test)]
#[path = "reader_tests.rs"]
mod tests;
