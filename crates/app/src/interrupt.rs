//! Ctrl-C, SIGTERM, and the end of a terminal (SIGHUP): the first one undoes, a second one explains that it is being undone. Nothing
//! here ends the process: that would leave the platform down.

use tokio::signal::unix::{SignalKind, signal};
use tokio_util::sync::CancellationToken;

use crate::display::print;

/// A token that is cancelled by the first signal.
pub(crate) fn token() -> CancellationToken {
    let token = CancellationToken::new();
    tokio::spawn(listen(token.clone()));
    token
}

async fn listen(token: CancellationToken) {
    let heard = |kind| signal(kind).ok();
    let signals = (
        heard(SignalKind::interrupt()),
        heard(SignalKind::terminate()),
        heard(SignalKind::hangup()),
    );
    let (Some(mut interrupt), Some(mut terminate), Some(mut hangup)) = signals else {
        print::error("warning: signals cannot be heard: one that ends this process leaves the rest to its watchdog");
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
        if token.is_cancelled() {
            print::error(
                "still undoing: what was started in containers is ended, then every container that ran is started",
            );
        } else {
            print::error("interrupted: undoing");
            token.cancel();
        }
    }
}
