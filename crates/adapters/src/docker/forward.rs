//! A port of the loopback that leads to a container's: each connection is dialled anew and carried until
//! either side ends it. Closed, with all its connections, when its holder drops it.

use std::net::Ipv4Addr;

use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::{EngineError, Forward, Reach};
use tokio::io::copy_bidirectional_with_sizes;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinSet, spawn};

use super::connect::Docker;
use super::errors::{Act, container_called};

/// Bytes that are carried at once. A store hands out gigabytes this way, and tokio's own 8 KiB are many small calls.
const AT_ONCE: usize = 64 << 10;

/// Ends the carrying with its holder.
struct Carrier(tokio::task::AbortHandle);

impl Drop for Carrier {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Docker {
    /// See [`Reach::forward`].
    pub(super) async fn open_forward(&self, workload: &WorkloadId, port: u16) -> Result<Forward, EngineError> {
        let container = container_called(workload.as_str());
        let act = Act::new(format!("forward port {port} of {container}"), container);
        let refused = |error: std::io::Error| act.refused(format!("no port of this host's loopback: {error}"));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.map_err(refused)?;
        let local = listener.local_addr().map_err(refused)?.port();
        let carrying = spawn(carry(self.clone(), listener, workload.clone(), port));
        Ok(Forward::new(local, Box::new(Carrier(carrying.abort_handle()))))
    }
}

/// The set ends its tasks when it is dropped, and it is dropped with this task.
async fn carry(docker: Docker, listener: TcpListener, workload: WorkloadId, port: u16) {
    let mut connections = JoinSet::new();
    while let Ok((near, _)) = listener.accept().await {
        while connections.try_join_next().is_some() {}
        connections.spawn(connect(docker.clone(), near, workload.clone(), port));
    }
}

/// Whoever connected sees a failure as the end of its connection, and says so in its own words.
async fn connect(docker: Docker, mut near: TcpStream, workload: WorkloadId, port: u16) {
    let _ = near.set_nodelay(true);
    if let Ok(mut far) = docker.dial(&workload, port).await {
        let _ = copy_bidirectional_with_sizes(&mut near, &mut far, AT_ONCE, AT_ONCE).await;
    }
}
