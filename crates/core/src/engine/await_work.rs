//! The busy guard: a backup waits for work that its standstill would cut, where a store or a client can tell that there is
//! some, and says what it cuts when it waits no longer.

use futures::future::{join, join_all, ready};

use super::errors::{Error, PreflightError};
use super::limits::{BUSY_LOOK, BUSY_TOLD};
use super::platform::Platform;
use super::site::{Run, Site, WhenBusy};
use crate::events::EventKind;
use crate::ports::{Command, EngineError, within};
use crate::stores::{Cx, Store, StoreError};
use crate::workload::{State, Workload};

/// The label of a client whose command ends with 0 when a stop cuts nothing, and with another code when it is at work.
const IDLE_LABEL: &str = "stillpoint.idle";

/// What was found out of one that can tell.
enum Told {
    /// Work, each a phrase.
    Work(Vec<String>),
    /// Why nothing can be told.
    Nothing(String),
}

impl Site {
    /// Waits until nothing is at work that can be told of, and returns the platform as it is then.
    pub async fn after_work(&self, run: &Run, platform: Platform) -> Result<Platform, Error> {
        let limit = self.standstill.busy;
        let began = self.machine.clock.elapsed();
        let (work, unknown) = self.work(run, &platform).await?;
        for why in unknown {
            run.report.warn(why);
        }
        if work.is_empty() {
            return Ok(platform);
        }
        run.report.tell(EventKind::WaitsForWork {
            work: work.clone(),
            seconds: limit.as_secs(),
        });
        let mut work = work;
        while !work.is_empty() {
            let lasted = self.machine.clock.elapsed().saturating_sub(began);
            if lasted >= limit {
                return self.settle_work(run, platform, &work).await;
            }
            let pause = BUSY_LOOK.min(limit.saturating_sub(lasted));
            run.unless_cancelled(self.machine.clock.sleep(pause)).await?;
            (work, _) = self.work(run, &platform).await?;
        }
        self.platform(Some(&platform.name)).await
    }

    async fn settle_work(&self, run: &Run, platform: Platform, work: &[String]) -> Result<Platform, Error> {
        let limit = self.standstill.busy;
        if self.standstill.when_busy == WhenBusy::Skip {
            let work = work.to_vec();
            return Err(PreflightError::Busy { work, limit }.into());
        }
        for cut in work {
            let waited = limit.as_secs();
            run.report
                .warn(format!("{cut}: still at work after {waited} s, and CUT by this backup"));
        }
        self.platform(Some(&platform.name)).await
    }

    /// What is at work, and of whom it cannot be told.
    async fn work(&self, run: &Run, platform: &Platform) -> Result<(Vec<String>, Vec<String>), Error> {
        let cx = self.cx(run);
        let stores = platform.workloads.iter().filter(|workload| runs(workload));
        let stores = stores.filter_map(|workload| platform.stores.get(&workload.address));
        let stores = join_all(stores.map(|store| self.of_store(&cx, &**store)));
        let clients = platform.workloads.iter().filter(|workload| {
            let is_stopped =
                !platform.stores.contains_key(&workload.address) && platform.keep.reason(workload).is_none();
            is_stopped && runs(workload)
        });
        let labelled = clients.filter_map(|client| Some((client, client.labels.get(IDLE_LABEL)?)));
        let clients = join_all(labelled.map(|(client, command)| self.of_client(&cx, client, command)));
        // Each ends by itself when the run is cancelled, with what it has started in a container.
        let (stores, clients) = join(stores, clients).await;
        run.unless_cancelled(ready(())).await?;
        let (mut work, mut unknown) = (Vec::new(), Vec::new());
        for told in stores.into_iter().chain(clients) {
            match told {
                Told::Work(some) => work.extend(some),
                Told::Nothing(why) => unknown.push(why),
            }
        }
        Ok((work, unknown))
    }

    async fn of_store(&self, cx: &Cx, store: &dyn Store) -> Told {
        let name = store.name();
        let asked = cx.cancel.run_until_cancelled(store.busy(cx));
        let asked = within(&*self.machine.clock, BUSY_TOLD, "the answer", asked).await;
        let told = asked.map(|asked| asked.unwrap_or(Err(StoreError::Cancelled)));
        match told.map_err(StoreError::from).flatten() {
            Ok(work) => Told::Work(work.into_iter().map(|work| format!("{name}: {work}")).collect()),
            Err(error) => Told::Nothing(format!("{name}: whether work is in progress cannot be told: {error}")),
        }
    }

    async fn of_client(&self, cx: &Cx, client: &Workload, command: &str) -> Told {
        let address = &client.address;
        let asked = self.idle(cx, client, command);
        match asked.await {
            Ok(0) => Told::Work(Vec::new()),
            // What a shell says of a program that it cannot run.
            Ok(code @ (126 | 127)) => Told::Nothing(format!(
                "{address}: the command of its label {IDLE_LABEL} cannot be run (exit {code}): `{command}`"
            )),
            Ok(code) => Told::Work(vec![format!(
                "{address}: it says that it is at work ({IDLE_LABEL}, exit {code})"
            )]),
            Err(why) => Told::Nothing(format!(
                "{address}: the command of its label {IDLE_LABEL} does not tell whether it is at work: {why}"
            )),
        }
    }

    /// The exit code of the client's own command.
    async fn idle(&self, cx: &Cx, client: &Workload, command: &str) -> Result<i64, String> {
        let failed = |error: EngineError| error.to_string();
        let command = Command::new(["sh", "-c", command]);
        let mut process = cx.shell.exec(&client.id, command).await.map_err(failed)?;
        let ended = cx.cancel.run_until_cancelled(process.control.finish());
        let ended = within(&*self.machine.clock, BUSY_TOLD, "it", ended).await;
        let why = match ended {
            Ok(Some(exit)) => return Ok(exit.map_err(failed)?.code),
            Ok(None) => "cancelled".to_owned(),
            Err(late) => late.to_string(),
        };
        process.control.kill().await.map_err(failed)?;
        Err(why)
    }
}

fn runs(workload: &Workload) -> bool {
    workload.state == State::Running
}
