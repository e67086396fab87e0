//! `stillpoint healthcheck`.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use stillpoint_core::engine::errors::Exit;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::config::Config;
use crate::display::print;
use crate::failure::Failure;
use crate::service::Client;

/// How long the port may take to answer.
const PATIENCE: Duration = Duration::from_secs(5);

/// Ask whether the service of this state directory answers, on its socket and on its port: ends with 0 or 1
#[derive(clap::Args, Debug)]
pub(super) struct Args {}

pub(super) async fn run(config: &Config, _: &Args) -> Result<Exit, Failure> {
    let Some(client) = Client::find(&config.platform.state_dir).await else {
        let state_dir = config.platform.state_dir.display();
        print::error(&format!("no service answers on the socket in {state_dir}"));
        return Ok(Exit::RunFailed);
    };
    // Whoever has asked for any free port does not know which it is.
    if let Some(listen) = config.access.listen.filter(|listen| listen.port() != 0) {
        let answer = tokio::time::timeout(PATIENCE, asked(near(listen))).await;
        let why = match answer {
            Ok(Ok(())) => None,
            Ok(Err(error)) => Some(error.to_string()),
            Err(late) => Some(late.to_string()),
        };
        if let Some(why) = why {
            print::error(&format!("the service answers on its socket and not on {listen}: {why}"));
            return Ok(Exit::RunFailed);
        }
    }
    print::summary(
        config.json,
        &format!("The service answers (process {}).", client.service.process),
    );
    Ok(Exit::Ok)
}

/// Where somebody on this host reaches it.
fn near(listen: SocketAddr) -> SocketAddr {
    let ip = match listen.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    };
    SocketAddr::new(ip, listen.port())
}

async fn asked(address: SocketAddr) -> std::io::Result<()> {
    let mut stream = TcpStream::connect(address).await?;
    let request = format!("GET /readyz HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).await?;
    let mut answer = Vec::new();
    stream.take(4096).read_to_end(&mut answer).await?;
    let answer = String::from_utf8_lossy(&answer);
    match answer.strip_prefix("HTTP/1.1 200") {
        Some(_) => Ok(()),
        None => Err(std::io::Error::other(
            answer.lines().next().unwrap_or("it says nothing").to_owned(),
        )),
    }
}
