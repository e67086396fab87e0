//! Containers that a test adds to a testbed's platform: a store with options of its own. They carry Compose's labels and
//! the owner's, and go with the platform.

use anyhow::Result;

use super::docker::Docker;
use super::{Testbed, owner, places, reap};

impl Testbed {
    /// Runs a further service of the platform: `docker run OPTIONS IMAGE COMMAND`, by the name that the image has in
    /// [`images`](super::images). Returns the container's id as soon as it was started.
    pub fn guest(&self, service: &str, image: &str, options: &[&str], command: &[&str]) -> Result<String> {
        reap::first()?;
        let labels = [
            format!("--label=com.docker.compose.project={}", self.project()),
            format!("--label=com.docker.compose.service={service}"),
            "--label=com.docker.compose.container-number=1".to_owned(),
            format!("--label={}={}", owner::LABEL, owner::this_process()?),
        ];
        let name = format!("--name={}-{service}-1", self.project());
        let run = Docker::new(["run", "--detach", "--stop-timeout=60", &name]).args(labels);
        run.args(options.iter().copied())
            .args([&places::image(image)?])
            .args(command.iter().copied())
            .run()
    }
}
