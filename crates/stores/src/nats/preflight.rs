//! Looking before anything is stopped: can every stream be backed up, and can a backup be restored here?

use bytes::Bytes;
use serde_json::{Value, json};
use stillpoint_core::manifest::{Artifact, StoreRecord};
use stillpoint_core::stores::{Cx, Preflight, Reasons, StoreError};

use super::NatsStore;
use super::access::Login;
use super::accounts::{Seen, objection};
use super::drain::{ACCOUNT, FILE_BYTES, REPLICAS, fact};
use super::limits;
use super::link::{Link, NO_STREAM};
use super::streams::Stream;
use super::version::{is_older, packs_whole_blocks};

/// A stream that is never there: asking for it shows whether one may ask.
const NOBODYS: &str = "stillpoint_asks_for_its_rights";

/// No such stream, a name that is not the subject's, or a `max_bytes` that the account wants of every stream: whoever is told
/// that may ask.
const HEARD: [u64; 3] = [NO_STREAM, 10056, 10113];

impl NatsStore {
    pub(super) async fn look(&self, cx: &Cx) -> Result<Preflight, StoreError> {
        let overview = self.overview(cx).await?;
        let mut accounts = Vec::new();
        let mut version = String::new();
        for login in &self.access.logins {
            let link = self.open(cx, login).await?;
            version = link.version();
            let streams = link.streams(cx).await?;
            link.may_read(cx).await?;
            accounts.push((login, streams));
        }
        let seen: Vec<Seen<'_>> = accounts
            .iter()
            .map(|(login, streams)| Seen { login, streams })
            .collect();
        if let Some(objection) = objection(&self.access, &seen, overview.as_ref()) {
            return Err(StoreError::Unfit(format!("{}: {objection}", self.name)));
        }
        let mut warnings = Vec::new();
        if overview.is_none() {
            warnings.push(format!(
                "{}: its monitoring port does not answer, so whether accounts have streams for which there is no login \
                 could not be seen",
                self.name
            ));
        }
        let streams = || accounts.iter().flat_map(|(_, streams)| streams);
        let bytes = |stream: &Stream| stream.counted("bytes");
        let blocks = packs_whole_blocks(&version);
        Ok(Preflight {
            version,
            bytes: streams().map(bytes).sum(),
            spool: streams().map(|stream| stream.largest_archive(blocks)).sum(),
            warnings,
            in_volume: None,
        })
    }

    /// Each account of the record with its login.
    pub(super) fn pairs<'a>(&'a self, record: &'a StoreRecord) -> Result<Vec<(&'a Login, &'a Artifact)>, StoreError> {
        let artifacts: Vec<&Artifact> = record
            .artifacts
            .iter()
            .filter(|artifact| artifact.content == ACCOUNT)
            .collect();
        if let Some(strange) = record.artifacts.iter().find(|artifact| artifact.content != ACCOUNT) {
            let what = format!("{}: cannot restore `{}` ({})", self.name, strange.content, strange.name);
            return Err(StoreError::Unfit(what));
        }
        artifacts
            .iter()
            .map(|artifact| Ok((self.login_for(&artifacts, artifact)?, *artifact)))
            .collect()
    }

    fn login_for(&self, all: &[&Artifact], artifact: &Artifact) -> Result<&Login, StoreError> {
        let logins = &self.access.logins;
        if let Some(login) = logins.iter().find(|login| login.account == artifact.of) {
            return Ok(login);
        }
        // One account and one login belong together, where only one of them has a name.
        if let ([login], [_]) = (logins.as_slice(), all)
            && (login.account.is_none() || artifact.of.is_none())
        {
            return Ok(login);
        }
        let of = artifact
            .of
            .as_deref()
            .map_or_else(|| "an account without a name".to_owned(), |of| format!("account {of}"));
        Err(StoreError::Unfit(format!(
            "{}: the backup holds {of} ({}), and there is no login for it: name it in {}, and give a login as \
             docs/stores/nats.md says",
            self.name, artifact.name, self.access.accounts_variable
        )))
    }

    /// Whether the record's streams can be restored into this server.
    pub(super) async fn fits(&self, cx: &Cx, record: &StoreRecord) -> Result<(), StoreError> {
        let mut reasons = Reasons::default();
        for (login, artifact) in self.pairs(record)? {
            let link = self.open(cx, login).await?;
            reasons.note(self.new_enough(&link.version(), &record.version))?;
            reasons.note(link.may_read(cx).await)?;
            reasons.note(link.may_replace(cx).await)?;
            let replicas = record.facts.get(REPLICAS).and_then(|text| text.parse::<u64>().ok());
            if !link.clustered() && replicas.is_some_and(|replicas| replicas > 1) {
                cx.report.warn(format!(
                    "{}: one server alone: every stream is restored with one replica",
                    self.name
                ));
            }
            if let Some(demands) = limits::recorded(record, artifact.of.as_deref()) {
                reasons.note(self.must_take(cx, &link, &demands).await)?;
            }
            let needed = record.facts.get(&fact(FILE_BYTES, artifact.of.as_deref()));
            if let Some(needed) = needed.and_then(|text| text.parse().ok()) {
                let label = super::inventory::called(login, artifact.of.as_deref());
                let replaced = |name: &str| {
                    record
                        .inventory
                        .0
                        .contains_key(&format!("{}: bytes", label.label(name)))
                };
                reasons.note(self.has_room(cx, &link, needed, &replaced).await)?;
            }
        }
        reasons.into_result()
    }

    pub(super) fn new_enough(&self, server: &str, backup: &str) -> Result<(), StoreError> {
        if !is_older(server, backup) {
            return Ok(());
        }
        Err(StoreError::Unfit(format!(
            "{}: the backup is of server {backup}, this one is the older {server}: no server takes the streams of a newer one",
            self.name
        )))
    }

    /// Whether so many bytes of files fit when the streams that are replaced are gone.
    pub(super) async fn has_room(
        &self,
        cx: &Cx,
        link: &Link,
        needed: u64,
        replaced: &(dyn Fn(&str) -> bool + Sync),
    ) -> Result<(), StoreError> {
        let live = link.streams(cx).await?;
        let freed = live
            .iter()
            .filter(|stream| !stream.in_memory() && replaced(stream.name()));
        let freed: u64 = freed.map(|stream| stream.counted("bytes")).sum();
        let account = link.ask(cx, "asking what fits", "INFO", &json!({})).await?;
        let number = |value: Option<&Value>| value.and_then(Value::as_u64);
        let limit = number(account.pointer("/limits/max_storage"));
        let used = number(account.get("storage")).unwrap_or(0);
        self.fit(needed, limit, used, freed, &link.login.told())?;
        let Some(server) = self.overview(cx).await? else {
            return Ok(());
        };
        self.fit(needed, server.file_limit, server.file_bytes, freed, "the server")
    }

    fn fit(&self, needed: u64, limit: Option<u64>, used: u64, freed: u64, whose: &str) -> Result<(), StoreError> {
        // -1 is no limit, and no number from 0.
        let Some(limit) = limit else { return Ok(()) };
        let room = limit.saturating_sub(used.saturating_sub(freed));
        if needed <= room {
            return Ok(());
        }
        Err(StoreError::Unfit(format!(
            "{}: {whose} may have {limit} bytes of files, has room for {room}, and the backup needs {needed}",
            self.name
        )))
    }
}

impl Link {
    /// Whether the login may do what a backup does.
    async fn may_read(&self, cx: &Cx) -> Result<(), StoreError> {
        // It has no answer; whether it was refused is known by the answers to what follows.
        let acknowledge = format!("$JS.SNAPSHOT.ACK.{NOBODYS}.0");
        self.send(cx, acknowledge, None, Bytes::new()).await?;
        self.may_ask(cx, "CONSUMER.LIST", &json!({})).await?;
        let request = json!({"deliver_subject": self.inbox()});
        self.may_ask(cx, "STREAM.SNAPSHOT", &request).await
    }

    /// Whether the login may do what a restore does.
    async fn may_replace(&self, cx: &Cx) -> Result<(), StoreError> {
        let piece = format!("$JS.SNAPSHOT.RESTORE.{NOBODYS}.0");
        self.send(cx, piece, None, Bytes::new()).await?;
        self.may_ask(cx, "STREAM.DELETE", &json!({})).await?;
        self.may_ask(cx, "STREAM.UPDATE", &json!({"name": NOBODYS, "max_bytes": 1}))
            .await?;
        // Of another name than the subject's: refused before anything is made.
        self.may_ask(
            cx,
            "STREAM.RESTORE",
            &json!({"config": {"name": "another", "max_bytes": 1}}),
        )
        .await
    }

    async fn may_ask(&self, cx: &Cx, what: &str, request: &Value) -> Result<(), StoreError> {
        let doing = format!("trying the right to $JS.API.{what}.*");
        let answer = self.try_ask(cx, &doing, &format!("{what}.{NOBODYS}"), request).await?;
        match answer {
            Err(refusal) if HEARD.contains(&refusal.code) => Ok(()),
            Err(refusal) => Err(self.refused(&doing, &refusal)),
            Ok(_) => Ok(()),
        }
    }
}
