//! Ctrl-C and SIGTERM: the first one undoes, a second one explains that it is being undone. Nothing
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
    let (Ok(mut interrupt), Ok(mut terminate)) = (signal(SignalKind::interrupt()), signal(SignalKind::terminate()))
    else {
        print::error("warning: signals cannot be heard; do not kill this process, it would leave the platform down");
        return;
    };
    loop {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
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
