//! Who operates the program on this host, for the record. It is no proof: whoever may run it may do what it does.

use std::os::unix::fs::MetadataExt;

/// The user of this process by name, and who has become him by `sudo`.
pub(crate) fn name() -> String {
    let Ok(own) = std::fs::metadata("/proc/self") else {
        return "unknown".to_owned();
    };
    let users = std::fs::read_to_string("/etc/passwd").unwrap_or_default();
    let user = named(&users, own.uid());
    match std::env::var("SUDO_USER") {
        Ok(before) if !before.is_empty() && before != user => format!("{user} (sudo by {before})"),
        _ => user,
    }
}

/// The name of a user id, as `passwd(5)` lists it; a container often has no such list.
fn named(users: &str, id: u32) -> String {
    let is_it = |line: &&str| line.split(':').nth(2) == Some(&id.to_string());
    let line = users.lines().find(is_it);
    let name = line.and_then(|line| line.split(':').next());
    name.map_or_else(|| format!("uid {id}"), ToOwned::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_a_name_is_called_by_its_number() {
        let users = "root:x:0:0:root:/root:/bin/sh\nop:x:1000:1000::/home/op:/bin/sh\n";
        assert_eq!(named(users, 1000), "op");
        assert_eq!(named(users, 100), "uid 100");
        assert_eq!(named("", 0), "uid 0");
    }
}
