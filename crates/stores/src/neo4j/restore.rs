//! The restore. A load deletes the old data before it reads the new, and a server whose load has failed comes up green and
//! empty: so the dumps are read to their ends first, loaded into a new folder beside the stopped server's data, recovered and
//! counted there by a server of their own, and only then exchanged for the old by renames. What was there is set aside, and
//! stays so until it is settled.

use async_trait::async_trait;
use secrecy::ExposeSecret;
use serde_json::json;
use stillpoint_core::manifest::{Artifact, StoreRecord};
use stillpoint_core::stores::{Aside, Cx, Footing, Old, Source, Staged, StoreError};

use super::access::Login;
use super::aside::Scripts;
use super::beside::{ADMIN, Beside, Place, RESTORE};
use super::check::verdict;
use super::drain::{DATABASE, LAST_TRANSACTION};
use super::dump::Check;
use super::layout::{self, Layout};
use super::moment::{self, Moment};
use super::session::{AskError, SYSTEM, Session};
use super::{Neo4jStore, aside, inventory, versions};
use crate::toolbox::{Doing, damaged, feed_watched};

const LOADING: &str = "loading a dump beside the old data";

/// Says whether something was set aside. Arguments: its folder.
const IS_THERE: &str = r#"if [ -d "$1" ]; then echo yes; fi"#;

/// A restore of one server: first while it is stopped, then while it runs again.
pub(super) struct Restore {
    store: Neo4jStore,
    source: Source,
    /// The server was asked while it ran whether the source fits, and the source was read to its end.
    is_examined: bool,
}

impl Restore {
    pub(super) fn of(store: &Neo4jStore, source: Source, is_examined: bool) -> Self {
        Self {
            store: store.clone(),
            source,
            is_examined,
        }
    }
}

#[async_trait]
impl Staged for Restore {
    fn footings(&self) -> Vec<Footing> {
        vec![Footing::Stopped, Footing::Running]
    }

    async fn carry_out(&mut self, cx: &Cx, stage: usize) -> Result<(), StoreError> {
        match stage {
            0 => self.place(cx).await,
            1 => self.see(cx).await,
            _ => Err(self.store.unfit(&format!("a restore has no stage {stage}"))),
        }
    }
}

impl Restore {
    async fn place(&self, cx: &Cx) -> Result<(), StoreError> {
        let store = &self.store;
        let mut beside = Beside::begin(cx, &store.workload, RESTORE).await?;
        let placed = async {
            let layout = store.learn(cx, &beside.id).await?;
            let loaded = self.load_and_place(cx, &mut beside, &layout).await;
            if loaded.is_err() {
                // What did not come into place is of no use. If it cannot go now, the next restore removes it.
                let (text, arguments) = Scripts(&store.name).discard(&layout.data);
                let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
                let _ = beside
                    .work(cx, "removing what was not put in place", &text, &arguments)
                    .await;
            }
            loaded
        };
        let placed = placed.await;
        beside.end(cx, placed).await
    }

    async fn load_and_place(&self, cx: &Cx, beside: &mut Beside, layout: &Layout) -> Result<(), StoreError> {
        let (store, record) = (&self.store, &self.source.record);
        let folder = format!("{}/{}", layout.data, aside::new(&store.name));
        carry_out(
            cx,
            beside,
            "making room for the new data",
            &Scripts(&store.name).clear(layout),
        )
        .await?;
        beside.furnish(cx, layout, &Place::of(&folder)).await?;
        if !self.is_examined {
            let version = beside.version(cx).await?;
            store.must_be_new_enough(&version, record)?;
            store.must_be_sound(cx, &self.source).await?;
        }
        let artifacts = store.artifacts_of(record)?;
        for artifact in &artifacts {
            self.load(cx, beside, layout, artifact).await?;
        }
        if !artifacts.iter().any(|artifact| is_system(artifact)) {
            let take = Scripts(&store.name).take_system(layout);
            carry_out(cx, beside, "taking the present users along", &take).await?;
        }
        let moment = Moment::begin(cx, beside).await?;
        let proven = async {
            let login = store.access.login(cx, &beside.id).await?;
            let session = moment::ask(cx, beside, store).await?;
            if let Some(login) = login {
                store.let_in(&session, &login).await?;
            }
            store.must_hold(&session, layout, record).await
        };
        let proven = proven.await;
        moment.end(cx, proven).await?;
        beside.must_be_clean(cx, &[&layout.database, SYSTEM]).await?;
        let place = Scripts(&store.name).place(layout);
        carry_out(cx, beside, "putting the new data in place", &place).await
    }

    /// The database gets the name that the server here has for it: its users and settings know no other.
    async fn load(&self, cx: &Cx, beside: &Beside, layout: &Layout, artifact: &Artifact) -> Result<(), StoreError> {
        let store = &self.store;
        let reader = self
            .source
            .artifacts
            .open(&store.name, artifact)
            .await
            .map_err(damaged)?;
        let target = if is_system(artifact) { SYSTEM } else { &layout.database };
        let words = [
            ADMIN,
            "database",
            "load",
            target,
            "--from-stdin",
            "--overwrite-destination=true",
        ];
        let command = beside.command(words).with_input().detects_truncated_input();
        let process = cx.shell.exec(&beside.id, command).await?;
        let mut check = Check::new();
        let doing = Doing {
            what: LOADING,
            tool: ADMIN,
        };
        let fed = feed_watched(cx, doing, process, reader, &mut |piece| check.take(piece)).await;
        // What we find ourselves says more than the end of the tool.
        match fed {
            Err(error @ StoreError::Tool { .. }) => verdict(check).and(Err(error)),
            fed => fed.and_then(|()| verdict(check).map(drop)),
        }
    }

    /// Whether the server serves what was loaded, and lets us in. What it holds is counted by whoever asked for the restore.
    async fn see(&self, cx: &Cx) -> Result<(), StoreError> {
        let store = &self.store;
        let layout = store.learn(cx, &store.workload).await?;
        let session = store.open(cx).await?;
        store.must_not_be_behind(&session, &layout, &self.source.record).await
    }
}

impl Neo4jStore {
    /// One of a database, and of `system` at most one.
    pub(super) fn artifacts_of<'a>(&self, record: &'a StoreRecord) -> Result<Vec<&'a Artifact>, StoreError> {
        let (systems, databases): (Vec<&Artifact>, Vec<&Artifact>) =
            record.artifacts.iter().partition(|artifact| is_system(artifact));
        let are_known = record.artifacts.iter().all(|artifact| artifact.content == DATABASE);
        if !are_known || databases.len() != 1 || systems.len() > 1 {
            return Err(self.unfit("the backup does not hold one dump of its database, and one of its users"));
        }
        Ok(databases.into_iter().chain(systems).collect())
    }

    pub(super) fn must_be_new_enough(&self, server: &str, record: &StoreRecord) -> Result<(), StoreError> {
        match versions::refuses(server, &record.version) {
            Some(why) => Err(self.unfit(&why)),
            None => Ok(()),
        }
    }

    /// Reads every dump to its end, and returns how many bytes a load of all of them writes.
    pub(super) async fn must_be_sound(&self, cx: &Cx, source: &Source) -> Result<u64, StoreError> {
        let mut bytes = 0;
        for artifact in self.artifacts_of(&source.record)? {
            let sound = self.read_dump(cx, artifact, &source.artifacts).await;
            bytes += sound
                .map_err(|error| match error {
                    StoreError::Damaged(what) => StoreError::Damaged(format!("{}: {what}", artifact.name)),
                    error => error,
                })?
                .bytes;
        }
        Ok(bytes)
    }

    /// Gives the one whom we log in as the password that the platform has for him, whatever it was in the backup. Nobody has
    /// to log in for that: Neo4j's manual, "Password and user recovery".
    async fn let_in(&self, session: &Session<'_>, login: &Login) -> Result<(), StoreError> {
        const SAME: &str = "cannot be the same";
        let failed = |trouble| self.failed("giving the platform's user its password", trouble);
        let who = json!({"user": login.user, "password": login.password.expose_secret()});
        for statement in [
            "CREATE USER $user IF NOT EXISTS SET PASSWORD $password CHANGE NOT REQUIRED",
            "ALTER USER $user SET PASSWORD $password CHANGE NOT REQUIRED",
        ] {
            match session.ask(SYSTEM, statement, who.clone()).await {
                Err(AskError::Refused { message, .. }) if message.contains(SAME) => {}
                answer => drop(answer.map_err(failed)?),
            }
        }
        Ok(())
    }

    /// What was loaded must hold what was backed up, before it replaces anything.
    async fn must_hold(&self, session: &Session<'_>, layout: &Layout, record: &StoreRecord) -> Result<(), StoreError> {
        self.must_not_be_behind(session, layout, record).await?;
        let found = inventory::count(session, &layout.database).await;
        let found = found.map_err(|trouble| self.failed("counting what was loaded", trouble))?;
        let differences = record.inventory.differences(&inventory::like(found, &record.inventory));
        if differences.is_empty() {
            return Ok(());
        }
        Err(self.unfit(&format!(
            "what was loaded is not what was backed up, and has replaced nothing: {}",
            differences.join("; ")
        )))
    }

    /// A last transaction that is older than the backup's is a loss, also where all counts are equal.
    async fn must_not_be_behind(
        &self,
        session: &Session<'_>,
        layout: &Layout,
        record: &StoreRecord,
    ) -> Result<(), StoreError> {
        let Some(recorded) = record
            .facts
            .get(LAST_TRANSACTION)
            .and_then(|text| text.parse::<u64>().ok())
        else {
            return Ok(());
        };
        let found = self.mark(session, &layout.database).await?.0;
        match found.get(&layout.database) {
            Some(found) if *found < recorded => Err(self.unfit(&format!(
                "its last transaction is {found}, that of the backup {recorded}"
            ))),
            _ => Ok(()),
        }
    }

    /// Where something was set aside; none: nothing was. No login is needed.
    pub(super) async fn set_aside(&self, cx: &Cx, layout: &Layout) -> Result<Option<String>, StoreError> {
        let folder = format!("{}/{}", layout.data, aside::old(&self.name));
        let what = "looking for data that was set aside";
        let said = layout::run(cx, &self.workload, what, IS_THERE, &[&folder]).await?;
        Ok((!said.is_empty()).then_some(folder))
    }
}

pub(super) fn is_system(artifact: &Artifact) -> bool {
    artifact.of.as_deref() == Some(SYSTEM)
}

async fn carry_out(cx: &Cx, beside: &Beside, what: &str, (text, arguments): &aside::Script) -> Result<(), StoreError> {
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    beside.work(cx, what, text, &arguments).await
}

#[async_trait]
impl Aside for Neo4jStore {
    async fn held(&self, cx: &Cx) -> Result<Vec<Old>, StoreError> {
        let layout = self.learn(cx, &self.workload).await?;
        let old = self.set_aside(cx, &layout).await?.map(|what| Old {
            what,
            is_sole: false,
            replaced_by: Some("its whole graph, and its users".to_owned()),
        });
        Ok(old.into_iter().collect())
    }

    fn put_back(&self) -> Box<dyn Staged> {
        Box::new(PutBack(self.clone()))
    }

    /// The server runs: it does not know of that folder.
    async fn discard(&self, cx: &Cx) -> Result<Vec<Old>, StoreError> {
        let beside = Beside::begin(cx, &self.workload, RESTORE).await?;
        let freed = async {
            let layout = self.learn(cx, &beside.id).await?;
            let free = Scripts(&self.name).free(&layout.data);
            carry_out(cx, &beside, "removing the old data", &free).await
        };
        let freed = freed.await;
        beside.end(cx, freed).await.map(|()| Vec::new())
    }
}

/// Putting the old data of one server back: what stands in its place goes.
struct PutBack(Neo4jStore);

#[async_trait]
impl Staged for PutBack {
    fn footings(&self) -> Vec<Footing> {
        vec![Footing::Stopped]
    }

    async fn carry_out(&mut self, cx: &Cx, _stage: usize) -> Result<(), StoreError> {
        let store = &self.0;
        let beside = Beside::begin(cx, &store.workload, RESTORE).await?;
        let put_back = async {
            let layout = store.learn(cx, &beside.id).await?;
            let back = Scripts(&store.name).put_back(&layout.data);
            carry_out(cx, &beside, "putting the old data back", &back).await
        };
        let put_back = put_back.await;
        beside.end(cx, put_back).await
    }
}
