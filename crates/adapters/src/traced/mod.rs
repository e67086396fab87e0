//! Diagnostics at the borders of the ports: each request to an engine or a repository, and each tool in a container, is
//! told as a `tracing` event with what it was about, how it ended and how long it took. A decorator around any
//! adapter, so that no adapter need know.
//!
//! Never here: the content of anything, an environment, an argument. A secret may stand in any of them.

mod engine;
mod repository;

use std::fmt::Display;
use std::sync::Arc;
use std::time::Instant;

use tracing::debug;

/// A port whose calls are told.
pub struct Traced<P: ?Sized>(Arc<P>);

impl<P: ?Sized> Traced<P> {
    /// Tells the calls of this port.
    pub fn new(port: Arc<P>) -> Self {
        Self(port)
    }
}

/// Awaits a call to an engine and tells of it.
async fn engine<T, E: Display>(
    call: &'static str,
    about: impl Display,
    act: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let began = Instant::now();
    let outcome = act.await;
    let millis = millis(began);
    match &outcome {
        Ok(_) => debug!(target: "stillpoint::engine", call, %about, millis, "engine"),
        Err(error) => debug!(target: "stillpoint::engine", call, %about, millis, %error, "engine"),
    }
    outcome
}

/// Awaits a call to a repository and tells of it.
async fn repository<T, E: Display>(
    call: &'static str,
    about: impl Display,
    act: impl Future<Output = Result<T, E>>,
) -> Result<T, E> {
    let began = Instant::now();
    let outcome = act.await;
    let millis = millis(began);
    match &outcome {
        Ok(_) => debug!(target: "stillpoint::repository", call, %about, millis, "repository"),
        Err(error) => debug!(target: "stillpoint::repository", call, %about, millis, %error, "repository"),
    }
    outcome
}

fn millis(since: Instant) -> u64 {
    u64::try_from(since.elapsed().as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Mutex, MutexGuard, PoisonError};

    use async_trait::async_trait;
    use stillpoint_core::names::{RunId, WorkloadId};
    use stillpoint_core::ports::{Command, Control, EngineError, Exit, Process, Shell};
    use tracing::Level;

    use super::*;

    const SECRET: &str = "correct horse";

    /// A shell in which everything ends with 3 and tells the secret.
    struct Talkative;

    #[async_trait]
    impl Shell for Talkative {
        async fn exec(&self, _workload: &WorkloadId, _command: Command) -> Result<Process, EngineError> {
            Ok(Process {
                input: None,
                output: Box::new(tokio::io::empty()),
                control: Box::new(Self),
            })
        }

        async fn sibling(&self, of: &WorkloadId, _run: &RunId, _called: &str) -> Result<WorkloadId, EngineError> {
            Ok(of.clone())
        }

        async fn end_sibling(&self, _sibling: &WorkloadId) -> Result<(), EngineError> {
            Ok(())
        }

        async fn reap(&self, _workload: &WorkloadId, _run: &RunId) -> Result<(), EngineError> {
            Ok(())
        }
    }

    #[async_trait]
    impl Control for Talkative {
        async fn finish(&mut self) -> Result<Exit, EngineError> {
            let errors = format!("wrong password: {SECRET}");
            Ok(Exit { code: 3, errors })
        }

        async fn kill(&mut self) -> Result<(), EngineError> {
            Ok(())
        }
    }

    #[derive(Clone, Default)]
    struct Heard(Arc<Mutex<Vec<u8>>>);

    impl Heard {
        fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
            self.0.lock().unwrap_or_else(PoisonError::into_inner)
        }
    }

    impl io::Write for Heard {
        fn write(&mut self, told: &[u8]) -> io::Result<usize> {
            self.lock().extend(told);
            Ok(told.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[tokio::test]
    async fn a_tool_is_told_with_its_exit_code_and_without_any_secret() {
        let heard = Heard::default();
        let writer = heard.clone();
        let subscriber = tracing_subscriber::fmt()
            .with_max_level(Level::TRACE)
            .with_ansi(false)
            .with_writer(move || writer.clone())
            .finish();
        let guard = tracing::subscriber::set_default(subscriber);
        let shell = Traced::new(Arc::new(Talkative));
        let command = Command::new(["psql", SECRET]).env("PGPASSWORD", SECRET.into());
        let mut process = shell.exec(&WorkloadId::new("c0ffee"), command).await.unwrap();
        process.control.finish().await.unwrap();
        process.control.kill().await.unwrap();
        drop(guard);
        let told = String::from_utf8(heard.lock().clone()).unwrap();
        for words in ["tool=psql", "workload=c0ffee", "code=3", "tool killed"] {
            assert!(told.contains(words), "{words}: {told}");
        }
        assert!(!told.contains(SECRET), "{told}");
    }
}
