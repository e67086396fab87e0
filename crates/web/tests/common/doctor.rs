//! What a doctor finds on the fake platform.

use stillpoint_core::doctor::{Check, Diagnosed, Diagnosis};
use stillpoint_core::findings::Finding;
use stillpoint_core::names::Project;

use super::Scenario;

pub(super) fn diagnosis(scenario: Scenario) -> Diagnosis {
    let findings = match scenario {
        Scenario::AtRisk => vec![
            found(
                Check::CannotStart,
                Some("webui"),
                Finding::refuses(
                    "webui uses /srv/uploads of the host, which is gone: it would start without it, or not at all",
                    "make again what is named (`docker compose up -d` makes containers again)",
                ),
            ),
            found(
                Check::RestartPolicy,
                Some("worker"),
                Finding::warns("worker runs with restart policy `no`: it does not come back when the host starts"),
            ),
            found(
                Check::Unverified,
                None,
                Finding::advises("none of 12 backups was ever read back"),
            ),
        ],
        Scenario::Hostile => vec![found(
            Check::NotReached,
            None,
            Finding::warns("<script>alert(1)</script> was not reached the last time: <b>no</b>"),
        )],
        _ => Vec::new(),
    };
    Diagnosis {
        platform: Some(Project::new("acme")),
        findings,
        accepted: usize::from(scenario == Scenario::AtRisk),
        unseen: match scenario {
            Scenario::AtRisk => vec!["what begins when the host starts, and the host's cron jobs".to_owned()],
            _ => Vec::new(),
        },
    }
}

fn found(check: Check, service: Option<&str>, finding: Finding) -> Diagnosed {
    let remedy = finding.remedy.clone().or_else(|| Some(check.fix().to_owned()));
    Diagnosed {
        check,
        service: service.map(ToOwned::to_owned),
        finding: Finding { remedy, ..finding },
        why: check.why(),
    }
}
