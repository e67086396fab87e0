//! PostgreSQL on its real engine: at least one object of every class, on the newest server and on an older one, over
//! what is there and on an empty server.

mod differences;
mod known;
mod server;

use anyhow::Result;
use differences::{Known, differences};
use server::{Server, on_server};

const EVERY_CLASS: &str = include_str!("every_class.sql");

#[test]
fn every_class_of_object_comes_back() -> Result<()> {
    on_server("every", "POSTGRES", |server| round_trip(server, "POSTGRES", &[]))
}

#[test]
fn every_class_of_object_comes_back_on_15_and_moves_to_17() -> Result<()> {
    on_server("every15", "POSTGRES15", |server| {
        round_trip(server, "POSTGRES", known::FROM_15_TO_17)
    })
}

/// Over what is there, then on an empty server of another image.
fn round_trip(server: &Server, to: &str, moved: &[Known]) -> Result<()> {
    server.psql(EVERY_CLASS)?;
    let before = server.facts()?;
    let id = server.product.backup()?;
    server.psql(include_str!("wreck.sql"))?;
    server
        .product
        .run(&["restore", &id, "--confirm", &id])?
        .must_end_with(0)?;
    assert_eq!(
        differences(&before, &server.facts()?, known::ALWAYS),
        Vec::<String>::new()
    );

    server.replace_by(to)?;
    server
        .product
        .run(&["restore", &id, "--confirm", &id])?
        .must_end_with(0)?;
    let moved: Vec<&Known> = known::ALWAYS.iter().chain(known::ELSEWHERE).chain(moved).collect();
    assert_eq!(differences(&before, &server.facts()?, moved), Vec::<String>::new());
    Ok(())
}
