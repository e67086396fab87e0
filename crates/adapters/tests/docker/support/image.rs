//! The image of the fixtures: Debian's static busybox and nothing else, two megabytes, made once
//! and known by what it is made of.

use std::fs;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, bail};
use sha2::{Digest, Sha256};

use super::docker;

const BUSYBOX: &str = "/bin/busybox";

/// To be counted up when this file puts something else into the image.
const RECIPE: &str = "1";

/// The image's name; the image is there when this returns.
pub(crate) fn busybox() -> anyhow::Result<&'static str> {
    static IMAGE: OnceLock<Result<String, String>> = OnceLock::new();
    match IMAGE.get_or_init(|| made().map_err(|error| format!("{error:#}"))) {
        Ok(image) => Ok(image),
        Err(error) => bail!("the fixtures' image: {error}"),
    }
}

fn made() -> anyhow::Result<String> {
    let binary = fs::read(BUSYBOX).with_context(|| format!("{BUSYBOX} (install the package busybox-static)"))?;
    let mut hash = Sha256::new();
    hash.update(RECIPE);
    hash.update(&binary);
    let hash: String = hash.finalize()[..6]
        .iter()
        .fold(String::new(), |hex, byte| format!("{hex}{byte:02x}"));
    let image = format!("stillpoint-testbed/busybox:{hash}");
    if docker(&["image", "inspect", &image]).is_err() {
        import(&image, &binary)?;
    }
    Ok(image)
}

fn import(image: &str, binary: &[u8]) -> anyhow::Result<()> {
    let work = tempfile::tempdir()?;
    let root = work.path().join("root");
    for directory in ["bin", "etc", "tmp"] {
        fs::create_dir_all(root.join(directory))?;
    }
    fs::write(root.join("bin/busybox"), binary)?;
    fs::write(root.join("etc/passwd"), "root:x:0:0::/:/bin/sh\n")?;
    fs::write(root.join("etc/group"), "root:x:0:\n")?;
    runs(Command::new("chmod").arg("755").arg(root.join("bin/busybox")))?;
    runs(Command::new("chmod").arg("1777").arg(root.join("tmp")))?;
    for applet in runs(Command::new(BUSYBOX).arg("--list"))?.lines() {
        link(&root, applet)?;
    }
    let archive = work.path().join("image.tar");
    runs(
        Command::new("tar")
            .arg("-C")
            .arg(&root)
            .arg("-cf")
            .arg(&archive)
            .arg("."),
    )?;
    let archive = archive.to_str().context("the archive's path is no text")?;
    docker(&["import", "--change", "ENV PATH=/bin", archive, image]).map(drop)
}

fn link(root: &Path, applet: &str) -> anyhow::Result<()> {
    if applet == "busybox" {
        return Ok(());
    }
    Ok(symlink("busybox", root.join("bin").join(applet))?)
}

fn runs(command: &mut Command) -> anyhow::Result<String> {
    let output = command.output()?;
    if !output.status.success() {
        bail!("{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(String::from_utf8(output.stdout)?)
}
