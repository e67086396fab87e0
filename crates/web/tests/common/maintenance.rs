//! The database of Dagster of the fake platform.

use stillpoint_core::maintenance::{
    CleanedDatabase, DatabaseStatus, Handled, Handler, IndexStatus, Status, TableStatus,
};
use stillpoint_core::names::StoreName;

use super::Scenario;

pub(super) fn status(scenario: Scenario) -> Status {
    match scenario {
        Scenario::Empty => Status {
            notes: vec!["no server of this platform has a database `dagster`".to_owned()],
            ..Status::default()
        },
        Scenario::Off => Status {
            disabled: true,
            databases: vec![database("dagster", 0, None)],
            ..Status::default()
        },
        Scenario::AtRisk => Status {
            databases: vec![database("dagster", 2_640_000, Some("1.5.2"))],
            failed: vec!["store postgres-metrics: the server refuses the password of postgres".to_owned()],
            ..Status::default()
        },
        Scenario::Hostile => Status {
            databases: vec![database("<script>alert(1)</script>", 1, None)],
            ..Status::default()
        },
        _ => Status {
            databases: vec![database("dagster", 12_345, Some("1.5.2"))],
            ..Status::default()
        },
    }
}

fn database(name: &str, past: u64, pg_repack: Option<&str>) -> DatabaseStatus {
    let handled = |(place, handler): (usize, Handler)| Handled {
        rows: past.min(1_000_000) / (place as u64 + 1),
        bytes: Some(past * 300),
        left: Some(past.saturating_sub(1_000_000)),
        ticks_to_drained: Some(past.saturating_sub(1_000_000).div_ceil(1_000_000)),
        ..Handled::new(handler, 30)
    };
    let table = |table: &str, bytes: u64| TableStatus {
        table: table.to_owned(),
        table_bytes: bytes,
        index_bytes: bytes / 5,
        live_rows: bytes / 800,
        dead_rows: bytes / 80_000,
    };
    DatabaseStatus {
        counted: CleanedDatabase {
            store: StoreName::new("postgres-main"),
            database: name.to_owned(),
            schema: "public".to_owned(),
            version: "7e2f3204cf8e".to_owned(),
            notes: Vec::new(),
            failed: Vec::new(),
            bytes: None,
            handlers: Handler::ALL.into_iter().enumerate().map(handled).collect(),
        },
        tables: vec![
            table("event_logs", 2_656 << 20),
            table("runs", 6 << 20),
            table("job_ticks", 21 << 20),
        ],
        indexes: vec![IndexStatus {
            index: "stillpoint_logs".to_owned(),
            usable: past == 0,
        }],
        pg_repack: pg_repack.map(str::to_owned),
    }
}
