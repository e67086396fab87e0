//! What all accounts promise.
#![expect(missing_docs, reason = "each function's name is the sentence that it asserts")]

use std::sync::Arc;

use anyhow::{Context, ensure};
use jiff::{SignedDuration, Timestamp};
use stillpoint_core::ports::Accounts;
use stillpoint_core::ports::accounts::{
    Audited, Changed, Hashed, Outcome, Role, SESSION_IDLE, SESSION_LIFE, Session, Token, User,
};

/// Accounts under test, and whatever must live as long as they do.
pub struct Subject {
    /// The accounts, empty.
    pub accounts: Arc<dyn Accounts>,
    /// The same, opened by another process.
    pub another: Arc<dyn Accounts>,
    /// Their directory.
    pub keep: Box<dyn std::any::Any + Send + Sync>,
}

/// Declares a test for every function of this suite, over a subject that `$make` returns.
#[macro_export]
macro_rules! accounts_conformance {
    ($make:expr) => {
        $crate::conformance_tests!(
            $crate::conformance::accounts,
            $make,
            [
                empty_accounts_have_nothing,
                a_user_is_read_to_the_letter_by_everybody,
                names_that_differ_in_case_alone_are_one_name,
                only_one_is_the_first_however_many_try_at_once,
                a_session_holds_until_it_is_ended_or_over,
                whoever_is_removed_or_gets_a_new_password_is_out_of_every_session,
                a_role_counts_at_once,
                the_last_admin_stays_one,
                a_token_counts_until_it_expires_or_is_removed,
                the_audit_is_read_newest_first_and_page_by_page,
            ]
        );
    };
}

fn at(hours: i64) -> Timestamp {
    Timestamp::constant(1_771_286_400, 0) + SignedDuration::from_hours(hours)
}

/// A user of this name.
pub fn user(name: &str, role: Role) -> User {
    User {
        name: name.to_owned(),
        role,
        made_at: at(0),
        made_by: "größer \u{1f4be}".to_owned(),
        signed_in_at: None,
    }
}

/// The hash of something.
pub fn hash(text: &str) -> Hashed {
    Hashed(text.to_owned())
}

/// A session of a user that begins at this hour.
pub fn session(id: &str, user: &str, hours: i64) -> Session {
    Session {
        id: hash(id),
        user: user.to_owned(),
        since: at(hours),
        used_at: at(hours),
    }
}

async fn anna(subject: &Subject, role: Role) -> anyhow::Result<()> {
    ensure!(subject.accounts.add_user(&user("anna", role), &hash("p")).await?);
    Ok(())
}

pub async fn empty_accounts_have_nothing(subject: &Subject) -> anyhow::Result<()> {
    let accounts = &subject.accounts;
    ensure!(accounts.users().await?.is_empty() && accounts.tokens().await?.is_empty());
    ensure!(accounts.user("anna").await?.is_none() && accounts.audit(None, 10).await?.is_empty());
    ensure!(accounts.session(&hash("1"), at(0)).await?.is_none() && accounts.token(&hash("1"), at(0)).await?.is_none());
    ensure!(accounts.set_role("anna", Role::Viewer).await? == Changed::Unknown);
    ensure!(accounts.remove_user("anna").await? == Changed::Unknown);
    ensure!(!accounts.set_password("anna", &hash("q")).await? && !accounts.remove_token("ci").await?);
    ensure!(
        !accounts.begin_session(&session("1", "anna", 0)).await?,
        "a session of nobody"
    );
    Ok(())
}

pub async fn a_user_is_read_to_the_letter_by_everybody(subject: &Subject) -> anyhow::Result<()> {
    for (name, role) in [("zoe", Role::Viewer), ("anna", Role::Admin)] {
        ensure!(subject.accounts.add_user(&user(name, role), &hash(name)).await?);
    }
    let wanted = [user("anna", Role::Admin), user("zoe", Role::Viewer)];
    ensure!(subject.another.users().await? == wanted);
    ensure!(subject.another.user("zoe").await? == Some((user("zoe", Role::Viewer), hash("zoe"))));
    Ok(())
}

pub async fn names_that_differ_in_case_alone_are_one_name(subject: &Subject) -> anyhow::Result<()> {
    anna(subject, Role::Admin).await?;
    let accounts = &subject.accounts;
    ensure!(!accounts.add_user(&user("ANNA", Role::Viewer), &hash("q")).await?);
    let (found, _) = accounts.user("Anna").await?.context("she is not found")?;
    ensure!(found == user("anna", Role::Admin));
    ensure!(accounts.begin_session(&session("1", "ANNA", 0)).await?);
    let (_, found) = accounts.session(&hash("1"), at(0)).await?.context("no session")?;
    ensure!(found.name == "anna");
    Ok(())
}

pub async fn only_one_is_the_first_however_many_try_at_once(subject: &Subject) -> anyhow::Result<()> {
    let tries = (0..16).map(|number| {
        let accounts = if number % 2 == 0 {
            &subject.accounts
        } else {
            &subject.another
        };
        let accounts = accounts.clone();
        tokio::spawn(async move {
            let user = user(&format!("user-{number}"), Role::Admin);
            accounts.add_first_user(&user, &hash("p")).await
        })
    });
    let mut first = 0;
    for tried in tries.collect::<Vec<_>>() {
        first += usize::from(tried.await??);
    }
    ensure!(first == 1, "{first} were the first");
    ensure!(subject.accounts.users().await?.len() == 1);
    Ok(())
}

pub async fn a_session_holds_until_it_is_ended_or_over(subject: &Subject) -> anyhow::Result<()> {
    anna(subject, Role::Viewer).await?;
    let accounts = &subject.accounts;
    ensure!(accounts.begin_session(&session("1", "anna", 0)).await?);
    let (found, of) = subject
        .another
        .session(&hash("1"), at(0))
        .await?
        .context("it does not hold")?;
    ensure!(found == session("1", "anna", 0) && of.signed_in_at == Some(at(0)));
    let idle = SESSION_IDLE.as_hours();
    ensure!(accounts.session(&hash("1"), at(idle)).await?.is_some());
    ensure!(
        accounts.session(&hash("1"), at(idle + 1)).await?.is_none(),
        "nobody used it"
    );
    let life = SESSION_LIFE.as_hours();
    for hours in (0..=life).step_by(6) {
        accounts.use_session(&hash("1"), at(hours)).await?;
    }
    ensure!(accounts.session(&hash("1"), at(life)).await?.is_some());
    accounts.use_session(&hash("1"), at(life + 1)).await?;
    ensure!(
        accounts.session(&hash("1"), at(life + 1)).await?.is_none(),
        "it is too old"
    );
    ensure!(accounts.begin_session(&session("2", "anna", 500)).await?);
    accounts.end_session(&hash("2")).await?;
    ensure!(
        subject.another.session(&hash("2"), at(500)).await?.is_none(),
        "it was ended"
    );
    Ok(())
}

pub async fn whoever_is_removed_or_gets_a_new_password_is_out_of_every_session(
    subject: &Subject,
) -> anyhow::Result<()> {
    anna(subject, Role::Viewer).await?;
    let accounts = &subject.accounts;
    ensure!(accounts.add_user(&user("bert", Role::Admin), &hash("p")).await?);
    for (id, of) in [("1", "anna"), ("2", "anna"), ("3", "bert")] {
        ensure!(accounts.begin_session(&session(id, of, 0)).await?);
    }
    ensure!(accounts.set_password("Anna", &hash("q")).await?);
    for id in ["1", "2"] {
        ensure!(accounts.session(&hash(id), at(0)).await?.is_none());
    }
    ensure!(accounts.user("anna").await?.is_some_and(|(_, kept)| kept == hash("q")));
    ensure!(accounts.begin_session(&session("4", "anna", 0)).await?);
    ensure!(accounts.remove_user("anna").await? == Changed::Done);
    ensure!(accounts.session(&hash("4"), at(0)).await?.is_none());
    ensure!(accounts.session(&hash("3"), at(0)).await?.is_some(), "others stay");
    Ok(())
}

pub async fn a_role_counts_at_once(subject: &Subject) -> anyhow::Result<()> {
    anna(subject, Role::Operator).await?;
    let accounts = &subject.accounts;
    ensure!(accounts.begin_session(&session("1", "anna", 0)).await?);
    ensure!(subject.another.set_role("anna", Role::Viewer).await? == Changed::Done);
    let (_, user) = accounts.session(&hash("1"), at(0)).await?.context("no session")?;
    ensure!(user.role == Role::Viewer);
    Ok(())
}

pub async fn the_last_admin_stays_one(subject: &Subject) -> anyhow::Result<()> {
    anna(subject, Role::Admin).await?;
    let accounts = &subject.accounts;
    ensure!(accounts.add_user(&user("bert", Role::Operator), &hash("p")).await?);
    ensure!(accounts.set_role("anna", Role::Operator).await? == Changed::LastAdmin);
    ensure!(accounts.remove_user("ANNA").await? == Changed::LastAdmin);
    ensure!(accounts.set_role("anna", Role::Admin).await? == Changed::Done);
    ensure!(accounts.set_role("bert", Role::Admin).await? == Changed::Done);
    ensure!(accounts.remove_user("anna").await? == Changed::Done);
    ensure!(accounts.remove_user("bert").await? == Changed::LastAdmin);
    Ok(())
}

pub async fn a_token_counts_until_it_expires_or_is_removed(subject: &Subject) -> anyhow::Result<()> {
    let accounts = &subject.accounts;
    let token = |name: &str, expires_at| Token {
        name: name.to_owned(),
        role: Role::Operator,
        made_at: at(0),
        made_by: "anna".to_owned(),
        expires_at,
        used_at: None,
    };
    let (ci, forever) = (token("ci", Some(at(24))), token("forever", None));
    ensure!(accounts.add_token(&ci, &hash("1")).await? && accounts.add_token(&forever, &hash("2")).await?);
    ensure!(
        !accounts.add_token(&token("CI", None), &hash("3")).await?,
        "its name is taken"
    );
    ensure!(subject.another.token(&hash("1"), at(23)).await? == Some(ci.clone()));
    ensure!(accounts.token(&hash("1"), at(24)).await?.is_none(), "it has expired");
    ensure!(accounts.token(&hash("3"), at(0)).await?.is_none(), "it was not made");
    ensure!(accounts.token(&hash("2"), at(99_999)).await?.is_some());
    accounts.use_token("forever", at(3)).await?;
    let used = Token {
        used_at: Some(at(3)),
        ..forever
    };
    ensure!(accounts.tokens().await? == [ci, used]);
    ensure!(accounts.remove_token("forever").await? && !accounts.remove_token("forever").await?);
    ensure!(subject.another.token(&hash("2"), at(0)).await?.is_none());
    Ok(())
}

pub async fn the_audit_is_read_newest_first_and_page_by_page(subject: &Subject) -> anyhow::Result<()> {
    let outcomes = [Outcome::Done, Outcome::Refused, Outcome::Failed];
    let audited = |number: usize| Audited {
        at: at(0),
        who: "größer \u{1f4be}".to_owned(),
        from: "192.0.2.1".to_owned(),
        what: format!("no. {number}"),
        outcome: outcomes[number % 3],
        detail: number.is_multiple_of(2).then(|| "because".to_owned()),
    };
    for number in 0..5 {
        subject.accounts.note(&audited(number)).await?;
    }
    let newest = subject.another.audit(None, 3).await?;
    let told: Vec<Audited> = newest.iter().map(|entry| entry.audited.clone()).collect();
    ensure!(told == [audited(4), audited(3), audited(2)]);
    let rest = subject
        .accounts
        .audit(newest.last().map(|last| last.number), 10)
        .await?;
    let told: Vec<Audited> = rest.iter().map(|entry| entry.audited.clone()).collect();
    ensure!(told == [audited(1), audited(0)]);
    Ok(())
}
