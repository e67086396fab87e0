//! How much room the disk of the server has left, as its container sees it.

use std::time::Duration;

use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::{Command, within};
use stillpoint_core::stores::Cx;
use tokio::io::AsyncReadExt;

use crate::Failed;
use crate::work::{SHORT, Work};

/// `df` answers at once, unless a disk hangs.
const LIMIT: Duration = Duration::from_secs(30);
const MOST: u64 = 16 << 10;

/// Deletions write WAL before they free anything, and so does whoever builds an index: below so many free bytes nothing begins.
const LEAST_FREE: u64 = 1 << 30;

/// Fails where the server's disk has less room than a cleanup needs.
pub(crate) async fn must_be_there(work: &Work<'_>, container: &WorkloadId) -> Result<(), Failed> {
    match free(work, container).await? {
        Some(free) if free < LEAST_FREE => Err(Failed::Unfit(format!(
            "the disk of the server has {free} bytes left, and a cleanup writes before it frees anything: it begins with \
             {LEAST_FREE} bytes free"
        ))),
        _ => Ok(()),
    }
}

/// Bytes that are free where the server keeps its data. None: it cannot be told.
pub(crate) async fn free(work: &Work<'_>, container: &WorkloadId) -> Result<Option<u64>, Failed> {
    let directory = match work
        .value(SHORT, "asking where the data is", "SHOW data_directory")
        .await
    {
        // Only a superuser is told.
        Err(failed) if failed.is_forbidden() => return Ok(None),
        directory => directory?,
    };
    let (code, said, _) = exec(
        work.cx,
        container,
        Command::new(["df", "-Pk", "--", directory.as_str()]),
        LIMIT,
    )
    .await?;
    Ok((code == 0).then(|| available(&said)).flatten())
}

/// The fourth column of the last line, in units of 1024 bytes (POSIX).
fn available(said: &str) -> Option<u64> {
    let last = said.lines().rfind(|line| !line.trim().is_empty())?;
    let kilobytes: u64 = last.split_whitespace().nth(3)?.parse().ok()?;
    Some(kilobytes.saturating_mul(1024))
}

/// Runs a program that says little; its exit code, output, and the ends of its error output. One that is late or no longer wanted is
/// ended.
pub(crate) async fn exec(
    cx: &Cx,
    container: &WorkloadId,
    command: Command,
    limit: Duration,
) -> Result<(i64, String, String), Failed> {
    let program = command.program().to_owned();
    let mut process = cx.shell.exec(container, command).await?;
    let mut said = Vec::new();
    let mut output = process.output.take(MOST);
    let ran = async {
        // What it says beyond that is of no interest, but it must be able to say it.
        let read = output.read_to_end(&mut said).await;
        let rest = tokio::io::copy(&mut output.into_inner(), &mut tokio::io::sink()).await;
        read.and(rest)
    };
    let ran = within(&*cx.clock, limit, &program, cx.cancel.run_until_cancelled(ran)).await;
    let ended = match ran {
        Ok(Some(Ok(_))) => None,
        Ok(Some(Err(error))) => Some(Failed::Unfit(format!("{program}: {error}"))),
        Ok(None) => Some(Failed::Cancelled),
        Err(late) => Some(Failed::Unfit(late.to_string())),
    };
    if let Some(failed) = ended {
        process.control.kill().await?;
        return Err(failed);
    }
    let exit = process.control.finish().await?;
    Ok((exit.code, String::from_utf8_lossy(&said).into_owned(), exit.errors))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_free_bytes_are_read_from_the_portable_form() {
        let said = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 100 40 60 40% /\n";
        assert_eq!(available(said), Some(60 * 1024));
        assert_eq!(available("df: nothing"), None);
        assert_eq!(available(""), None);
    }
}
