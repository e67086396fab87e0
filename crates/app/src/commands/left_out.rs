//! What a backup does not hold, as a list for people.

use std::collections::BTreeMap;

use stillpoint_core::manifest::{LeftOut, WorkloadRecord};

use crate::display::{print, words};

/// Prints what these workloads keep outside the backup; nothing if they keep nothing.
pub(super) fn show(workloads: &[WorkloadRecord]) {
    for line in lines(workloads) {
        print::line(&line);
    }
}

/// What these workloads keep outside the backup, below a heading; nothing if they keep nothing.
pub(crate) fn lines(workloads: &[WorkloadRecord]) -> Vec<String> {
    let lines = one_each(workloads);
    if lines.is_empty() {
        return lines;
    }
    let heading = "NOT in the backup:".to_owned();
    let indented = lines.iter().map(|line| format!("  {line}"));
    std::iter::once(heading).chain(indented).collect()
}

/// One line for each database, volume and folder, whoever uses it.
fn one_each(workloads: &[WorkloadRecord]) -> Vec<String> {
    let mut users: BTreeMap<(String, String), (Vec<String>, &LeftOut)> = BTreeMap::new();
    for record in workloads {
        for one in record.left_out.iter().flatten() {
            let key = (one.what.to_string(), one.name.clone());
            let user = match &one.at {
                Some(at) => format!("{} at {at}", record.address),
                None => record.address.to_string(),
            };
            users.entry(key).or_insert_with(|| (Vec::new(), one)).0.push(user);
        }
    }
    let line = |((what, name), (users, one)): ((String, String), (Vec<String>, &LeftOut))| {
        let size = one.bytes.map_or_else(|| "size unknown".to_owned(), words::bytes);
        format!("{what} {name} ({}): {size}", users.join(", "))
    };
    users.into_iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use stillpoint_core::manifest::DataKind;
    use stillpoint_core::names::{Address, Project};
    use stillpoint_core::workload::State;

    use super::*;

    fn record(service: &str, left_out: &[LeftOut]) -> WorkloadRecord {
        WorkloadRecord {
            address: Address {
                project: Project::new("acme"),
                service: service.to_owned(),
                number: 1,
            },
            image: String::new(),
            image_id: String::new(),
            state: State::Running,
            role: "client".to_owned(),
            action: "stop".to_owned(),
            reason: String::new(),
            left_out: Some(left_out.to_vec()),
        }
    }

    #[test]
    fn what_several_use_is_one_line() {
        let one = |what, name: &str, at: Option<&str>, bytes| LeftOut {
            what,
            name: name.to_owned(),
            at: at.map(ToOwned::to_owned),
            bytes,
        };
        let shared = |at| one(DataKind::Volume, "uploads", Some(at), Some(2048));
        let records = [
            record("api", &[shared("/data"), one(DataKind::Database, "MySQL", None, None)]),
            record("web", &[shared("/srv")]),
        ];
        assert_eq!(
            one_each(&records),
            [
                "database MySQL (api): size unknown",
                "volume uploads (api at /data, web at /srv): 2.00 KiB"
            ]
        );
        assert!(lines(&[record("api", &[])]).is_empty());
    }
}
