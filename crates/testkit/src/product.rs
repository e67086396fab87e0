//! The product as its operator runs it: the program, with a repository and a state directory of its
//! own. What it says and how it ends is all that a test may look at; nothing of it is linked in here.

use std::ffi::{OsStr, OsString};
use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use crate::seaweed::{BUCKET, Key, REGION};
use crate::testbed::Testbed;

/// No run of the small test platforms takes longer than this, in seconds, unless it hangs.
const LIMIT: &str = "240";

/// The program with its settings.
#[derive(Clone, Debug)]
pub struct Product {
    program: PathBuf,
    /// The directory that holds its backups, unless they are in a bucket.
    pub repository: PathBuf,
    in_s3: bool,
    /// Its state directory.
    pub state: PathBuf,
    env: Vec<(OsString, OsString)>,
    /// What is put before it: `nsenter` and the like.
    before: Vec<String>,
}

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code; none if a signal ended it.
    pub code: Option<i32>,
    /// Its standard output.
    pub out: String,
    /// Its standard error.
    pub err: String,
}

impl Product {
    /// The program, keeping repository and state below `folder`.
    pub fn new(program: &str, folder: &Path) -> Self {
        Self {
            program: program.into(),
            repository: folder.join("repository"),
            in_s3: false,
            state: folder.join("state"),
            env: Vec::new(),
            before: Vec::new(),
        }
    }

    /// The program, for one platform.
    pub fn of(program: &str, folder: &Path, testbed: &Testbed) -> Self {
        let product = Self::new(program, folder).with("STILLPOINT_PLATFORM", testbed.project());
        // A test's guests have no restart policy, and no test is to wait whether one ends by itself.
        let product = product.with("BACKUP_JOBS_SECONDS", "0");
        let logins = testbed.logins().into_iter();
        logins.fold(product, |product, (name, value)| product.with(&name, value))
    }

    /// The same without what a variable was set to.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.env.retain(|(set, _)| set != name);
        self
    }

    /// The same with a variable set.
    #[must_use]
    pub fn with(mut self, name: &str, value: impl Into<OsString>) -> Self {
        self.env.push((name.into(), value.into()));
        self
    }

    /// The same, run by another command.
    #[must_use]
    pub fn run_by(mut self, before: Vec<String>) -> Self {
        self.before = before;
        self
    }

    /// The same with another repository.
    #[must_use]
    pub fn keeping_backups_in(mut self, repository: &Path) -> Self {
        repository.clone_into(&mut self.repository);
        self
    }

    /// The same with its backups in [`BUCKET`] of the server at `endpoint`, below `prefix`.
    #[must_use]
    pub fn in_s3(self, endpoint: &str, key: Key, prefix: &str) -> Self {
        let in_bucket = Self { in_s3: true, ..self };
        in_bucket
            .with("BACKUP_S3_ENDPOINT", endpoint)
            .with("BACKUP_S3_BUCKET", BUCKET)
            .with("BACKUP_S3_REGION", REGION)
            .with("BACKUP_S3_PREFIX", prefix)
            .with("BACKUP_S3_ACCESS_KEY_ID", key.id)
            .with("BACKUP_S3_SECRET_ACCESS_KEY", key.secret)
    }

    /// The same on another host: it has another name, and a state directory of its own. The engine is the same.
    /// Root alone may rename a host.
    #[must_use]
    pub fn on_host(mut self, name: &str) -> Self {
        self.state = self.state.with_file_name(format!("state-of-{name}"));
        // Neither forks: the process that is started is the product in the end.
        let renamed = ["unshare", "--uts", "sh", "-c", "hostname \"$0\" && exec \"$@\"", name];
        self.run_by(renamed.map(str::to_owned).to_vec())
    }

    /// Runs it to its end, or to the limit, at which it is killed.
    pub fn run(&self, arguments: &[&str]) -> Result<Ran> {
        let mut timeout = Command::new("timeout");
        timeout
            .args(["--kill-after=5", LIMIT])
            .args(&self.before)
            .arg(&self.program)
            .args(arguments);
        Ran::of(self.prepared(&mut timeout).output().context("cannot run the product")?)
    }

    /// Starts it and returns while it runs, for tests that interfere.
    pub fn start(&self, arguments: &[&str]) -> Result<Running> {
        let words = self.before.iter().map(OsStr::new).chain([self.program.as_os_str()]);
        let mut words = words.chain(arguments.iter().map(OsStr::new));
        let mut command = Command::new(words.next().context("there is no program")?);
        command.args(words).stdout(Stdio::piped()).stderr(Stdio::piped());
        Running::of(
            self.prepared(&mut command)
                .spawn()
                .context("cannot start the product")?,
        )
    }

    /// Starts it with what it says on standard error going into a file, for tests that read it while the program runs.
    pub fn start_saying_into(&self, arguments: &[&str], log: &Path) -> Result<Running> {
        let file = std::fs::File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
        let mut command = Command::new(&self.program);
        command.args(arguments).stdout(Stdio::piped()).stderr(file);
        let started = self.prepared(&mut command).spawn();
        Running::of(started.context("cannot start the product")?)
    }

    fn prepared<'a>(&self, command: &'a mut Command) -> &'a mut Command {
        if !self.in_s3 {
            command.env("STILLPOINT_REPOSITORY", &self.repository);
        }
        command
            .stdin(Stdio::null())
            .env("STILLPOINT_STATE_DIR", &self.state)
            // Services of many tests run at once; who wants a port says which.
            .env("STILLPOINT_LISTEN", "off")
            .envs(self.env.iter().map(|(name, value)| (name, value)))
    }

    /// Loses the ledger, as a disk that failed would.
    pub fn lose_ledger(&self) -> Result<()> {
        for file in ["ledger.sqlite", "ledger.sqlite-wal", "ledger.sqlite-shm"] {
            let path = self.state.join(file);
            if path.exists() {
                std::fs::remove_file(&path).with_context(|| format!("cannot remove {}", path.display()))?;
            }
        }
        Ok(())
    }

    /// Makes a backup, which must succeed, and returns its id.
    pub fn backup(&self) -> Result<String> {
        self.backup_with(&[])
    }

    /// The same with further arguments.
    pub fn backup_with(&self, arguments: &[&str]) -> Result<String> {
        let ran = self
            .run(&[&["backup", "--json"], arguments].concat())?
            .must_end_with(0)?;
        let id = ran.summary()?["manifest"]["id"].as_str().map(ToOwned::to_owned);
        id.context("the summary of a backup has no manifest.id")
    }

    /// Restores a backup, which must succeed, and keeps nothing of what was there.
    pub fn restore(&self, backup: &str) -> Result<Ran> {
        self.run(&["restore", backup, "--confirm", backup, "--discard-old"])?
            .must_end_with(0)
    }

    /// A backup, and a deed half-way: the run stands still (SIGSTOP) from the moment that the first bytes of an artifact
    /// have come until the deed is done. Then it goes on to its end.
    pub fn interfered(&self, artifact: &str, deed: impl FnOnce(&Running) -> Result<()>) -> Result<Ran> {
        self.interfered_with(&[], artifact, deed)
    }

    /// The same with further arguments of the backup.
    pub fn interfered_with(
        &self,
        arguments: &[&str],
        artifact: &str,
        deed: impl FnOnce(&Running) -> Result<()>,
    ) -> Result<Ran> {
        let comes = |event: &Value| event["event"] == "progress" && event["artifact"] == artifact;
        self.interfered_at(arguments, &format!("the first bytes of {artifact}"), comes, deed)
    }

    /// The same from the moment of another event.
    pub fn interfered_at(
        &self,
        arguments: &[&str],
        what: &str,
        wanted: impl Fn(&Value) -> bool,
        deed: impl FnOnce(&Running) -> Result<()>,
    ) -> Result<Ran> {
        let mut running = self.start(&[&["backup", "--json"], arguments].concat())?;
        running.until(what, wanted)?;
        running.signal("STOP")?;
        let done = deed(&running);
        // Whatever became of the deed: a run that stands still would never end.
        running.signal("CONT")?;
        let ran = running.end()?;
        done.map(|()| ran)
    }

    /// The ids of the complete backups; what restores have copied is none.
    pub fn backups(&self) -> Result<Vec<String>> {
        let listed = self.run(&["backups", "ls", "--json"])?.must_end_with(0)?.summary()?;
        let backups = listed["backups"].as_array().context("`backups ls` lists no backups")?;
        Ok(backups
            .iter()
            .filter(|backup| backup["manifest"]["safety_of"].is_null())
            .filter_map(|backup| backup["id"].as_str().map(ToOwned::to_owned))
            .collect())
    }
}

/// A run that goes on.
pub struct Running {
    process: Child,
    out: BufReader<ChildStdout>,
    /// What was read of its standard output so far.
    heard: String,
}

impl Running {
    fn of(mut process: Child) -> Result<Self> {
        let out = process.stdout.take().context("standard output is not piped")?;
        Ok(Self {
            process,
            out: BufReader::new(out),
            heard: String::new(),
        })
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id()
    }

    /// What it said, if it has ended.
    pub fn has_ended(&mut self) -> Result<Option<String>> {
        if self.process.try_wait()?.is_none() {
            return Ok(None);
        }
        self.out.read_to_string(&mut self.heard)?;
        let mut said = self.heard.clone();
        if let Some(mut err) = self.process.stderr.take() {
            err.read_to_string(&mut said)?;
        }
        Ok(Some(said))
    }

    /// Whether it has not ended, whatever it says meanwhile.
    pub fn is_at_work(&mut self) -> Result<bool> {
        Ok(self.process.try_wait()?.is_none())
    }

    /// Reads the events of a run with `--json` until one is as wanted.
    pub fn until(&mut self, what: &str, wanted: impl Fn(&Value) -> bool) -> Result<()> {
        loop {
            let mut line = String::new();
            if self.out.read_line(&mut line)? == 0 {
                bail!("the run ended before {what}:\n{}", self.heard);
            }
            self.heard.push_str(&line);
            if serde_json::from_str(&line).is_ok_and(|event| wanted(&event)) {
                return Ok(());
            }
        }
    }

    /// Ends it with SIGKILL: it cannot clean up. Its watchdog lives.
    pub fn kill(mut self) -> Result<()> {
        self.process.kill().context("cannot kill the product")?;
        self.process.wait().context("cannot wait for the product").map(drop)
    }

    /// Ends it and its watchdog with SIGKILL, the watchdog first.
    pub fn kill_all(self) -> Result<()> {
        let children = Command::new("pgrep")
            .args(["-P", &self.id().to_string()])
            .output()
            .context("cannot run pgrep")?;
        for child in String::from_utf8_lossy(&children.stdout).split_whitespace() {
            signal("KILL", child)?;
        }
        self.kill()
    }

    /// Sends it a signal, as an operator or the system would.
    pub fn signal(&self, name: &str) -> Result<()> {
        signal(name, &self.id().to_string())
    }

    /// Waits for its end.
    pub fn end(mut self) -> Result<Ran> {
        self.out
            .read_to_string(&mut self.heard)
            .context("cannot read from the product")?;
        let mut ran = Ran::of(self.process.wait_with_output().context("cannot wait for the product")?)?;
        ran.out = self.heard;
        Ok(ran)
    }
}

fn signal(name: &str, process: &str) -> Result<()> {
    let sent = Command::new("kill")
        .args(["-s", name, process])
        .status()
        .context("cannot run kill")?;
    if sent.success() {
        Ok(())
    } else {
        bail!("kill -s {name} {process} failed")
    }
}

impl Ran {
    fn of(output: Output) -> Result<Self> {
        Ok(Self {
            code: output.status.code(),
            out: String::from_utf8(output.stdout).context("standard output is no UTF-8")?,
            err: String::from_utf8(output.stderr).context("standard error is no UTF-8")?,
        })
    }

    /// Fails, showing everything, unless it ended with this exit code.
    pub fn must_end_with(self, code: i32) -> Result<Self> {
        if self.code == Some(code) {
            return Ok(self);
        }
        bail!(
            "exit code {:?}, expected {code}\n--- standard output\n{}\n--- standard error\n{}",
            self.code,
            self.out,
            self.err
        )
    }

    /// Fails unless these words stand in its result, on standard output.
    pub fn must_print(self, words: &str) -> Result<Self> {
        if self.out.contains(words) {
            return Ok(self);
        }
        bail!("`{words}` is not printed\n{}", self.out)
    }

    /// Fails, showing everything, unless standard error says this.
    pub fn must_say(self, words: &str) -> Result<Self> {
        if self.err.contains(words) {
            return Ok(self);
        }
        bail!(
            "`{words}` is not said\n--- standard output\n{}\n--- standard error\n{}",
            self.out,
            self.err
        )
    }

    /// The last line of `--json`.
    pub fn summary(&self) -> Result<Value> {
        let last = self.out.lines().last().context("nothing on standard output")?;
        serde_json::from_str(last).with_context(|| format!("the last line is no JSON: {last}"))
    }
}
