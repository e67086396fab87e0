//! `stillpoint tokens ls`, `new` and `rm`: what programs send to the API of the service.

use stillpoint_core::engine::errors::Exit;
use stillpoint_core::ports::Accounts;
use stillpoint_core::ports::accounts::Role;
use stillpoint_web::auth::manage;
use stillpoint_web::wire::Problem;

use super::table;
use super::users::{by, noted};
use crate::config::Config;
use crate::display::{print, words};
use crate::failure::Failure;
use crate::wiring;

/// Look after the tokens by which programs ask the API of the service
#[derive(clap::Subcommand, Debug)]
pub(super) enum Command {
    /// List the tokens
    Ls,
    /// Make a token and print it; it cannot be shown again
    New {
        /// The name
        name: String,
        /// What its bearer may do: viewer, operator or admin
        #[arg(long, default_value = "viewer")]
        role: Role,
        /// It expires after so many days; without: never
        #[arg(long)]
        days: Option<u32>,
    },
    /// Remove a token: it counts for nothing from then on
    Rm {
        /// The name
        name: String,
    },
}

pub(super) async fn run(config: &Config, command: &Command) -> Result<Exit, Failure> {
    let accounts = wiring::accounts(config);
    match command {
        Command::Ls => list(config, &accounts).await?,
        Command::New { name, role, days } => {
            let by = by();
            let (token, secret) = manage::add_token(&accounts, name, *role, *days, &by).await?;
            noted(&accounts, by, format!("make token {name} ({role})")).await;
            if config.json {
                print::document(&serde_json::json!({ "token": token, "secret": secret }));
            } else {
                print::error("The token, which is not shown again:");
                print::line(&secret);
            }
        }
        Command::Rm { name } => {
            manage::remove_token(&accounts, name).await?;
            noted(&accounts, by(), format!("revoke token {name}")).await;
            print::summary(config.json, &format!("The token {name} counts for nothing any more."));
        }
    }
    Ok(Exit::Ok)
}

async fn list(config: &Config, accounts: &dyn Accounts) -> Result<(), Failure> {
    let tokens = accounts.tokens().await.map_err(Problem::from)?;
    if config.json {
        print::document(&serde_json::json!({ "tokens": tokens }));
        return Ok(());
    }
    let mut rows = table(&["NAME", "ROLE", "USED", "EXPIRES", "MADE", "BY"]);
    for token in tokens {
        let moment = |at: Option<_>| at.map_or_else(|| "never".to_owned(), words::local);
        rows.add_row([
            token.name,
            token.role.to_string(),
            moment(token.used_at),
            moment(token.expires_at),
            words::local(token.made_at),
            token.made_by,
        ]);
    }
    print::line(&rows.to_string());
    Ok(())
}
