//! What every [`Shell`] promises about a process that runs to its end; how one is cut short or
//! killed is in [`super::shell_ends`]. The containers of this bench have a POSIX shell.
#![expect(missing_docs, reason = "each name is the sentence that it checks")]

use anyhow::{Context, ensure};
use secrecy::SecretString;
use sha2::{Digest, Sha256};
use stillpoint_core::names::WorkloadId;
use stillpoint_core::ports::shell::{Command, Exit, Process};
use stillpoint_core::ports::{EngineError, Shell};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::bench::{Fixture, Subject, eventually, soon};

/// The port under test.
pub type Shells = Subject<dyn Shell>;

/// Declares a test for every function of this suite, over a subject that `$make` returns.
#[macro_export]
macro_rules! shell_conformance {
    ($make:expr) => {
        $crate::conformance_tests!(
            $crate::conformance::shell,
            $make,
            [
                output_errors_and_code_come_apart,
                arguments_arrive_as_they_are,
                a_secret_is_seen_by_the_program_alone,
                the_containers_own_variables_are_kept,
                it_runs_as_the_user_that_was_asked_for,
                without_input_the_input_is_empty,
                closing_the_input_is_its_end,
                a_missing_program_is_127_and_a_mere_file_126,
                an_empty_command_is_refused,
                of_long_errors_the_beginning_and_the_end_are_kept,
                what_is_written_first_is_read_first,
                large_streams_arrive_unchanged_both_ways,
                a_reader_that_stops_stops_the_writer,
                finishing_without_reading_is_a_success_and_tells_the_reader,
                only_a_running_container_runs_anything,
            ]
        );
    };
}

/// A container to run things in.
pub async fn container(subject: &Shells) -> anyhow::Result<WorkloadId> {
    subject.bench.make(&Fixture::obedient()).await
}

/// A shell script as a command.
pub fn script(text: &str) -> Command {
    Command::new(["sh", "-c", text])
}

/// Starts a script in a new container.
pub async fn begin(subject: &Shells, text: &str) -> anyhow::Result<(WorkloadId, Process)> {
    let id = container(subject).await?;
    let process = subject.port.exec(&id, script(text)).await?;
    Ok((id, process))
}

async fn run(subject: &Shells, id: &WorkloadId, command: Command) -> anyhow::Result<(String, Exit)> {
    let mut process = subject.port.exec(id, command).await?;
    let mut output = String::new();
    soon("the output", process.output.read_to_string(&mut output)).await??;
    Ok((output, soon("the end", process.control.finish()).await??))
}

async fn run_new(subject: &Shells, command: Command) -> anyhow::Result<(String, Exit)> {
    let id = container(subject).await?;
    run(subject, &id, command).await
}

pub async fn output_errors_and_code_come_apart(subject: &Shells) -> anyhow::Result<()> {
    let (output, exit) = run_new(subject, script("printf abc; echo oops >&2; exit 9")).await?;
    ensure!(output == "abc", "{output:?}");
    ensure!((exit.code, exit.errors.as_str()) == (9, "oops\n"), "{exit:?}");
    Ok(())
}

pub async fn arguments_arrive_as_they_are(subject: &Shells) -> anyhow::Result<()> {
    let odd = [
        "a b",
        "$HOME",
        "*",
        "",
        "it's",
        "-n",
        "two\nlines",
        "größe",
        "`id`",
        "\\",
    ];
    let argv = ["printf", "<%s>"].into_iter().chain(odd);
    let (output, exit) = run_new(subject, Command::new(argv)).await?;
    ensure!(output == format!("<{}>", odd.join("><")), "{output:?}");
    ensure!(exit.code == 0);
    Ok(())
}

pub async fn a_secret_is_seen_by_the_program_alone(subject: &Shells) -> anyhow::Result<()> {
    let id = container(subject).await?;
    let secret = SecretString::from("geheim \"=' $x".to_owned());
    let command = script("printf %s \"$PGPASSWORD\"; read -r _line").env("PGPASSWORD", secret);
    let mut process = subject.port.exec(&id, command.with_input()).await?;
    let mut seen = vec![0; "geheim \"=' $x".len()];
    soon("the secret", process.output.read_exact(&mut seen)).await??;
    ensure!(seen == b"geheim \"=' $x");
    let processes = subject.bench.processes(&id).await?;
    ensure!(
        processes.iter().any(|line| line.contains("PGPASSWORD")),
        "{processes:?}"
    );
    ensure!(!processes.iter().any(|line| line.contains("geheim")), "{processes:?}");
    process.control.kill().await?;
    Ok(())
}

pub async fn the_containers_own_variables_are_kept(subject: &Shells) -> anyhow::Result<()> {
    let fixture = Fixture {
        environment: vec![("OWN".into(), "o".into()), ("BOTH".into(), "old".into())],
        ..Fixture::obedient()
    };
    let id = subject.bench.make(&fixture).await?;
    let command = script("echo $OWN $BOTH $NEW")
        .env("BOTH", "both".to_owned().into())
        .env("NEW", "n".to_owned().into());
    let (output, _) = run(subject, &id, command).await?;
    ensure!(output == "o both n\n", "{output:?}");
    Ok(())
}

pub async fn it_runs_as_the_user_that_was_asked_for(subject: &Shells) -> anyhow::Result<()> {
    let id = container(subject).await?;
    let (own, _) = run(subject, &id, script("id -u")).await?;
    let (other, _) = run(subject, &id, script("id -u").user(Some("1234"))).await?;
    ensure!((own.as_str(), other.as_str()) == ("0\n", "1234\n"), "{own:?} {other:?}");
    Ok(())
}

pub async fn without_input_the_input_is_empty(subject: &Shells) -> anyhow::Result<()> {
    let id = container(subject).await?;
    let process = subject.port.exec(&id, Command::new(["cat"])).await?;
    ensure!(process.input.is_none());
    let (output, exit) = run(subject, &id, script("cat; echo end")).await?;
    ensure!((output.as_str(), exit.code) == ("end\n", 0), "{output:?} {exit:?}");
    Ok(())
}

pub async fn closing_the_input_is_its_end(subject: &Shells) -> anyhow::Result<()> {
    let id = container(subject).await?;
    let command = script("wc -c; exit 4").with_input();
    let mut process = subject.port.exec(&id, command).await?;
    let mut input = process.input.take().context("no input")?;
    input.write_all(b"\nfirst line\nand more").await?;
    input.shutdown().await?;
    drop(input);
    let mut output = String::new();
    soon("the output", process.output.read_to_string(&mut output)).await??;
    ensure!(output.trim() == "20", "{output:?}");
    ensure!(process.control.finish().await?.code == 4);
    Ok(())
}

pub async fn a_missing_program_is_127_and_a_mere_file_126(subject: &Shells) -> anyhow::Result<()> {
    let id = container(subject).await?;
    for (program, code) in [
        ("/no/such/program", 127),
        ("no-such-program", 127),
        ("/etc/passwd", 126),
    ] {
        let (output, exit) = run(subject, &id, Command::new([program])).await?;
        ensure!(
            (output.as_str(), exit.code) == ("", code),
            "{program}: {output:?} {exit:?}"
        );
        ensure!(exit.errors.contains(program), "{exit:?}");
    }
    Ok(())
}

pub async fn an_empty_command_is_refused(subject: &Shells) -> anyhow::Result<()> {
    let id = container(subject).await?;
    let refused = subject.port.exec(&id, Command::default()).await;
    ensure!(matches!(refused, Err(EngineError::Refused { .. })));
    Ok(())
}

pub async fn of_long_errors_the_beginning_and_the_end_are_kept(subject: &Shells) -> anyhow::Result<()> {
    let text = "echo first >&2; yes eeeeeee | head -c 1000000 >&2; echo last >&2; echo done";
    let (output, exit) = run_new(subject, script(text)).await?;
    ensure!(output == "done\n", "{output:?}");
    let (beginning, end) = exit.errors.split_once(" […] ").context("nothing is left out")?;
    ensure!(beginning.len() + end.len() == 8 * 1024, "{}", exit.errors.len());
    ensure!(beginning.starts_with("first\neeeeeee\n"), "{beginning:?}");
    ensure!(end.ends_with("eeeeeee\nlast\n"), "{end:?}");
    Ok(())
}

/// What an implementation says to the process in order to begin must not leak into its streams.
pub async fn what_is_written_first_is_read_first(subject: &Shells) -> anyhow::Result<()> {
    let id = container(subject).await?;
    for _ in 0..10 {
        let text = "echo 12345; head -c 100000 /dev/zero | tr '\\0' z; echo e >&2";
        let (output, exit) = run(subject, &id, script(text)).await?;
        ensure!(output.starts_with("12345\nzzz") && output.len() == 100_006);
        ensure!(exit.errors == "e\n", "{exit:?}");
    }
    Ok(())
}

const LARGE: usize = 64 << 20;

pub async fn large_streams_arrive_unchanged_both_ways(subject: &Shells) -> anyhow::Result<()> {
    let id = container(subject).await?;
    let mut process = subject.port.exec(&id, Command::new(["cat"]).with_input()).await?;
    let input = process.input.take().context("no input")?;
    let (sent, received) = soon("64 MiB both ways", async {
        tokio::join!(send_noise(input), digest(&mut process.output))
    })
    .await?;
    ensure!(sent? == received?, "the stream was changed");
    ensure!(process.control.finish().await?.code == 0);
    Ok(())
}

async fn send_noise(mut input: impl AsyncWrite + Unpin) -> anyhow::Result<(usize, Vec<u8>)> {
    let mut hash = Sha256::new();
    let mut state = 0x9E37_79B9_7F4A_7C15_u64;
    // No multiple of any buffer's size on the way.
    let mut piece = vec![0; 65_521];
    let mut sent = 0;
    while sent < LARGE {
        for word in piece.chunks_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
        }
        hash.update(&piece);
        input.write_all(&piece).await?;
        sent += piece.len();
    }
    input.shutdown().await?;
    Ok((sent, hash.finalize().to_vec()))
}

async fn digest(mut output: impl AsyncRead + Unpin) -> anyhow::Result<(usize, Vec<u8>)> {
    let mut hash = Sha256::new();
    let mut piece = vec![0; 100_003];
    let mut received = 0;
    loop {
        let length = output.read(&mut piece).await?;
        if length == 0 {
            return Ok((received, hash.finalize().to_vec()));
        }
        hash.update(&piece[..length]);
        received += length;
    }
}

/// Writes 1000 blocks of 64 KiB, and how many it has written into a file beside.
pub const COUNTED_BLOCKS: &str =
    "i=0; while [ $i -lt 1000 ]; do head -c 65536 /dev/zero; i=$((i+1)); echo $i >/tmp/written; done";

/// Waits until the writer of [`COUNTED_BLOCKS`] stands still; returns how many it has written.
pub async fn written_at_standstill(subject: &Shells, id: &WorkloadId) -> anyhow::Result<usize> {
    let (mut before, mut same) = (String::new(), 0);
    eventually("the writer standing still", async || {
        let (now, _) = run(subject, id, Command::new(["cat", "/tmp/written"])).await?;
        same = if now == before { same + 1 } else { 0 };
        before = now;
        Ok(same == 5)
    })
    .await?;
    Ok(before.trim().parse()?)
}

pub async fn a_reader_that_stops_stops_the_writer(subject: &Shells) -> anyhow::Result<()> {
    let (id, mut process) = begin(subject, COUNTED_BLOCKS).await?;
    process.output.read_exact(&mut [0; 1000]).await?;
    let blocks = written_at_standstill(subject, &id).await?;
    ensure!(blocks < 500, "{blocks} of 1000 blocks were taken from nobody's hands");
    let (rest, _) = soon("the rest", digest(&mut process.output)).await??;
    ensure!(rest + 1000 == 1000 * 65536);
    ensure!(process.control.finish().await?.code == 0);
    Ok(())
}

pub async fn finishing_without_reading_is_a_success_and_tells_the_reader(subject: &Shells) -> anyhow::Result<()> {
    let (_, mut process) = begin(subject, "head -c 5000000 /dev/zero; echo bye >&2; exit 5").await?;
    let exit = soon("the end", process.control.finish()).await??;
    ensure!((exit.code, exit.errors.as_str()) == (5, "bye\n"), "{exit:?}");
    ensure!(
        process.control.finish().await? == exit,
        "asked again, it says something else"
    );
    ensure!(
        process.output.read(&mut [0; 10]).await.is_err(),
        "a reader took the loss for an end"
    );
    Ok(())
}

pub async fn only_a_running_container_runs_anything(subject: &Shells) -> anyhow::Result<()> {
    let bench = &subject.bench;
    let paused = container(subject).await?;
    bench.pause(&paused).await?;
    let stopped = bench.make(&Fixture::obedient().never_started()).await?;
    for id in [&paused, &stopped] {
        let refused = subject.port.exec(id, script("true")).await.map(drop);
        ensure!(matches!(refused, Err(EngineError::Refused { .. })), "{refused:?}");
    }
    bench.remove(&stopped).await?;
    let gone = subject.port.exec(&stopped, script("true")).await.map(drop);
    ensure!(matches!(gone, Err(EngineError::Gone { .. })), "{gone:?}");
    Ok(())
}
