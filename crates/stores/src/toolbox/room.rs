//! Room for what a restore puts beside the present data, asked for in the store's own container.

use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::Command;
use stillpoint_core::stores::{Cx, StoreError};

use super::{Doing, collect};

/// Free bytes below a folder of the container. None where it has no `df` that we understand: a load that
/// does not fit then fails by itself.
pub(crate) async fn room(cx: &Cx, workload: &WorkloadId, folder: &str) -> Result<Option<u64>, StoreError> {
    let process = cx.shell.exec(workload, Command::new(["df", "-Pk", folder])).await?;
    let doing = Doing {
        what: "asking for room",
        tool: "df",
    };
    match collect(cx, doing, process).await {
        Ok(answer) => Ok(free(&answer)),
        Err(StoreError::Tool { .. }) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The fourth word of the last line, in KiB (POSIX, `df -P`).
fn free(answer: &str) -> Option<u64> {
    let blocks = answer.lines().last()?.split_whitespace().nth(3)?;
    Some(blocks.parse::<u64>().ok()? << 10)
}

#[cfg(test)]
mod tests {
    use super::free;

    #[test]
    fn room_is_told_in_bytes() {
        let answer = "Filesystem 1024-blocks Used Available Capacity Mounted on\n/dev/vda1 100 60 40 60% /data\n";
        assert_eq!(free(answer), Some(40 << 10));
        assert_eq!(free("df: no such thing"), None);
    }
}
