//! What a doctor is not to tell.

use stillpoint_core::doctor::Check;

use super::key::{Fallback, Key, Shape};
use super::settings::Settings;
use crate::failure::Failure;

/// The owner's keys.
pub(super) const KEYS: [Key; 1] = [ACCEPT];

const ACCEPT: Key = Key {
    path: "doctor.accept",
    variable: "STILLPOINT_DOCTOR_ACCEPT",
    flag: None,
    shape: Shape::List,
    fallback: Fallback::Words("nothing"),
    about: "Findings of `stillpoint doctor` that are known: a check, as `only-copy`, or one of a service, as `left-out:webui`.",
};

/// What is accepted; a name that no check has is a mistake.
pub(super) fn read(settings: &Settings) -> Result<Vec<String>, Failure> {
    let accepted = settings.list(&ACCEPT);
    for one in &accepted {
        let check = one.split_once(':').map_or(one.as_str(), |(check, _)| check);
        if Check::called(check).is_none() {
            let names: Vec<&str> = Check::ALL.iter().map(|check| check.name()).collect();
            let why = format!("`{check}` is no check; there are {}", names.join(", "));
            return Err(settings.refuse(&ACCEPT, why));
        }
    }
    Ok(accepted)
}
