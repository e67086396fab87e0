//! The journal as a table of the ledger.

use async_trait::async_trait;
use rusqlite::params;
use stillpoint_core::names::{Address, Project, RunId};
use stillpoint_core::ports::Journal;
use stillpoint_core::ports::journal::{JournalError, Loaded, Missing, OpenRun, Phase};
use stillpoint_core::ports::power::Intent;

use super::Ledger;

/// In the order in which a run passes through them: what is stored is the index.
const PHASES: [Phase; 5] = [
    Phase::Planned,
    Phase::Acting,
    Phase::Undoing,
    Phase::Verified,
    Phase::Closed,
];

/// Notes an intent. One of the same run gives way once it is closed, or if the run has become another job.
const NOTE: &str = "INSERT INTO journal (run, platform, since, intent, phase) VALUES (?1, ?2, ?3, ?4, ?5)
    ON CONFLICT (run) DO UPDATE SET
        platform = excluded.platform, since = excluded.since, intent = excluded.intent, phase = excluded.phase,
        loaded = NULL
    WHERE journal.phase = ?6 OR journal.intent ->> 'job' <> excluded.intent ->> 'job'";

/// Intent, phase, and what was loaded.
type Row = (String, u8, Option<String>);

#[async_trait]
impl Journal for Ledger {
    async fn plan(&self, intent: &Intent) -> Result<(), JournalError> {
        let (run, platform) = (intent.run.to_string(), intent.platform.to_string());
        let since = intent.since.as_millisecond();
        let text = serde_json::to_string(intent).map_err(|error| self.unusable("written", &error))?;
        let values = (
            run,
            platform,
            since,
            text,
            number(Phase::Planned),
            number(Phase::Closed),
        );
        self.with("written", move |ledger| ledger.execute(NOTE, values).map(drop))
            .await
    }

    async fn advance(&self, run: &RunId, phase: Phase) -> Result<(), JournalError> {
        let run = run.to_string();
        let note = "UPDATE journal SET phase = ?2 WHERE run = ?1 AND phase < ?2";
        self.with("written", move |ledger| {
            ledger.execute(note, params![run, number(phase)]).map(drop)
        })
        .await
    }

    async fn loaded(&self, run: &RunId, loaded: &Loaded) -> Result<(), JournalError> {
        let run = run.to_string();
        let text = serde_json::to_string(loaded).map_err(|error| self.unusable("written", &error))?;
        let note = "UPDATE journal SET loaded = ?2 WHERE run = ?1";
        self.with("written", move |ledger| {
            ledger.execute(note, params![run, text]).map(drop)
        })
        .await
    }

    async fn platforms(&self) -> Result<Vec<Project>, JournalError> {
        if !self.path().exists() {
            return Ok(Vec::new());
        }
        let question = "SELECT platform FROM journal WHERE phase < ?1 UNION SELECT platform FROM missing ORDER BY 1";
        let names = self.with("read", move |ledger| {
            let mut names = ledger.prepare(question)?;
            let names = names.query_map(params![number(Phase::Closed)], |row| row.get(0))?;
            names.collect::<rusqlite::Result<Vec<String>>>()
        });
        Ok(names.await?.into_iter().map(Project::new).collect())
    }

    async fn open_runs(&self, platform: &Project) -> Result<Vec<OpenRun>, JournalError> {
        if !self.path().exists() {
            return Ok(Vec::new());
        }
        let name = platform.to_string();
        let question =
            "SELECT intent, phase, loaded FROM journal WHERE platform = ?1 AND phase < ?2 ORDER BY since, run";
        let rows = self.with("read", move |ledger| {
            let mut rows = ledger.prepare(question)?;
            let rows = rows.query_map(params![name, number(Phase::Closed)], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get(2)?))
            })?;
            rows.collect::<rusqlite::Result<Vec<Row>>>()
        });
        rows.await?.into_iter().map(|row| self.open_run(row)).collect()
    }

    async fn note_missing(&self, missing: &[Missing]) -> Result<(), JournalError> {
        let mut rows = Vec::new();
        for missing in missing {
            let address = &missing.was.address;
            let text = serde_json::to_string(missing).map_err(|error| self.unusable("written", &error))?;
            rows.push((address.project.to_string(), address.to_string(), text));
        }
        self.with("written", move |ledger| {
            let all = ledger.unchecked_transaction()?;
            for row in rows {
                let note = "INSERT OR REPLACE INTO missing (platform, address, missing) VALUES (?1, ?2, ?3)";
                all.execute(note, row)?;
            }
            all.commit()
        })
        .await
    }

    async fn missing(&self, platform: &Project) -> Result<Vec<Missing>, JournalError> {
        if !self.path().exists() {
            return Ok(Vec::new());
        }
        let name = platform.to_string();
        let rows = self.with("read", move |ledger| {
            let mut rows = ledger.prepare("SELECT missing FROM missing WHERE platform = ?1")?;
            let rows = rows.query_map(params![name], |row| row.get(0))?;
            rows.collect::<rusqlite::Result<Vec<String>>>()
        });
        let missing = rows.await?.into_iter().map(|text| serde_json::from_str(&text));
        let missing: serde_json::Result<Vec<Missing>> = missing.collect();
        let mut missing = missing.map_err(|error| self.unusable("read", &error))?;
        missing.sort_by(|a, b| a.was.address.cmp(&b.was.address));
        Ok(missing)
    }

    async fn forget_missing(&self, platform: &Project, addresses: &[Address]) -> Result<(), JournalError> {
        let platform = platform.to_string();
        let addresses: Vec<String> = addresses.iter().map(ToString::to_string).collect();
        self.with("written", move |ledger| {
            let all = ledger.unchecked_transaction()?;
            for address in &addresses {
                let forget = "DELETE FROM missing WHERE platform = ?1 AND address = ?2";
                all.execute(forget, params![platform, address])?;
            }
            all.commit()
        })
        .await
    }
}

impl Ledger {
    fn open_run(&self, (intent, phase, loaded): Row) -> Result<OpenRun, JournalError> {
        let unusable = |error: serde_json::Error| self.unusable("read", &error);
        let intent: Intent = serde_json::from_str(&intent).map_err(unusable)?;
        let loaded = loaded.map(|loaded| serde_json::from_str(&loaded)).transpose();
        Ok(OpenRun {
            intent,
            phase: PHASES.get(usize::from(phase)).copied().unwrap_or(Phase::Planned),
            loaded: loaded.map_err(unusable)?,
        })
    }

    fn unusable(&self, doing: &'static str, error: &serde_json::Error) -> JournalError {
        JournalError {
            path: self.path().display().to_string(),
            doing,
            cause: error.to_string(),
        }
    }
}

fn number(phase: Phase) -> u8 {
    (0..)
        .zip(PHASES)
        .find(|(_, known)| *known == phase)
        .map_or(0, |(number, _)| number)
}
