//! What a stock client does, and curl.

use std::process::Command;

use anyhow::{Context, Result, ensure};
use futures::{StreamExt, TryStreamExt, stream};
use object_store::path::Path;
use object_store::{ObjectStore, ObjectStoreExt, PutMode};
use secrecy::ExposeSecret;

use crate::bench::{Bench, PREFIX, path, pattern};

pub(crate) async fn a_stock_client_finds_what_it_wrote(bench: Bench) -> Result<()> {
    let client = bench.client()?;
    let (small, large) = (pattern(1, 100_003), pattern(2, 7 << 20));
    client
        .put(&path("data/we%20ird ü+&=?/a.bin")?, small.clone().into())
        .await?;
    client.put(&path(".backup")?, Vec::new().into()).await?;
    let mut upload = client.put_multipart(&path("data/large")?).await?;
    upload.put_part(large.slice(..5 << 20).into()).await?;
    upload.put_part(large.slice(5 << 20..).into()).await?;
    upload.complete().await?;

    let odd = path("data/we%20ird ü+&=?/a.bin")?;
    ensure!(client.get(&odd).await?.bytes().await? == small);
    ensure!(client.get(&path("data/large")?).await?.bytes().await? == large);
    ensure!(client.get(&path(".backup")?).await?.bytes().await?.is_empty());
    for range in [0..1, 99_990..100_003, 4_000_000..6_000_000_u64] {
        let name = if range.end > 100_003 {
            path("data/large")?
        } else {
            odd.clone()
        };
        let whole = if range.end > 100_003 { &large } else { &small };
        let (start, end) = (usize::try_from(range.start)?, usize::try_from(range.end)?);
        ensure!(client.get_range(&name, range).await? == whole[start..end]);
    }
    let head = client.head(&path("data/large")?).await?;
    ensure!(head.size == 7 << 20 && head.e_tag.is_some(), "{head:?}");

    client.copy(&path("data/large")?, &path("data/copy")?).await?;
    ensure!(client.get(&path("data/copy")?).await?.bytes().await? == large);
    client.put(&path(".backup")?, "second".into()).await?;
    let again = client
        .put_opts(&path(".backup")?, "third".into(), PutMode::Create.into())
        .await;
    ensure!(
        matches!(again, Err(object_store::Error::AlreadyExists { .. })),
        "{again:?}"
    );
    ensure!(bench.read(".backup").await? == "second");

    let gone = stream::iter([Ok(path("data/large")?), Ok(path("never/was")?)]).boxed();
    client.delete_stream(gone).try_collect::<Vec<Path>>().await?;
    let missing = client.head(&path("data/large")?).await;
    ensure!(
        matches!(missing, Err(object_store::Error::NotFound { .. })),
        "{missing:?}"
    );
    let (_, recorded) = bench.finish().await?;
    let names: Vec<&str> = recorded
        .iter()
        .filter_map(|object| object.name.strip_prefix(PREFIX))
        .collect();
    ensure!(
        names == ["/.backup", "/data/copy", "/data/we%20ird ü+&=?/a.bin"],
        "{names:?}"
    );
    Ok(())
}

pub(crate) async fn a_listing_is_read_page_by_page(bench: Bench) -> Result<()> {
    let client = bench.client()?;
    let names: Vec<String> = (0..1_030)
        .map(|number| format!("d{}/{number:04}", number % 3))
        .collect();
    let puts = names
        .iter()
        .map(|name| async { client.put(&path(name)?, "x".into()).await.map_err(anyhow::Error::from) });
    stream::iter(puts).buffer_unordered(16).try_collect::<Vec<_>>().await?;
    let listed: Vec<_> = client.list(Some(&Path::parse(PREFIX)?)).try_collect().await?;
    ensure!(listed.len() == 1_030, "{}", listed.len());
    let rolled = client.list_with_delimiter(Some(&Path::parse(PREFIX)?)).await?;
    let prefixes: Vec<_> = rolled.common_prefixes.iter().filter_map(Path::filename).collect();
    ensure!(
        prefixes == ["d0", "d1", "d2"] && rolled.objects.is_empty(),
        "{prefixes:?}"
    );
    let offset = path("d1/0500")?;
    let after = client.list_with_offset(Some(&Path::parse(PREFIX)?), &offset);
    let after: Vec<_> = after.try_collect().await?;
    ensure!(
        after.len() == names.iter().filter(|name| name.as_str() > "d1/0500").count(),
        "{}",
        after.len()
    );
    ensure!(
        client
            .list(Some(&Path::parse("other")?))
            .try_collect::<Vec<_>>()
            .await
            .is_err()
    );
    Ok(())
}

fn curl(bench: &Bench, target: &str, arguments: &[&str]) -> Result<String> {
    let access = bench.access();
    let user = format!("{}:{}", access.access_key_id, access.secret_access_key.expose_secret());
    let url = format!("{}/{}/{target}", access.endpoint, access.bucket);
    let signed = [
        "-sS",
        "--fail-with-body",
        "--aws-sigv4",
        "aws:amz:us-east-1:s3",
        "--user",
        &user,
    ];
    let output = Command::new("curl").args(signed).args(arguments).arg(&url).output()?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    ensure!(output.status.success(), "curl {target}: {said}");
    String::from_utf8(output.stdout).context("its output")
}

/// What curl 7.88 does not send by itself is the hash of the payload.
#[tokio::test(flavor = "multi_thread")]
async fn curl_writes_and_reads() -> Result<()> {
    let bench = Bench::directory().await?;
    let payload = ["-H", "x-amz-content-sha256: UNSIGNED-PAYLOAD"];
    let put = [&["-X", "PUT", "--data-binary", "by curl"][..], &payload].concat();
    curl(&bench, &format!("{PREFIX}/a%20b"), &put)?;
    ensure!(curl(&bench, &format!("{PREFIX}/a%20b"), &payload)? == "by curl");
    ensure!(
        curl(
            &bench,
            &format!("{PREFIX}/a%20b"),
            &[&["-r", "3-"][..], &payload].concat()
        )? == "curl"
    );
    let listed = curl(&bench, "?list-type=2", &payload)?;
    ensure!(listed.contains(&format!("<Key>{PREFIX}/a b</Key>")), "{listed}");
    curl(&bench, &format!("{PREFIX}/c/d"), &put)?;
    let first = curl(
        &bench,
        "?delimiter=%2F&max-keys=1&prefix=clickhouse%2Fbackup_1%2F",
        &payload,
    )?;
    ensure!(
        first.contains("<IsTruncated>true") && first.contains(&format!("<NextMarker>{PREFIX}/a b<")),
        "{first}"
    );
    let next = "?delimiter=%2F&marker=clickhouse%2Fbackup_1%2Fa%20b&max-keys=1&prefix=clickhouse%2Fbackup_1%2F";
    let next = curl(&bench, next, &payload)?;
    ensure!(
        next.contains(&format!("<CommonPrefixes><Prefix>{PREFIX}/c/<")),
        "{next}"
    );
    ensure!(next.contains("<IsTruncated>false"), "{next}");
    ensure!(curl(&bench, "?location=", &payload)?.contains("LocationConstraint"));
    curl(&bench, "", &[&["--head"][..], &payload].concat())?;
    let (_, recorded) = bench.finish().await?;
    ensure!(recorded.len() == 2, "{recorded:?}");
    Ok(())
}
