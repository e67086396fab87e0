//! A byte now and then to a process that reads no input: proxies before an engine close what is silent for a while, often
//! for half a minute, and a dump may be silent for longer. Its output would be lost with the stream.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::task::AbortHandle;
use tokio::time::sleep;

use super::running::Input;

const EVERY: Duration = Duration::from_secs(10);

/// Goes on until it is dropped, or the stream is closed.
pub(super) struct KeepAlive(AbortHandle);

impl KeepAlive {
    pub(super) fn over(mut input: Input) -> Self {
        let beats = tokio::spawn(async move {
            loop {
                sleep(EVERY).await;
                if input.write_all(b"\n").await.is_err() || input.flush().await.is_err() {
                    return;
                }
            }
        });
        Self(beats.abort_handle())
    }
}

impl Drop for KeepAlive {
    fn drop(&mut self) {
        self.0.abort();
    }
}
