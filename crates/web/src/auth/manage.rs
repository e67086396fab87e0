//! Users and tokens, as pages, API and commands change them: what is wrong with a name is said here, once.

use jiff::{SignedDuration, Timestamp};
use stillpoint_core::ports::Accounts;
use stillpoint_core::ports::accounts::{Hashed, Role, Token, User};

use super::{refusals, secrets};
use crate::wire::Problem;

/// A token lives no longer than this, in days, if it expires at all.
const LONGEST: u32 = 3650;

/// Who changes accounts, and when.
#[derive(Clone, Debug)]
pub struct By {
    /// His name.
    pub name: String,
    /// Now.
    pub at: Timestamp,
}

/// Refuses what is no name of a user or token: names stand in addresses, logs and tables.
pub fn check_name(what: &str, name: &str) -> Result<(), Problem> {
    let is_plain = |byte: u8| byte.is_ascii_alphanumeric() || b"._@-".contains(&byte);
    let begins_well = name.bytes().next().is_some_and(|first| first.is_ascii_alphanumeric());
    if begins_well && name.len() <= 64 && name.bytes().all(is_plain) {
        return Ok(());
    }
    let title = format!("this is no name of a {what}");
    let hint = "at most 64 letters, digits, `.`, `_`, `@`, `-`, beginning with a letter or digit";
    Err(refusals::invalid(title, hint))
}

/// Makes a user.
pub async fn add_user(
    accounts: &dyn Accounts,
    name: &str,
    role: Role,
    password: Hashed,
    by: &By,
) -> Result<User, Problem> {
    check_name("user", name)?;
    let user = User {
        name: name.to_owned(),
        role,
        made_at: by.at,
        made_by: by.name.clone(),
        signed_in_at: None,
    };
    if !accounts.add_user(&user, &password).await? {
        return Err(refusals::taken("user", name));
    }
    Ok(user)
}

/// Sets the role of a user.
pub async fn set_role(accounts: &dyn Accounts, name: &str, role: Role) -> Result<(), Problem> {
    refusals::unless_done(accounts.set_role(name, role).await?, name)
}

/// Sets the password of a user, and ends his sessions.
pub async fn set_password(accounts: &dyn Accounts, name: &str, password: Hashed) -> Result<(), Problem> {
    if !accounts.set_password(name, &password).await? {
        return Err(refusals::unknown("user", name));
    }
    Ok(())
}

/// Removes a user.
pub async fn remove_user(accounts: &dyn Accounts, name: &str) -> Result<(), Problem> {
    refusals::unless_done(accounts.remove_user(name).await?, name)
}

/// Makes a token that lives for so many days, or without end. Returns it with its secret, which nobody sees again.
pub async fn add_token(
    accounts: &dyn Accounts,
    name: &str,
    role: Role,
    days: Option<u32>,
    by: &By,
) -> Result<(Token, String), Problem> {
    check_name("token", name)?;
    if days.is_some_and(|days| days == 0 || days > LONGEST) {
        let hint = "leave it empty for a token without end";
        return Err(refusals::invalid(
            format!("a token lives for 1 to {LONGEST} days"),
            hint,
        ));
    }
    let token = Token {
        name: name.to_owned(),
        role,
        made_at: by.at,
        made_by: by.name.clone(),
        expires_at: days.map(|days| by.at + SignedDuration::from_hours(24 * i64::from(days))),
        used_at: None,
    };
    let secret = secrets::fresh_token();
    if !accounts.add_token(&token, &secrets::hashed(&secret)).await? {
        return Err(refusals::taken("token", name));
    }
    Ok((token, secret))
}

/// Removes a token: from now on it counts for nothing.
pub async fn remove_token(accounts: &dyn Accounts, name: &str) -> Result<(), Problem> {
    if !accounts.remove_token(name).await? {
        return Err(refusals::unknown("token", name));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stands_in_addresses_and_logs_as_it_is() {
        for name in ["anna", "ops@example.org", "a", "0", "Anna-Maria_7"] {
            assert!(check_name("user", name).is_ok(), "{name}");
        }
        for wrong in ["", "..", "-a", "a b", "a/b", "a%2e", "a\0", "ä", "a\n", &"a".repeat(65)] {
            assert!(check_name("user", wrong).is_err(), "{wrong:?}");
        }
    }
}
