//! Passwords: argon2id. It takes memory and time on purpose, so one is looked at at once, away from the threads that serve
//! everything else.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, Version};
use stillpoint_core::ports::accounts::Hashed;
use tokio::sync::Semaphore;

use super::refusals;
use crate::wire::Problem;

/// The fewest characters that a password has.
pub const SHORTEST: usize = 12;

/// More bytes are no password.
const LONGEST: usize = 1024;

/// So many are looked at at once.
const AT_ONCE: usize = 1;

/// 46 MiB once (OWASP, "Password Storage Cheat Sheet", the first of its equals). glibc gives back at once what is larger than 32
/// MiB (mallopt(3), `M_MMAP_THRESHOLD`); of less, each thread that has looked at a password would keep its share.
const MEMORY_KIB: u32 = 46 << 10;
const PASSES: u32 = 1;

/// How long somebody waits for his turn.
const PATIENCE: Duration = Duration::from_secs(10);

/// Refuses a password that is too easy to guess, in words.
pub fn check(password: &str) -> Result<(), String> {
    let length = password.chars().count();
    if length < SHORTEST {
        return Err(format!(
            "the password has {length} characters, and {SHORTEST} are the least"
        ));
    }
    if password.len() > LONGEST {
        return Err(format!("the password has more than {LONGEST} bytes"));
    }
    Ok(())
}

/// What is kept of a password. Takes a while.
pub fn hashed(password: &str) -> Result<Hashed, String> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|error| error.to_string())?;
    let argon2 = Argon2::new(Algorithm::Argon2id, Version::V0x13, params);
    let hash = argon2.hash_password(password.as_bytes());
    hash.map(|hash| Hashed(hash.to_string()))
        .map_err(|error| error.to_string())
}

/// Whether this is the password. Takes a while.
fn is_it(password: &str, kept: &Hashed) -> bool {
    let Ok(hash) = PasswordHash::new(&kept.0) else {
        return false;
    };
    Argon2::default().verify_password(password.as_bytes(), &hash).is_ok()
}

/// Looks at passwords, one after the other.
pub(crate) struct Passwords {
    turns: Arc<Semaphore>,
}

impl Default for Passwords {
    fn default() -> Self {
        Self {
            turns: Arc::new(Semaphore::new(AT_ONCE)),
        }
    }
}

impl Passwords {
    /// Whether this is the password. Where there is no such user it takes as long to say no.
    pub(crate) async fn is_it(&self, password: String, kept: Option<Hashed>) -> Result<bool, Problem> {
        self.in_turn(move || {
            let known = kept.is_some();
            let kept = kept.or_else(decoy);
            kept.is_some_and(|kept| is_it(&password, &kept)) && known
        })
        .await
    }

    /// What is kept of a new password, if it may be one.
    pub(crate) async fn hashed(&self, password: String) -> Result<Hashed, Problem> {
        check(&password).map_err(|why| refusals::invalid(why, "take a longer one: a few words are easy to keep"))?;
        let hash = self.in_turn(move || hashed(&password)).await?;
        hash.map_err(|why| refusals::invalid(why, "take another password"))
    }

    async fn in_turn<T: Send + 'static>(&self, act: impl FnOnce() -> T + Send + 'static) -> Result<T, Problem> {
        let turn = tokio::time::timeout(PATIENCE, self.turns.clone().acquire_owned()).await;
        let turn = turn.ok().and_then(Result::ok).ok_or_else(refusals::busy)?;
        let done = tokio::task::spawn_blocking(move || {
            let done = act();
            drop(turn);
            done
        });
        done.await.map_err(|_| refusals::busy())
    }
}

/// What a user would have whom there is not.
fn decoy() -> Option<Hashed> {
    static DECOY: OnceLock<Option<Hashed>> = OnceLock::new();
    DECOY.get_or_init(|| hashed(&super::secrets::fresh()).ok()).clone()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_known_again_and_no_other_is() {
        let kept = hashed("correct horse battery").unwrap();
        assert!(kept.0.starts_with("$argon2id$v=19$m=47104,t=1,p=1$"), "{}", kept.0);
        assert!(is_it("correct horse battery", &kept));
        assert!(!is_it("correct horse batterz", &kept));
        assert!(!is_it("", &Hashed(String::new())));
    }

    #[test]
    fn a_short_password_is_none() {
        assert!(check("eleven char").is_err());
        assert!(check("zwölf Zeiche").is_ok());
        assert!(check(&"x".repeat(LONGEST + 1)).is_err());
    }
}
