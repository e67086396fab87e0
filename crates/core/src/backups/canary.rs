//! The proof, before anything is stopped, that a repository takes data, returns it unchanged and
//! removes it. Written and compared block by block: it holds one block in memory, not the whole.
//!
//! A large one goes the way of large artifacts: a proxy on the way that takes no more than a megabyte at once is found out.
//! A small one is for where the large one has passed before, and for where what is deleted stays all the same.

use std::sync::LazyLock;

use bytes::Bytes;
use futures::TryStreamExt;

use super::Backups;
use crate::names::RunId;
use crate::ports::{Key, RepositoryError, Upload};

const BLOCK_BYTES: usize = 64 << 10;

/// How much is tried.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Canary {
    /// 64 KiB.
    Small,
    /// A little more than 5 MiB: what S3 takes in one part.
    Large,
}

impl Canary {
    fn blocks(self) -> usize {
        match self {
            Self::Small => 1,
            Self::Large => 81,
        }
    }
}

/// Noise: a disk that compresses would take any amount of equal bytes.
static BLOCK: LazyLock<Bytes> = LazyLock::new(|| {
    let mut state = 0x5711_1201_u32;
    let noise = std::iter::repeat_with(move || {
        // The step of Numerical Recipes' "quick and dirty" generator; only the high bits are any good.
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    });
    noise.take(BLOCK_BYTES).collect()
});

const CANARY: &str = "canary-";

/// When a run tries it. Where nothing can be deleted, the first one is still there when the second comes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Before anything is stopped.
    Before,
    /// Inside the standstill.
    Inside,
}

/// Where a run's canary stands while it is tried.
fn key(run: &RunId, when: When) -> Key {
    let name = match when {
        When::Before => format!("{CANARY}{run}"),
        When::Inside => format!("{CANARY}{run}-inside"),
    };
    Key::product(&name)
}

/// All that a run can have.
pub(super) fn keys(run: &RunId) -> [Key; 2] {
    [key(run, When::Before), key(run, When::Inside)]
}

/// Whether this is somebody's canary.
pub(super) fn is_one(key: &Key) -> bool {
    key.split().is_some_and(|(_, name)| name.starts_with(CANARY))
}

impl Backups {
    /// Proves that the repository takes, returns and removes so much. That it removes nothing of ours at all is told by
    /// [`super::Lease::cannot_delete`].
    pub async fn canary(&self, run: &RunId, when: When, size: Canary) -> Result<(), RepositoryError> {
        let key = key(run, when);
        let returned = self.send_and_fetch(&key, size.blocks()).await;
        let deleted = self.delete_if_it_may_be(&key).await;
        returned.and(deleted)
    }

    async fn send_and_fetch(&self, key: &Key, blocks: usize) -> Result<(), RepositoryError> {
        let mut upload = self.repository.upload(key).await?;
        if let Err(error) = write(&mut *upload, blocks).await {
            // The first error is the one that tells why; nothing was made yet.
            let _ = upload.abort().await;
            return Err(error);
        }
        upload.complete().await?;
        let mut content = self.repository.open(key).await?.content;
        let mut read = 0;
        while let Some(piece) = content.try_next().await? {
            if !goes_on(read, &piece) {
                return Err(other_bytes(key));
            }
            read += piece.len();
        }
        if read == blocks * BLOCK_BYTES {
            Ok(())
        } else {
            Err(other_bytes(key))
        }
    }
}

async fn write(upload: &mut dyn Upload, blocks: usize) -> Result<(), RepositoryError> {
    for _ in 0..blocks {
        upload.write(BLOCK.clone()).await?;
    }
    Ok(())
}

/// Whether `piece` is what stands in the canary from byte `at`.
fn goes_on(mut at: usize, mut piece: &[u8]) -> bool {
    while !piece.is_empty() {
        let rest_of_block = &BLOCK[at % BLOCK_BYTES..];
        let length = rest_of_block.len().min(piece.len());
        if piece[..length] != rest_of_block[..length] {
            return false;
        }
        piece = &piece[length..];
        at += length;
    }
    true
}

fn other_bytes(key: &Key) -> RepositoryError {
    RepositoryError::Failed {
        key: key.to_string(),
        cause: "it returned other bytes than it was given".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_of_any_size_are_compared_with_their_place() {
        let whole: Vec<u8> = BLOCK.iter().chain(BLOCK.iter()).copied().collect();
        for size in [1, 4096, BLOCK_BYTES - 1, BLOCK_BYTES, BLOCK_BYTES + 1] {
            assert!(goes_on(0, &whole[..size]), "{size}");
            assert!(goes_on(7, &whole[7..size.max(7)]), "{size}");
        }
        assert!(goes_on(BLOCK_BYTES - 3, &whole[BLOCK_BYTES - 3..]));
        assert!(!goes_on(1, &whole[..64]));
    }
}
