//! The fakes keep the promises of the ports they stand for: a test on a fake that lies proves nothing.

mod repository {
    use stillpoint_testkit::conformance::repository::{self as suite, Subject};
    use stillpoint_testkit::fakes::MemoryRepository;
    use stillpoint_testkit::repository_conformance;

    fn subject() -> Subject {
        Subject::new(MemoryRepository::default())
    }

    repository_conformance!(anyhow::Ok(subject()));

    #[tokio::test]
    async fn a_full_one_says_so() -> anyhow::Result<()> {
        let repository = MemoryRepository::default();
        repository.set_capacity(4 << 20);
        suite::a_full_repository_says_so(&Subject::new(repository)).await
    }

    #[tokio::test]
    async fn a_read_only_one_says_so() -> anyhow::Result<()> {
        let repository = MemoryRepository::default();
        suite::before_it_is_denied(&repository).await?;
        repository.make_read_only();
        suite::a_denied_repository_says_so(&Subject::new(repository)).await
    }
}

/// A decorator without rules changes nothing.
mod decorated {
    use std::sync::Arc;

    use stillpoint_testkit::Faults;
    use stillpoint_testkit::conformance::repository::Subject;
    use stillpoint_testkit::fakes::MemoryRepository;
    use stillpoint_testkit::repository_conformance;

    fn subject() -> Subject {
        Subject {
            repository: Faults::default().repository(Arc::new(MemoryRepository::default())),
            keep: Box::new(()),
        }
    }

    repository_conformance!(anyhow::Ok(subject()));
}

mod locks {
    use stillpoint_testkit::conformance::locks::Subject;
    use stillpoint_testkit::fakes::FakeLocks;
    use stillpoint_testkit::locks_conformance;

    fn subject() -> Subject {
        Subject::with(FakeLocks::default(), ())
    }

    locks_conformance!(anyhow::Ok(subject()));
}

mod journal {
    use std::sync::Arc;

    use stillpoint_testkit::conformance::journal::Subject;
    use stillpoint_testkit::fakes::FakeJournal;
    use stillpoint_testkit::journal_conformance;

    fn subject() -> Subject {
        let journal = Arc::new(FakeJournal::default());
        Subject {
            another: journal.clone(),
            journal,
            keep: Box::new(()),
        }
    }

    journal_conformance!(anyhow::Ok(subject()));
}

mod history {
    use std::sync::Arc;

    use stillpoint_testkit::conformance::history::Subject;
    use stillpoint_testkit::fakes::FakeHistory;
    use stillpoint_testkit::history_conformance;

    fn subject() -> Subject {
        let history = Arc::new(FakeHistory::default());
        Subject {
            another: history.clone(),
            history,
            keep: Box::new(()),
        }
    }

    history_conformance!(anyhow::Ok(subject()));
}

mod accounts {
    use std::sync::Arc;

    use stillpoint_testkit::accounts_conformance;
    use stillpoint_testkit::conformance::accounts::Subject;
    use stillpoint_testkit::fakes::FakeAccounts;

    fn subject() -> Subject {
        let accounts = Arc::new(FakeAccounts::default());
        Subject {
            another: accounts.clone(),
            accounts,
            keep: Box::new(()),
        }
    }

    accounts_conformance!(anyhow::Ok(subject()));
}

mod outbox {
    use std::sync::Arc;

    use stillpoint_testkit::conformance::outbox::Subject;
    use stillpoint_testkit::fakes::FakeOutbox;
    use stillpoint_testkit::outbox_conformance;

    fn subject() -> Subject {
        let outbox = Arc::new(FakeOutbox::default());
        Subject {
            another: outbox.clone(),
            outbox,
            keep: Box::new(()),
        }
    }

    outbox_conformance!(anyhow::Ok(subject()));
}
