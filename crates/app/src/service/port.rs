//! The network port of the service: pages and API for those who have an account.

use std::net::SocketAddr;
use std::sync::Arc;

use stillpoint_web::auth;
use stillpoint_web::server::{Limits, serve};
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::daemon::Daemon;
use super::platform::Served;
use crate::config::Config;
use crate::failure::Failure;
use crate::wiring;

/// An open port.
pub(super) struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

/// Opens it, where one is wanted. A service whose pages nobody can reach does not start: it would look well and be asked by
/// nobody.
pub(super) async fn open(config: &Config) -> Result<Option<Port>, Failure> {
    let Some(address) = config.access.listen else {
        return Ok(None);
    };
    let failed = |error: std::io::Error| {
        let what = format!("the service cannot listen on {address}: {error}");
        let hint = "end what listens there, or set STILLPOINT_LISTEN to another address, or to `off` for no port";
        Failure::usage(what, hint)
    };
    let listener = TcpListener::bind(address).await.map_err(failed)?;
    let address = listener.local_addr().map_err(failed)?;
    Ok(Some(Port { listener, address }))
}

impl Port {
    /// Serves until it is told to end.
    pub(super) async fn serve(self, daemon: &Arc<Daemon>, end: CancellationToken) -> JoinHandle<()> {
        let rules = daemon.config.access.rules.clone();
        let public = rules.public.as_ref().map(ToString::to_string);
        let place = public.unwrap_or_else(|| reached(self.address));
        let log = daemon.log.clone();
        let say: auth::Say = Arc::new(move |line| log.say(line));
        let accounts = Arc::new(wiring::accounts(&daemon.config));
        let served = Arc::new(Served(daemon.clone()));
        let access = auth::Access::new(rules, accounts, served.clone(), say);
        daemon
            .log
            .say(format!("the service listens on {}: {place}", self.address));
        match access.set_up_link().await {
            Ok(Some(link)) => daemon.log.say(format!(
                "nobody can sign in yet; make the first user here: {place}{link}"
            )),
            Ok(None) => {}
            Err(error) => daemon
                .log
                .say(format!("warning: {error}; until that is mended nobody can sign in")),
        }
        let router = stillpoint_web::network(served, access);
        tokio::spawn(serve(self.listener, router, Limits::default(), end))
    }
}

/// How a browser on this host reaches it.
fn reached(address: SocketAddr) -> String {
    if address.ip().is_unspecified() || address.ip().is_loopback() {
        return format!("http://localhost:{}", address.port());
    }
    format!("http://{address}")
}
