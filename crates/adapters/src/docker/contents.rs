//! A look inside containers: their processes, as the engine's host sees them, and files where something is mounted.
//! Runs nothing in them. What cannot be told is left out.

use bollard::query_parameters::{ContainerArchiveInfoOptionsBuilder, TopOptionsBuilder};
use stillpoint_core::workload::{CommandLine, Contents, MountSource, Workload};

use super::connect::{Docker, SHORT};
use super::errors::Act;

/// What the engine asks its host's `ps` for; it insists on the column PID.
const COLUMNS: &str = "-eo pid,args";

impl Docker {
    pub(super) async fn look_inside(&self, workload: &Workload, files: &[&str]) -> Contents {
        if workload.state.is_up() {
            let processes = self.processes(workload).await;
            return Contents {
                processes,
                ..Contents::default()
            };
        }
        let mut contents = Contents::default();
        for folder in workload
            .mounts
            .iter()
            .filter(|mount| mount.source != MountSource::Memory)
        {
            for file in files {
                if self.has(workload, &format!("{}/{file}", folder.at)).await {
                    contents.files.insert((*file).to_owned());
                }
            }
        }
        contents
    }

    async fn processes(&self, workload: &Workload) -> Option<Vec<CommandLine>> {
        let options = TopOptionsBuilder::new().ps_args(COLUMNS).build();
        let act = Act::on("list the processes of", workload.id.as_str());
        let top = self.client().top_processes(workload.id.as_str(), Some(options));
        let rows = self.call(&act, SHORT, top).await.ok()?.processes?;
        Some(rows.into_iter().filter_map(command_line).collect())
    }

    async fn has(&self, workload: &Workload, path: &str) -> bool {
        let options = ContainerArchiveInfoOptionsBuilder::new().path(path).build();
        let act = Act::on("look into", workload.id.as_str());
        let look = self
            .client()
            .get_container_archive_info(workload.id.as_str(), Some(options));
        self.call(&act, SHORT, look).await.is_ok()
    }
}

/// The second column; the engine gives it as one text.
fn command_line(row: Vec<String>) -> Option<CommandLine> {
    let args = row.into_iter().nth(1)?;
    Some(CommandLine::new(args.split_whitespace().map(ToOwned::to_owned)))
}
