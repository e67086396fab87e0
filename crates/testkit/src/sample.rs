//! The platform on which most tests of the engine play: small, with one workload of every sort.

use std::time::Duration;

use stillpoint_core::workload::State;

use crate::fakes::{Container, Restart, World};

/// The sample's platform.
pub const PLATFORM: &str = "acme";

/// Its stores.
pub const STORES: [&str; 2] = ["db", "queue"];

/// What is stopped for a backup.
pub const CLIENTS: [&str; 2] = ["api", "web"];

/// What is managed and runs: clients and stores.
pub const MANAGED: [&str; 4] = ["api", "db", "queue", "web"];

/// What is stopped for a restore: also what is paused.
pub const RESTORED: [&str; 5] = ["api", "cron", "db", "queue", "web"];

/// What a backup leaves as it is: `backup-agent` and `seaweedfs-s3` are kept, `cron` is paused,
/// `worker` has exited, `migrate` was never started, `job` is removed when it ends.
pub const LEFT: [&str; 6] = ["backup-agent", "cron", "job", "migrate", "seaweedfs-s3", "worker"];

/// The sample's world with stores of which none needs the clients down until it is drained; one is paused for its pin.
pub fn pinned_world() -> World {
    let world = world();
    world.add(Container::frozen_store("queue", &[("messages", 7)]).restarts(Restart::No));
    world
}

/// A world with the sample platform, and another project beside it.
pub fn world() -> World {
    World::of([
        Container::store("db", &[("orders", 5), ("public.users", 3)])
            .healthy_after(Duration::from_millis(500))
            .restarts(Restart::Always),
        Container::cold_store("queue", &[("messages", 7)]).restarts(Restart::No),
        Container::client("api")
            .healthy_after(Duration::from_millis(300))
            .with_volume("api-data", "/data")
            .with_folder("/srv/api", "/srv")
            .told(&[
                "DB_URL=fake://api:secret@db/orders",
                "QUEUE_HOST=queue",
                "QUEUE_USER=api",
                "QUEUE_PASSWORD=secret",
            ])
            .depends_on("db:service_healthy:true,queue:service_started:false")
            .restarts(Restart::Always),
        Container::client("web")
            .told(&["DATABASE_URL=fake://api:secret@acme-db-1/orders"])
            .depends_on("api:service_started:true"),
        Container::client("worker").that_is(State::Exited),
        Container::client("migrate").that_is(State::Created),
        Container::client("cron").that_is(State::Paused),
        Container::client("seaweedfs-s3"),
        Container::client("backup-agent"),
        Container::client("job").auto_removed(),
        Container::client("blog").of("other"),
    ])
}
