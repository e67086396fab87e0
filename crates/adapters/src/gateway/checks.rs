//! What a client says of the bytes that it sends, in a header or behind them: each is computed beside the stream and
//! compared. What `x-amz-content-sha256` and the signatures of chunks say, `s3s` compares.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::HeaderMap;
use s3s::checksum::ChecksumHasher;
use s3s::crypto::{Checksum as _, Crc32, Crc32c, Crc64Nvme, Md5, Sha1, Sha256};
use s3s::dto::Checksum;
use s3s::{S3Result, s3_error};

/// A checksum that a client can send.
#[derive(Clone, Copy, Debug)]
struct Kind {
    header: &'static str,
    begin: fn(&mut ChecksumHasher),
    value: fn(&Checksum) -> Option<&String>,
}

const KINDS: [Kind; 5] = [
    Kind {
        header: "x-amz-checksum-crc32",
        begin: |hasher| hasher.crc32 = Some(Crc32::new()),
        value: |sums| sums.checksum_crc32.as_ref(),
    },
    Kind {
        header: "x-amz-checksum-crc32c",
        begin: |hasher| hasher.crc32c = Some(Crc32c::new()),
        value: |sums| sums.checksum_crc32c.as_ref(),
    },
    Kind {
        header: "x-amz-checksum-crc64nvme",
        begin: |hasher| hasher.crc64nvme = Some(Crc64Nvme::new()),
        value: |sums| sums.checksum_crc64nvme.as_ref(),
    },
    Kind {
        header: "x-amz-checksum-sha1",
        begin: |hasher| hasher.sha1 = Some(Sha1::new()),
        value: |sums| sums.checksum_sha1.as_ref(),
    },
    Kind {
        header: "x-amz-checksum-sha256",
        begin: |hasher| hasher.sha256 = Some(Sha256::new()),
        value: |sums| sums.checksum_sha256.as_ref(),
    },
];

/// The checksums of one body.
#[derive(Default)]
pub(super) struct Checks {
    md5: Option<(Md5, String)>,
    hasher: ChecksumHasher,
    /// What was said before the body; none where it comes behind.
    expected: Vec<(Kind, Option<String>)>,
}

impl Checks {
    /// What the headers announce.
    pub(super) fn of(headers: &HeaderMap) -> S3Result<Self> {
        let mut checks = Self::default();
        if let Some(md5) = text(headers, "content-md5") {
            checks.md5 = Some((Md5::new(), md5.to_owned()));
        }
        for kind in KINDS {
            if let Some(value) = text(headers, kind.header) {
                checks.expect(kind, Some(value.to_owned()));
            }
        }
        let behind = text(headers, "x-amz-trailer").unwrap_or_default();
        for name in behind.split(',').map(str::trim).filter(|name| !name.is_empty()) {
            let kind = KINDS.into_iter().find(|kind| kind.header.eq_ignore_ascii_case(name));
            let kind = kind.ok_or_else(|| s3_error!(InvalidRequest, "the trailer {name} is not known"))?;
            checks.expect(kind, None);
        }
        Ok(checks)
    }

    fn expect(&mut self, kind: Kind, value: Option<String>) {
        (kind.begin)(&mut self.hasher);
        self.expected.push((kind, value));
    }

    pub(super) fn add(&mut self, piece: &[u8]) {
        if let Some((md5, _)) = &mut self.md5 {
            md5.update(piece);
        }
        self.hasher.update(piece);
    }

    /// Compares, at the end of the body.
    pub(super) fn compare(self, trailers: Option<&HeaderMap>) -> S3Result<()> {
        if let Some((md5, expected)) = self.md5
            && STANDARD.encode(md5.finalize()) != expected
        {
            return Err(s3_error!(BadDigest));
        }
        let sums = self.hasher.finalize();
        for (kind, value) in self.expected {
            let behind = || {
                trailers
                    .and_then(|trailers| text(trailers, kind.header))
                    .map(str::to_owned)
            };
            let Some(expected) = value.or_else(behind) else {
                return Err(s3_error!(IncompleteBody, "{} did not come", kind.header));
            };
            if (kind.value)(&sums) != Some(&expected) {
                return Err(s3_error!(BadDigest, "{} differs", kind.header));
            }
        }
        Ok(())
    }
}

fn text<'h>(headers: &'h HeaderMap, name: &str) -> Option<&'h str> {
    headers.get(name)?.to_str().ok()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs
            .iter()
            .map(|(name, value)| ((*name).try_into().unwrap(), HeaderValue::from_static(value)));
        pairs.collect()
    }

    fn checked(before: &[(&'static str, &'static str)], behind: &[(&'static str, &'static str)]) -> Option<String> {
        let mut checks = Checks::of(&headers(before)).unwrap();
        checks.add(b"he");
        checks.add(b"llo");
        let refused = checks.compare(Some(&headers(behind))).err()?;
        Some(refused.code().as_str().to_owned())
    }

    /// Of "hello", by `openssl dgst` and, for the CRC, by Python's zlib.
    const RIGHT: [(&str, &str); 4] = [
        ("content-md5", "XUFAKrxLKna5cZ2REBfFkg=="),
        ("x-amz-checksum-crc32", "NhCmhg=="),
        ("x-amz-checksum-sha1", "qvTGHdzF6KLavt4PO0gs2a6pQ00="),
        ("x-amz-checksum-sha256", "LPJNul+wow4m6DsqxbninhsWHlwfp0JecwQzYpOLmCQ="),
    ];

    #[test]
    fn what_is_right_passes_and_what_is_wrong_does_not() {
        assert_eq!(checked(&RIGHT, &[]), None);
        for (name, value) in RIGHT {
            let (right, wrong) = (&[(name, value)][..], &[(name, "AAAAAA==")][..]);
            assert_eq!(checked(wrong, &[]).as_deref(), Some("BadDigest"), "{name}");
            if name != "content-md5" {
                let announced = [("x-amz-trailer", name)];
                assert_eq!(checked(&announced, right), None, "{name}");
                assert_eq!(checked(&announced, wrong).as_deref(), Some("BadDigest"), "{name}");
                assert_eq!(checked(&announced, &[]).as_deref(), Some("IncompleteBody"), "{name}");
            }
        }
    }

    #[test]
    fn a_trailer_that_is_not_known_is_refused() {
        assert!(Checks::of(&headers(&[("x-amz-trailer", "x-amz-checksum-md9")])).is_err());
    }
}
