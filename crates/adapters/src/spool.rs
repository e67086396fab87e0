//! Temporary files in the state directory. They never have a name (`O_TMPFILE`, or unlinked at once), so
//! the kernel frees them with the process, however it ends.

use std::io;
use std::path::{Path, PathBuf};

use async_trait::async_trait;
use stillpoint_core::ports::{Spool, SpoolError, SpoolFile};
use tokio::task::spawn_blocking;

/// A spool in a directory, which is made when it is first needed.
pub struct DiskSpool {
    folder: PathBuf,
}

impl DiskSpool {
    /// Spools in this directory.
    pub fn in_folder(folder: PathBuf) -> Self {
        Self { folder }
    }

    async fn on_disk<T: Send + 'static>(
        &self,
        act: impl FnOnce(&Path) -> io::Result<T> + Send + 'static,
    ) -> Result<T, SpoolError> {
        let folder = self.folder.clone();
        let done = spawn_blocking(move || {
            std::fs::create_dir_all(&folder)?;
            act(&folder)
        });
        let done = done.await.unwrap_or_else(|error| Err(io::Error::other(error)));
        done.map_err(|error| SpoolError {
            place: self.place(),
            cause: error.to_string(),
        })
    }
}

#[async_trait]
impl Spool for DiskSpool {
    fn place(&self) -> String {
        self.folder.display().to_string()
    }

    async fn room(&self) -> Result<u64, SpoolError> {
        self.on_disk(crate::repository::disk::room).await
    }

    async fn create(&self) -> Result<Box<dyn SpoolFile>, SpoolError> {
        let file = self.on_disk(|folder| tempfile::tempfile_in(folder)).await?;
        Ok(Box::new(tokio::fs::File::from_std(file)))
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncSeekExt, AsyncWriteExt};

    use super::*;

    #[tokio::test]
    async fn what_is_spooled_can_be_read_and_is_in_no_directory() {
        let folder = tempfile::tempdir().unwrap();
        let spool = DiskSpool::in_folder(folder.path().join("state"));
        let mut file = spool.create().await.unwrap();
        file.write_all(b"on their way").await.unwrap();
        file.rewind().await.unwrap();
        let mut read = String::new();
        file.read_to_string(&mut read).await.unwrap();
        assert_eq!(read, "on their way");
        assert_eq!(std::fs::read_dir(folder.path().join("state")).unwrap().count(), 0);
        assert!(spool.room().await.unwrap() > 0);
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_made_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        std::fs::write(&file, "").unwrap();
        let error = DiskSpool::in_folder(file.join("state")).create().await.err().unwrap();
        assert!(error.to_string().contains("file/state"), "{error}");
    }
}
