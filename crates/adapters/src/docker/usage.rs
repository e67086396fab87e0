//! How large the engine's volumes are. The client knows the answer of engines from API 1.52 on alone, so this one call is
//! made by hand; older ones name the same things otherwise.

use std::collections::BTreeMap;
use std::io;
use std::time::Duration;

use serde::Deserialize;
use stillpoint_core::ports::EngineError;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::connect::Docker;
use super::errors::Act;
use crate::awake::timeout;

/// HTTP/1.0: the answer ends with the connection and comes in one piece.
const REQUEST: &[u8] = b"GET /system/df?type=volume HTTP/1.0\r\nHost: engine\r\n\r\n";

/// How long the engine may measure its volumes: it reads through them, and what is only shown is worth no longer.
const MEASURING: Duration = Duration::from_secs(5);

/// More than an engine with thousands of volumes says.
const AT_MOST: u64 = 16 << 20;

impl Docker {
    pub(super) async fn measure_volumes(&self) -> Result<BTreeMap<String, u64>, EngineError> {
        let act = Act::new("measure its volumes", "the sizes of volumes");
        let answer = timeout(MEASURING, self.usage()).await;
        let answer = answer.map_err(|_| act.overdue(MEASURING))?;
        answer
            .and_then(|answer| sizes(&answer))
            .map_err(|error| act.cut(error.to_string()))
    }

    async fn usage(&self) -> io::Result<Vec<u8>> {
        let mut connection = self.connection().await?;
        connection.write_all(REQUEST).await?;
        connection.flush().await?;
        let mut answer = Vec::new();
        connection.take(AT_MOST).read_to_end(&mut answer).await?;
        Ok(answer)
    }
}

/// What the engine says: `Volumes` up to API 1.51, `VolumeUsage` from then on.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Usage {
    volumes: Option<Vec<Volume>>,
    volume_usage: Option<Items>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Items {
    items: Option<Vec<Volume>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Volume {
    name: String,
    usage_data: Option<Used>,
}

/// -1 is a size that the engine does not know.
#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Used {
    size: i64,
}

fn sizes(answer: &[u8]) -> io::Result<BTreeMap<String, u64>> {
    let no_answer = || io::Error::new(io::ErrorKind::InvalidData, "the engine does not measure its volumes");
    let body = answer
        .windows(4)
        .position(|four| four == b"\r\n\r\n")
        .ok_or_else(no_answer)?;
    let (head, body) = answer.split_at(body);
    let status = head.split(|byte| *byte == b' ').nth(1);
    if status != Some(b"200") {
        return Err(no_answer());
    }
    let usage: Usage = serde_json::from_slice(&body[4..])?;
    let volumes = usage.volumes.or(usage.volume_usage.and_then(|usage| usage.items));
    let sizes = volumes.unwrap_or_default().into_iter().filter_map(|volume| {
        let bytes = u64::try_from(volume.usage_data?.size).ok()?;
        Some((volume.name, bytes))
    });
    Ok(sizes.collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_ways_of_saying_it_are_understood() {
        let volumes =
            r#"[{"Name":"a","UsageData":{"Size":5,"RefCount":1}},{"Name":"b","UsageData":{"Size":-1}},{"Name":"c"}]"#;
        for body in [
            format!(r#"{{"LayersSize":1,"Volumes":{volumes}}}"#),
            format!(r#"{{"VolumeUsage":{{"TotalCount":3,"Items":{volumes}}}}}"#),
        ] {
            let answer = format!("HTTP/1.0 200 OK\r\nContent-Type: application/json\r\n\r\n{body}\n");
            assert_eq!(sizes(answer.as_bytes()).unwrap(), BTreeMap::from([("a".to_owned(), 5)]));
        }
        assert!(sizes(b"HTTP/1.0 500 Internal Server Error\r\n\r\n{}").is_err());
        assert!(sizes(b"").is_err());
    }
}
