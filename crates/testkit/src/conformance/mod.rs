//! One suite for each port, and a few lines in each adapter's tests that call it. A test asserts one
//! sentence of the port's prose; the fakes are held to the same suites as the adapters.

pub mod accounts;
pub mod bench;
pub mod catalog;
pub mod claim;
pub mod history;
pub mod journal;
pub mod locks;
pub mod outbox;
pub mod power;
pub mod reach;
pub mod repository;
pub mod shell;
pub mod shell_ends;
pub mod store;

/// Makes one test of each named function: what `$make` evaluates to is handed to it by reference.
#[macro_export]
macro_rules! conformance_tests {
    ($suite:path, $make:expr, [$($test:ident),* $(,)?]) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $test() -> anyhow::Result<()> {
                use $suite as suite;
                let subject = $make?;
                suite::$test(&subject).await
            }
        )*
    };
}
