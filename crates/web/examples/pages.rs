//! Serves the pages of a platform that exists nowhere, to look at them:
//! `cargo run -p stillpoint-web --example pages -- SCENARIO PORT`.

#[path = "../tests/common/mod.rs"]
mod common;

use common::{Fake, Scenario};

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let mut words = std::env::args().skip(1);
    let wanted = words.next().unwrap_or_else(|| "protected".to_owned());
    let port: u16 = words.next().map_or(Ok(3004), |port| port.parse())?;
    let known = Scenario::ALL.into_iter().find(|(name, _)| *name == wanted);
    let Some((_, scenario)) = known else {
        let names: Vec<&str> = Scenario::ALL.iter().map(|(name, _)| *name).collect();
        return Err(format!("`{wanted}` is none of {}", names.join(", ")).into());
    };
    let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
    axum::serve(listener, stillpoint_web::local(Fake::new(scenario))).await?;
    Ok(())
}
