//! What a real engine does only when it breaks: a scripted one on a socket of its own does it on
//! demand. Whatever it does, nothing may read as a success.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use stillpoint_adapters::docker::Docker;
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::shell::{Command, Process, Shell};
use stillpoint_core::ports::{Catalog, EngineError};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};

/// How the scripted engine tells of the process once its stream has ended.
#[derive(Clone, Copy)]
enum Told {
    Success,
    StillRunning,
    Unknown,
    Nothing,
}

struct Scripted {
    docker: Docker,
    _directory: TempDir,
}

impl Scripted {
    /// An engine whose process writes `stream`, after which its connection ends.
    fn new(stream: Vec<u8>, told: Told) -> anyhow::Result<Self> {
        Self::serving(move |path| match path {
            path if path.ends_with("/start") => upgraded(&stream),
            path if path.starts_with("/exec/") => told.answer(),
            path if path.ends_with("/exec") => answer("201 Created", r#"{"Id":"e"}"#),
            _ => answer("200 OK", r#"{"Id":"c","State":{"Status":"running"}}"#),
        })
    }

    fn serving(respond: impl Fn(&str) -> Vec<u8> + Send + Sync + 'static) -> anyhow::Result<Self> {
        let directory = tempfile::tempdir()?;
        let socket = directory.path().join("engine.sock");
        let listener = UnixListener::bind(&socket)?;
        let respond = Arc::new(respond);
        tokio::spawn(async move {
            while let Ok((connection, _)) = listener.accept().await {
                tokio::spawn(serve(connection, Arc::clone(&respond)));
            }
        });
        Ok(Self {
            docker: Docker::connect(Some(&format!("unix://{}", socket.display())))?,
            _directory: directory,
        })
    }

    async fn exec(&self) -> Result<Process, EngineError> {
        self.docker.exec(&WorkloadId::new("c"), Command::new(["pg_dump"])).await
    }
}

impl Told {
    fn answer(self) -> Vec<u8> {
        match self {
            Self::Success => answer("200 OK", r#"{"Running":false,"ExitCode":0}"#),
            Self::StillRunning => answer("200 OK", r#"{"Running":true,"ExitCode":null}"#),
            Self::Unknown => answer("404 Not Found", r#"{"message":"No such exec instance: e"}"#),
            Self::Nothing => Vec::new(),
        }
    }
}

async fn serve(mut connection: UnixStream, respond: Arc<impl Fn(&str) -> Vec<u8>>) -> io::Result<()> {
    let mut head = Vec::new();
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        connection.read_buf(&mut head).await?;
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let path = head.split_whitespace().nth(1).unwrap_or_default();
    connection.write_all(&respond(path)).await?;
    connection.shutdown().await?;
    // Whatever it still sends is taken: a reset would lose our answer.
    tokio::io::copy(&mut connection, &mut tokio::io::sink()).await.map(drop)
}

fn answer(status: &str, body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {length}\r\n\r\n{body}")
        .into_bytes()
}

fn upgraded(stream: &[u8]) -> Vec<u8> {
    let head = b"HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
    [head, stream].concat()
}

fn frame(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap_or_default().to_be_bytes();
    [&[1, 0, 0, 0], &length[..], text.as_bytes()].concat()
}

async fn read(process: &mut Process) -> (String, io::Result<usize>) {
    let mut output = Vec::new();
    let end = process.output.read_to_end(&mut output).await;
    (String::from_utf8_lossy(&output).into_owned(), end)
}

#[tokio::test]
async fn the_script_itself_plays_a_sound_engine() -> anyhow::Result<()> {
    let stream = [frame("7\na"), frame("bc")].concat();
    let engine = Scripted::new(stream, Told::Success)?;
    let mut process = engine.exec().await?;
    let (output, end) = read(&mut process).await;
    assert_eq!((output.as_str(), end?), ("abc", 3));
    assert_eq!(process.control.finish().await?.code, 0);
    Ok(())
}

#[tokio::test]
async fn a_frame_that_is_cut_is_no_end_even_of_a_success() -> anyhow::Result<()> {
    let whole = frame("the end of the dump");
    for left in [1, 7, 9, whole.len() - 1] {
        let stream = [&frame("7\n"), &whole[..left]].concat();
        let engine = Scripted::new(stream, Told::Success)?;
        let mut process = engine.exec().await?;
        for _ in 0..2 {
            let (output, end) = read(&mut process).await;
            assert_eq!(output, "");
            assert_eq!(end.unwrap_err().kind(), io::ErrorKind::UnexpectedEof, "{left} bytes");
        }
        let finished = process.control.finish().await;
        assert!(matches!(finished, Err(EngineError::Cut { .. })), "{finished:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_garbled_stream_is_no_end() -> anyhow::Result<()> {
    let stream = [&frame("7\n"), &b"<html>Bad Gateway</html>"[..]].concat();
    let engine = Scripted::new(stream, Told::Success)?;
    let mut process = engine.exec().await?;
    assert!(read(&mut process).await.1.is_err());
    assert!(process.control.finish().await.is_err());
    Ok(())
}

#[tokio::test]
async fn the_end_of_a_stream_whose_process_runs_on_is_an_error() -> anyhow::Result<()> {
    let stream = [frame("7\n"), frame("half of it")].concat();
    let engine = Scripted::new(stream, Told::StillRunning)?;
    let mut process = engine.exec().await?;
    let (output, end) = read(&mut process).await;
    assert_eq!(output, "half of it");
    let error = end.unwrap_err().to_string();
    assert!(error.contains("runs on"), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_end_that_the_engine_cannot_confirm_is_an_error() -> anyhow::Result<()> {
    for told in [Told::Unknown, Told::Nothing] {
        let engine = Scripted::new(frame("7\n"), told)?;
        let mut process = engine.exec().await?;
        assert!(read(&mut process).await.1.is_err());
        assert!(process.control.finish().await.is_err());
    }
    Ok(())
}

#[tokio::test]
async fn an_end_that_was_told_once_is_known_when_the_engine_forgets() -> anyhow::Result<()> {
    let looks = AtomicU32::new(0);
    let engine = Scripted::serving(move |path| match path {
        path if path.ends_with("/start") => upgraded(&frame("7\n")),
        path if path.ends_with("/exec") => answer("201 Created", r#"{"Id":"e"}"#),
        _ if looks.fetch_add(1, Ordering::SeqCst) == 0 => Told::Success.answer(),
        _ => Told::Unknown.answer(),
    })?;
    let mut process = engine.exec().await?;
    assert_eq!(read(&mut process).await.1?, 0);
    for _ in 0..2 {
        assert_eq!(process.control.finish().await?.code, 0);
        process.control.kill().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_process_that_the_engine_forgot_is_not_said_to_be_gone() -> anyhow::Result<()> {
    let engine = Scripted::new(frame("7\n"), Told::Unknown)?;
    let mut process = engine.exec().await?;
    assert!(process.control.kill().await.is_err());
    Ok(())
}

#[tokio::test]
async fn a_start_without_a_process_id_is_an_error() -> anyhow::Result<()> {
    for stream in [vec![], frame("no number\n"), frame("7")] {
        let engine = Scripted::new(stream, Told::Success)?;
        let started = engine.exec().await.map(drop);
        assert!(matches!(started, Err(EngineError::Cut { .. })), "{started:?}");
    }
    Ok(())
}

#[tokio::test]
async fn a_broken_answer_is_cut() -> anyhow::Result<()> {
    for broken in [
        Vec::new(),
        answer("200 OK", "[{"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n[".to_vec(),
    ] {
        let engine = Scripted::serving(move |_| broken.clone())?;
        let listed = engine.docker.workloads().await;
        assert!(matches!(listed, Err(EngineError::Cut { .. })), "{listed:?}");
    }
    Ok(())
}

#[tokio::test]
async fn an_error_of_the_engine_is_told_in_its_own_words() -> anyhow::Result<()> {
    let engine = Scripted::serving(|_| answer("500 Oops", r#"{"message":"driver failed"}"#))?;
    let error = engine.docker.workloads().await.unwrap_err().to_string();
    assert_eq!(
        error,
        "the engine refused to list its containers: driver failed (status 500)"
    );
    Ok(())
}

#[tokio::test(start_paused = true)]
async fn silence_has_a_limit() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let socket = directory.path().join("engine.sock");
    let _silent = UnixListener::bind(&socket)?;
    let docker = Docker::connect(socket.to_str())?;
    let error = docker.workloads().await.unwrap_err();
    assert!(matches!(error, EngineError::Overdue { .. }), "{error}");
    Ok(())
}

#[tokio::test]
async fn an_engine_that_went_away_is_unreachable_at_the_first_call() -> anyhow::Result<()> {
    let directory = tempfile::tempdir()?;
    let socket = directory.path().join("engine.sock");
    drop(UnixListener::bind(&socket)?);
    // Port 1 is nobody's.
    for endpoint in [socket.to_str().unwrap_or_default(), "tcp://127.0.0.1:1"] {
        let error = Docker::connect(Some(endpoint))?.workloads().await.unwrap_err();
        assert!(matches!(error, EngineError::Unreachable { .. }), "{error}");
        assert!(error.to_string().contains("Connection refused"), "{error}");
    }
    Ok(())
}
