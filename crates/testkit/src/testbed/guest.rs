//! Containers that a test adds to a testbed: a store with options of its own, which is part of the platform, carries Compose's
//! labels and goes with it; and an outsider, which the product can neither see nor stop.

use anyhow::Result;

use super::docker::Docker;
use super::{Testbed, beside, owner, places, reap};

impl Testbed {
    /// Runs a further service of the platform: `docker run OPTIONS IMAGE COMMAND`, by the name that the image has in
    /// [`images`](super::images), or by a tag (`acme-db:1`). Returns the container's id as soon as it was started.
    pub fn guest(&self, service: &str, image: &str, options: &[&str], command: &[&str]) -> Result<String> {
        reap::first()?;
        let tag = if image.contains(':') {
            image.to_owned()
        } else {
            places::image(image)?
        };
        let labels = [
            format!("--label=com.docker.compose.project={}", self.project()),
            format!("--label=com.docker.compose.service={service}"),
            "--label=com.docker.compose.container-number=1".to_owned(),
            format!("--label={}={}", owner::LABEL, owner::this_process()?),
        ];
        let name = format!("--name={}-{service}-1", self.project());
        let run = Docker::new(["run", "--detach", "--stop-timeout=60", &name]).args(labels);
        run.args(options.iter().copied())
            .args([&tag])
            .args(command.iter().copied())
            .run()
    }

    /// Runs a shell script with the stock client programs as somebody who is not part of the platform and only reaches its stores by
    /// their services' names: no standstill stops it. It has the variables of [`Testbed::beside`]. Returns the container's id; whoever
    /// starts it removes it before [`Testbed::down`].
    pub fn outsider(&self, script: &str) -> Result<String> {
        let network = format!("--network={}_backend", self.project());
        let label = format!("--label={}={}", owner::LABEL, owner::this_process()?);
        Docker::new(["run", "--detach", "--init", &network, &label])
            .args(beside::variables(|service| service))
            .args([places::image("CLIENTS")?])
            .args(["bash", "-c", script])
            .run()
    }
}
