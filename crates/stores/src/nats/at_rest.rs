//! What of a server's streams a stop would leave: those in memory are empty then.

use stillpoint_core::stores::{AtRest, Cx, StoreError};

use super::NatsStore;

impl NatsStore {
    pub(super) async fn left_by_a_stop(&self, cx: &Cx) -> Result<AtRest, StoreError> {
        let mut unsaved = Vec::new();
        for login in &self.access.logins {
            let link = self.open(cx, login).await?;
            for stream in link.streams(cx).await? {
                let messages = stream.counted("messages");
                if stream.in_memory() && messages > 0 {
                    let label = login.label(stream.name());
                    unsaved.push(format!("stream {label} keeps its {messages} messages in memory"));
                }
            }
        }
        let folder = self.overview(cx).await?.and_then(|overview| overview.folder);
        Ok(AtRest {
            folders: folder.into_iter().collect(),
            unsaved,
            unstartable: Vec::new(),
        })
    }
}
