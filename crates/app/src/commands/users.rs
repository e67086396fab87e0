//! `stillpoint users ls`, `add`, `passwd` and `rm`: for whoever is locked out. They work on the ledger; a service that runs
//! heeds them at once.

use std::io::{IsTerminal, Read};

use jiff::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use stillpoint_core::engine::errors::Exit;
use stillpoint_core::ports::Accounts;
use stillpoint_core::ports::accounts::{Audited, Hashed, Outcome, Role};
use stillpoint_web::auth::manage::{self, By};
use stillpoint_web::auth::password;
use stillpoint_web::wire::Problem;

use super::table;
use crate::config::Config;
use crate::display::{print, words};
use crate::failure::Failure;
use crate::{operator, wiring};

/// No password is longer, as the service sees it.
const LONGEST: u64 = 4096;

/// Look after those who sign in on the pages of the service
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// List the users
    Ls,
    /// Make a user; the password is asked for, or read from standard input
    Add {
        /// The name
        name: String,
        /// What the user may do: viewer, operator or admin
        #[arg(long, default_value = "viewer")]
        role: Role,
    },
    /// Set the password of a user and end the user's sessions; it is asked for, or read from standard input
    Passwd {
        /// The name
        name: String,
    },
    /// Remove a user
    Rm {
        /// The name
        name: String,
    },
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<Exit, Failure> {
    let accounts = wiring::accounts(config);
    let by = by();
    match command {
        Command::Ls => list(config, &accounts).await?,
        Command::Add { name, role } => {
            manage::check_name("user", name)?;
            let password = asked_for().await?;
            manage::add_user(&accounts, name, *role, password, &by).await?;
            noted(&accounts, by, format!("make user {name} ({role})")).await;
            print::summary(config.json, &format!("{name} may sign in as {role}."));
        }
        Command::Passwd { name } => {
            if accounts.user(name).await.map_err(Problem::from)?.is_none() {
                return Err(Failure::usage(
                    format!("there is no user {name}"),
                    "`stillpoint users ls` lists them",
                ));
            }
            manage::set_password(&accounts, name, asked_for().await?).await?;
            noted(&accounts, by, format!("set the password of user {name}")).await;
            print::summary(
                config.json,
                &format!("The password of {name} is set, and all sessions have ended."),
            );
        }
        Command::Rm { name } => {
            manage::remove_user(&accounts, name).await?;
            noted(&accounts, by, format!("remove user {name}")).await;
            print::summary(config.json, &format!("{name} is removed."));
        }
    }
    Ok(Exit::Ok)
}

/// Who operates the program, now.
pub(super) fn by() -> By {
    By {
        name: operator::name(),
        at: Timestamp::now(),
    }
}

/// Adds to the audit. The change is made, whether or not it can be noted.
pub(super) async fn noted(accounts: &dyn Accounts, by: By, what: String) {
    let audited = Audited {
        at: by.at,
        who: by.name,
        from: "local".to_owned(),
        what,
        outcome: Outcome::Done,
        detail: None,
    };
    if let Err(error) = accounts.note(&audited).await {
        print::error(&format!("warning: {error}"));
    }
}

async fn list(config: &Config, accounts: &dyn Accounts) -> Result<(), Failure> {
    let users = accounts.users().await.map_err(Problem::from)?;
    if config.json {
        print::document(&serde_json::json!({ "users": users }));
        return Ok(());
    }
    if users.is_empty() {
        print::line("There are no users: `stillpoint serve` prints a link by which the first one is made.");
        return Ok(());
    }
    let mut rows = table(&["NAME", "ROLE", "SIGNED IN", "MADE", "BY"]);
    for user in users {
        let signed_in = user.signed_in_at.map_or_else(|| "never".to_owned(), words::local);
        let row = [
            user.name,
            user.role.to_string(),
            signed_in,
            words::local(user.made_at),
            user.made_by,
        ];
        rows.add_row(row);
    }
    print::line(&rows.to_string());
    Ok(())
}

/// A new password: typed twice without being shown, or all of standard input where that is no terminal. Never an argument:
/// everybody on the host sees those.
async fn asked_for() -> Result<Hashed, Failure> {
    let asked = tokio::task::spawn_blocking(|| {
        let password = if std::io::stdin().is_terminal() {
            typed()?
        } else {
            read()?
        };
        let refused = |why| Failure::usage(why, "take a longer one: a few words are easy to keep");
        password::check(password.expose_secret()).map_err(refused)?;
        password::hashed(password.expose_secret()).map_err(|why| Failure::usage(why, "take another password"))
    });
    asked.await.map_err(|died| Failure::usage(died.to_string(), ""))?
}

fn typed() -> Result<SecretString, Failure> {
    let ask = |question: &str| {
        let typed = rpassword::prompt_password(question).map(SecretString::from);
        typed.map_err(|error| unreadable(&error))
    };
    let (once, again) = (ask("New password: ")?, ask("The same once more: ")?);
    if once.expose_secret() != again.expose_secret() {
        return Err(Failure::usage("the two passwords are not the same", "type them again"));
    }
    Ok(once)
}

fn read() -> Result<SecretString, Failure> {
    let mut text = String::new();
    let mut input = std::io::stdin().take(LONGEST);
    input.read_to_string(&mut text).map_err(|error| unreadable(&error))?;
    let line = text.strip_suffix('\n').unwrap_or(&text);
    Ok(SecretString::from(line.strip_suffix('\r').unwrap_or(line)))
}

fn unreadable(error: &std::io::Error) -> Failure {
    let hint = "type it at a terminal, or send it on standard input";
    Failure::usage(format!("the password cannot be read: {error}"), hint)
}
