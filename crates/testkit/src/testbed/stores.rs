//! The stores of the platform: what each is called, and who may look into it. Knows names and passwords; nothing here acts.

/// A store in `testbed/compose.yaml`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Store {
    Postgres,
    Documentdb,
    Valkey,
    Nats,
    Neo4j,
    Clickhouse,
    Milvus,
}

impl Store {
    /// The Compose service.
    pub(super) fn service(self) -> &'static str {
        match self {
            Self::Postgres => "postgres-main",
            Self::Documentdb => "postgres-ferretdb",
            Self::Valkey => "valkey",
            Self::Nats => "nats",
            Self::Neo4j => "neo4j",
            Self::Clickhouse => "clickhouse",
            Self::Milvus => "milvus",
        }
    }

    /// What its image is called in `places::image`.
    pub(super) fn image(self) -> &'static str {
        match self {
            Self::Postgres => "POSTGRES",
            Self::Documentdb => "DOCUMENTDB",
            Self::Valkey => "VALKEY",
            Self::Nats => "NATS",
            Self::Neo4j => "NEO4J",
            Self::Clickhouse => "CLICKHOUSE",
            Self::Milvus => "MILVUS",
        }
    }

    /// The volumes that hold its data: its own first, then those of services that keep some of it.
    pub(super) fn volumes(self) -> &'static [&'static str] {
        match self {
            Self::Postgres => &["postgres-data"],
            Self::Documentdb => &["ferretdb-data"],
            Self::Valkey => &["valkey-data"],
            Self::Nats => &["nats-data"],
            Self::Neo4j => &["neo4j-data"],
            Self::Clickhouse => &["clickhouse-data"],
            Self::Milvus => &["milvus-data", "etcd-data", "seaweedfs-data"],
        }
    }

    /// Its word in `WITNESS_STORES`, of which a file in `testbed/images/witness/stores` and its seed are named.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Documentdb => "documentdb",
            Self::Valkey => "valkey",
            Self::Nats => "nats",
            Self::Neo4j => "neo4j",
            Self::Clickhouse => "clickhouse",
            Self::Milvus => "milvus",
        }
    }
}

/// A password of the platform: the variable of `compose.yaml` that sets it, and its value in every testbed.
pub(super) type Password = (&'static str, &'static str);

/// The superuser `postgres`.
pub(super) const POSTGRES: Password = ("POSTGRES_PASSWORD", "postgres-secret");
/// The superuser `postgres` of DocumentDB's server.
pub(super) const DOCUMENTDB: Password = ("FERRETDB_POSTGRES_PASSWORD", "ferretdb-secret");
/// Valkey's default user.
pub(super) const VALKEY: Password = ("VALKEY_PASSWORD", "valkey-secret");
/// The user `app` of NATS' account APP.
pub(super) const NATS_APP: Password = ("NATS_APP_PASSWORD", "app-secret");
/// The user `bk` of NATS' account APP, who may only back up and restore.
pub(super) const NATS_BACKUP: Password = ("NATS_BACKUP_PASSWORD", "bk-secret");
/// The user `other` of NATS' account OTHER.
pub(super) const NATS_OTHER: Password = ("NATS_OTHER_PASSWORD", "other-secret");
/// The user `sys` of NATS' system account.
pub(super) const NATS_SYSTEM: Password = ("NATS_SYSTEM_PASSWORD", "sys-secret");
/// Neo4j's user `neo4j`.
pub(super) const NEO4J: Password = ("NEO4J_PASSWORD", "neo4j-secret");
/// ClickHouse's user `clickhouse`.
pub(super) const CLICKHOUSE: Password = ("CLICKHOUSE_PASSWORD", "clickhouse-secret");
/// Milvus' user `root`, from the seed on.
pub(super) const MILVUS: Password = ("MILVUS_PASSWORD", "milvus-secret");

/// Those of NATS' configuration.
pub(super) const OF_NATS: [Password; 4] = [NATS_APP, NATS_BACKUP, NATS_OTHER, NATS_SYSTEM];

/// All of them: a testbed's passwords are never those of whoever started it.
pub(super) const PASSWORDS: [Password; 10] = [
    POSTGRES,
    DOCUMENTDB,
    VALKEY,
    NATS_APP,
    NATS_BACKUP,
    NATS_OTHER,
    NATS_SYSTEM,
    NEO4J,
    CLICKHOUSE,
    MILVUS,
];
