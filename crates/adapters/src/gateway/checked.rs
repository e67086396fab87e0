//! An object's bytes with a guard: they end well only if all came and, where a hash is known, are what was recorded. The last
//! piece is kept back until that is known, so that whoever passes them on has never passed on all of a wrong object.

use std::sync::Arc;

use bytes::Bytes;
use futures::{StreamExt, stream};
use stillpoint_core::hashing::Hashing;
use stillpoint_core::ports::repository::Content;
use stillpoint_core::ports::{Key, RepositoryError, Workers};

struct Guard {
    key: Key,
    content: Content,
    left: u64,
    hash: Option<(Hashing, String)>,
}

/// `content` guarded: `size` bytes, which have this SHA-256.
pub(super) fn whole(key: Key, content: Content, size: u64, sha256: &str, workers: &Arc<dyn Workers>) -> Content {
    let hash = Some((Hashing::new(workers.clone()), sha256.to_owned()));
    guard(key, content, size, hash)
}

/// `content` guarded: `size` bytes.
pub(super) fn range(key: Key, content: Content, size: u64) -> Content {
    guard(key, content, size, None)
}

fn guard(key: Key, content: Content, left: u64, hash: Option<(Hashing, String)>) -> Content {
    let guard = Guard {
        key,
        content,
        left,
        hash,
    };
    stream::try_unfold(guard, next).boxed()
}

async fn next(mut guard: Guard) -> Result<Option<(Bytes, Guard)>, RepositoryError> {
    let piece = guard.content.next().await.transpose()?;
    let Some(piece) = piece else {
        return guard.end().await.map(|()| None);
    };
    let left = guard.left.checked_sub(piece.len() as u64);
    guard.left = left.ok_or_else(|| guard.wrong("it is longer than it was"))?;
    if let Some((hash, _)) = &mut guard.hash {
        hash.add(&piece).await.map_err(|ended| ended.at(&guard.key))?;
    }
    if guard.left == 0 {
        guard.compare().await?;
    }
    Ok(Some((piece, guard)))
}

impl Guard {
    /// An object without a byte has no last piece.
    async fn end(&mut self) -> Result<(), RepositoryError> {
        if self.left > 0 {
            return Err(self.wrong("it ended before its end"));
        }
        self.compare().await
    }

    async fn compare(&mut self) -> Result<(), RepositoryError> {
        let Some((mut hash, expected)) = self.hash.take() else {
            return Ok(());
        };
        let found = hash.finish().await.map_err(|ended| ended.at(&self.key))?;
        if found == expected {
            Ok(())
        } else {
            Err(self.wrong("its SHA-256 is not what it was"))
        }
    }

    fn wrong(&self, cause: &str) -> RepositoryError {
        RepositoryError::Failed {
            key: self.key.to_string(),
            cause: cause.to_owned(),
        }
    }
}

#[cfg(test)]
mod tests {
    use futures::TryStreamExt;

    use super::*;
    use crate::workers::Threads;

    /// Of "hello".
    const SHA256: &str = "2cf24dba5fb0a30e26e83b2ac5b9e29e1b161e5c1fa7425e73043362938b9824";

    /// What was passed on, and why it ended.
    async fn read(pieces: &[&'static str], size: u64, sha256: &str) -> (String, Option<String>) {
        let pieces: Vec<_> = pieces.iter().map(|piece| Ok(Bytes::from(*piece))).collect();
        let key = Key::found("a");
        let mut content = whole(
            key,
            stream::iter(pieces).boxed(),
            size,
            sha256,
            &(Arc::new(Threads) as _),
        );
        let mut passed = String::new();
        loop {
            match content.try_next().await {
                Ok(Some(piece)) => passed.push_str(std::str::from_utf8(&piece).unwrap()),
                Ok(None) => return (passed, None),
                Err(error) => return (passed, Some(error.to_string())),
            }
        }
    }

    #[tokio::test]
    async fn what_is_right_ends_well() {
        assert_eq!(read(&["he", "llo"], 5, SHA256).await, ("hello".into(), None));
        let empty = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";
        assert_eq!(read(&[], 0, empty).await, (String::new(), None));
    }

    #[tokio::test]
    async fn what_is_wrong_is_never_passed_on_whole() {
        for (pieces, passed, cause) in [
            (&["he", "llO"][..], "he", "SHA-256"),
            (&["he", "ll"], "hell", "before its end"),
            (&["he", "llo!"], "he", "longer"),
            (&[], "", "before its end"),
        ] {
            let (read, why) = read(pieces, 5, SHA256).await;
            assert_eq!(read, passed);
            assert!(why.as_ref().is_some_and(|why| why.contains(cause)), "{why:?}");
        }
        let (_, why) = read(&[], 0, SHA256).await;
        assert!(why.is_some_and(|why| why.contains("SHA-256")));
    }
}
