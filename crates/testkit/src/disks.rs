//! Small disks, for what only a real file system can show: being full, and being read-only.
//! Mounting needs root; where it is not allowed the caller skips its test and says so.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, bail};

/// A file system in memory, unmounted when dropped.
pub struct SmallDisk {
    dir: tempfile::TempDir,
}

impl SmallDisk {
    /// Mounts a disk of so many bytes. None, with the reason printed, where this user may not.
    pub fn mount(bytes: u64) -> anyhow::Result<Option<Self>> {
        let dir = tempfile::tempdir()?;
        let options = format!("size={bytes},mode=0700");
        match mount(&["-t", "tmpfs", "-o", &options, "stillpoint-test"], dir.path()) {
            Ok(()) => Ok(Some(Self { dir })),
            Err(reason) => {
                say_skipped(&reason);
                Ok(None)
            }
        }
    }

    /// Mounts a disk of so many bytes that knows neither hard links nor a rename that replaces nothing: exFAT, by FUSE. None,
    /// with the reason printed, where that cannot be.
    pub fn without_links(bytes: u64) -> anyhow::Result<Option<Self>> {
        let dir = tempfile::tempdir()?;
        match exfat(bytes, dir.path()) {
            Ok(()) => Ok(Some(Self { dir })),
            Err(reason) => {
                say_skipped(&reason);
                Ok(None)
            }
        }
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    /// From now on nothing can be written to it, not even by root.
    pub fn make_read_only(&self) -> anyhow::Result<()> {
        mount(&["-o", "remount,ro"], self.path())
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        // Lazily: an upload's last file may still be open.
        let unmounted = Command::new("umount").arg("--lazy").arg(self.path()).status();
        if !unmounted.is_ok_and(|status| status.success()) {
            complain(self.path());
        }
    }
}

fn exfat(bytes: u64, at: &Path) -> anyhow::Result<()> {
    let image = tempfile::NamedTempFile::new()?;
    image.as_file().set_len(bytes)?;
    run(Command::new("mkfs.exfat").arg(image.path()))?;
    let device = run(Command::new("losetup").args(["--find", "--show"]).arg(image.path()))?;
    let mounted = run(Command::new("mount.exfat-fuse").arg(device.trim()).arg(at));
    // It goes with whoever uses it last.
    run(Command::new("losetup").args(["--detach", device.trim()]))?;
    mounted.map(drop)
}

fn run(command: &mut Command) -> anyhow::Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| program.clone())?;
    if !output.status.success() {
        bail!("{program}: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

fn mount(options: &[&str], at: &Path) -> anyhow::Result<()> {
    let output = Command::new("mount").args(options).arg(at).output().context("mount")?;
    if !output.status.success() {
        bail!("mount: {}", String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "a test that was skipped has to say so")]
fn say_skipped(reason: &anyhow::Error) {
    eprintln!("skipped: a small disk cannot be mounted here: {reason}");
}

#[expect(clippy::print_stderr, reason = "a drop has no other voice")]
fn complain(at: &Path) {
    eprintln!("{} is still mounted", at.display());
}
