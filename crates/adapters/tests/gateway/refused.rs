//! What is refused: wrong keys, wrong places, wrong bytes. Nothing of it is stored.

use anyhow::{Result, ensure};
use base64::Engine;
use object_store::ObjectStoreExt;
use stillpoint_core::ports::gateway::Access;

use crate::bench::{Bench, PREFIX, client, path, sha256};
use crate::wire::{self, Answer};

fn target(name: &str) -> String {
    format!("/stillpoint/{PREFIX}/{name}")
}

#[tokio::test]
async fn whoever_has_not_the_keys_is_refused() -> Result<()> {
    let bench = Bench::directory().await?;
    let right = bench.access();
    let wrong_secret = Access {
        secret_access_key: "wrong".into(),
        ..right.clone()
    };
    let wrong_key = Access {
        access_key_id: "WRONG".into(),
        ..right.clone()
    };
    for (access, code) in [
        (wrong_secret, "SignatureDoesNotMatch"),
        (wrong_key, "InvalidAccessKeyId"),
    ] {
        for method in ["PUT", "GET", "DELETE"] {
            let answer = wire::ask(&access, method, &target("a")).await?;
            ensure!(
                (answer.status, answer.code()) == (403, code.to_owned()),
                "{method}: {answer:?}"
            );
        }
    }
    for authorization in ["", "authorization: AWS SPkey:c2lnbmF0dXJl\r\n"] {
        let host = right.endpoint.trim_start_matches("http://");
        for (method, length) in [("PUT", 1), ("GET", 0), ("POST", 0)] {
            let head = format!(
                "{method} {} HTTP/1.1\r\nhost: {host}\r\n{authorization}connection: close\r\ncontent-length: {length}\r\n",
                target("a")
            );
            let answer = wire::send(right, &head, &b"x"[..length]).await?;
            ensure!(
                (answer.status, answer.code()) == (403, "AccessDenied".into()),
                "{method}: {answer:?}"
            );
        }
    }
    ensure!(bench.finish().await?.1.is_empty());
    Ok(())
}

#[tokio::test]
async fn nothing_outside_of_bucket_and_prefix_can_be_named() -> Result<()> {
    let bench = Bench::directory().await?;
    let client = bench.client()?;
    client.put(&path("a")?, "x".into()).await?;
    let access = bench.access();
    let long = target(&"k/".repeat(512));
    for (target, statuses) in [
        (format!("/backups/{PREFIX}/a"), &[404][..]),
        ("/stillpoint/run.json".into(), &[403]),
        ("/stillpoint/clickhouse/backup_10/a".into(), &[403]),
        (target("../../run.json"), &[400]),
        (target("%2e%2e/%2E%2e/run.json"), &[400]),
        (target("..%2f..%2frun.json"), &[400]),
        (target("./a"), &[400]),
        (target("b//c"), &[400]),
        (target("%2fetc/passwd"), &[400]),
        (target(""), &[400]),
        (target("a/"), &[400]),
        (target("a%00"), &[400]),
        (target("a%231"), &[400]),
        (target("%ff"), &[400]),
        (format!("/stillpoint/{PREFIX}"), &[403]),
        (long, &[400]),
    ] {
        for method in ["PUT", "GET", "DELETE", "HEAD"] {
            let answer = wire::ask(access, method, &target).await?;
            ensure!(statuses.contains(&answer.status), "{method} {target}: {answer:?}");
        }
    }
    for target in ["/", "/stillpoint", "/stillpoint/"] {
        let answer = wire::ask(access, "PUT", target).await?;
        ensure!(answer.status >= 400, "{target}: {answer:?}");
    }
    // The longest key that there may be.
    let longest = format!(
        "{}{}",
        "k/".repeat((1024 - PREFIX.len() - 2) / 2),
        "k".repeat((1024 - PREFIX.len()) % 2 + 1)
    );
    let longest = &longest[..1024 - PREFIX.len() - 1];
    let answer = wire::ask(access, "PUT", &target(longest)).await?;
    ensure!(answer.status == 200, "{answer:?}");
    let (_, recorded) = bench.finish().await?;
    ensure!(recorded.len() == 2, "{recorded:?}");
    Ok(())
}

async fn put(bench: &Bench, payload: &str, headers: &[(&str, &str)], body: &[u8]) -> Result<Answer> {
    let access = bench.access();
    let length = body.len().to_string();
    let all = [headers, &[("content-length", length.as_str())]].concat();
    let signed = wire::sign(access, "PUT", &target("a"), payload, &all);
    wire::send(access, &signed.head, body).await
}

#[tokio::test]
async fn wrong_bytes_are_refused() -> Result<()> {
    let bench = Bench::directory().await?;
    let (body, right, wrong) = (&b"hello"[..], sha256(b"hello"), sha256(b"hellO"));
    let md5 = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    for (payload, header, status, code) in [
        (wrong.as_str(), None, 400, "XAmzContentSHA256Mismatch"),
        (&right, Some(("content-md5", md5("0123456789abcdef"))), 400, "BadDigest"),
        (
            &right,
            Some(("x-amz-checksum-crc32", "AAAAAA==".to_owned())),
            400,
            "BadDigest",
        ),
        (
            &right,
            Some(("content-md5", "XUFAKrxLKna5cZ2REBfFkg==".to_owned())),
            200,
            "",
        ),
    ] {
        let headers: Vec<(&str, &str)> = header.iter().map(|(name, value)| (*name, value.as_str())).collect();
        let answer = put(&bench, payload, &headers, body).await?;
        ensure!(
            (answer.status, answer.code().as_str()) == (status, code),
            "{header:?}: {answer:?}"
        );
        ensure!(bench.stored().await?.is_empty() == (status != 200), "{header:?}");
    }
    ensure!(bench.read("a").await? == "hello");
    Ok(())
}

#[tokio::test]
async fn signed_chunks_are_taken_and_false_ones_refused() -> Result<()> {
    let bench = Bench::directory().await?;
    let access = bench.access();
    let piece = vec![7; 65_536];
    let pieces = [&piece[..], b"end"];
    for (flip, announced, status) in [(true, 65_539, 403), (false, 65_540, 400), (false, 65_539, 200)] {
        let announced = announced.to_string();
        let headers = [("x-amz-decoded-content-length", announced.as_str())];
        let signed = wire::sign(
            access,
            "PUT",
            &target("a"),
            "STREAMING-AWS4-HMAC-SHA256-PAYLOAD",
            &headers,
        );
        let body = signed.chunks(&pieces, flip);
        let head = format!(
            "{}content-length: {}\r\ncontent-encoding: aws-chunked\r\n",
            signed.head,
            body.len()
        );
        let answer = wire::send(access, &head, &body).await?;
        ensure!(answer.status == status, "{flip} {announced}: {answer:?}");
        ensure!(
            bench.stored().await?.is_empty() == (status != 200),
            "{flip} {announced}"
        );
    }
    ensure!(bench.read("a").await? == pieces.concat());
    Ok(())
}

#[tokio::test]
async fn a_checksum_behind_the_body_is_compared() -> Result<()> {
    let bench = Bench::directory().await?;
    for (trailer, status) in [
        ("x-amz-checksum-crc32:AAAAAA==\r\n", 400),
        ("", 400),
        ("x-amz-checksum-crc32:NhCmhg==\r\n", 200),
    ] {
        let body = format!("2\r\nhe\r\n3\r\nllo\r\n0\r\n{trailer}\r\n");
        let headers = [
            ("x-amz-decoded-content-length", "5"),
            ("x-amz-trailer", "x-amz-checksum-crc32"),
        ];
        let answer = put(&bench, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", &headers, body.as_bytes()).await?;
        ensure!(answer.status == status, "{trailer}: {answer:?}");
        ensure!(bench.stored().await?.is_empty() == (status != 200), "{trailer}");
    }
    ensure!(bench.read("a").await? == "hello");
    let headers = [
        ("x-amz-decoded-content-length", "1048577"),
        ("x-amz-trailer", "x-amz-checksum-crc32"),
    ];
    // Its checksum is right.
    let large = format!(
        "100001\r\n{}\r\n0\r\nx-amz-checksum-crc32:RB58nw==\r\n\r\n",
        "x".repeat(0x10_0001)
    );
    let answer = put(&bench, "STREAMING-UNSIGNED-PAYLOAD-TRAILER", &headers, large.as_bytes()).await;
    ensure!(
        answer.as_ref().map_or(true, |answer| answer.status == 400),
        "a chunk that would be gathered whole was taken: {answer:?}"
    );
    ensure!(bench.read("a").await? == "hello");
    Ok(())
}

#[tokio::test]
async fn nothing_of_another_can_be_replaced() -> Result<()> {
    let bench = Bench::directory().await?;
    bench.place.repository.create(&bench.key("a"), "theirs".into()).await?;
    let client = client(bench.access())?;
    let put = client.put(&path("a")?, "ours".into()).await;
    ensure!(
        matches!(put, Err(object_store::Error::PermissionDenied { .. })),
        "{put:?}"
    );
    ensure!(client.get(&path("a")?).await.is_err(), "it is not ours to read");
    client.delete(&path("a")?).await?;
    ensure!(bench.read("a").await? == "theirs");
    Ok(())
}

/// Its answer is read although nobody wanted its body, and the connection goes on.
#[tokio::test]
async fn who_is_refused_is_told_so_however_much_he_sends() -> Result<()> {
    let bench = Bench::directory().await?;
    let client = bench.client()?;
    let outside = object_store::path::Path::parse("elsewhere/a")?;
    for _ in 0..20 {
        let put = client.put(&outside, vec![7; 4 << 20].into()).await;
        ensure!(
            matches!(put, Err(object_store::Error::PermissionDenied { .. })),
            "{put:?}"
        );
        client.put(&path("a")?, "x".into()).await?;
    }
    Ok(())
}
