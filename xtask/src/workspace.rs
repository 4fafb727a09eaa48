//! Where the repository and its built programs are, and how `cargo` is called.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::Outcome;

/// The repository's root: the folder above this package.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the manifest folder is xtask/, below the root")
}

/// `cargo`, in the root. Only what is locked and already fetched is used.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.current_dir(root());
    command
}

/// Builds a program of the workspace in the same profile as this one, and answers where it is.
pub(crate) fn built(package: &str, binary: &str) -> Outcome<PathBuf> {
    let here = std::env::current_exe()?;
    let folder = here.parent().ok_or("this program is in no folder")?;
    let folder = if folder.ends_with("deps") { folder.parent().unwrap_or(folder) } else { folder };
    let mut build = cargo();
    build.args(["build", "--quiet", "--locked", "-p", package, "--bin", binary]);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    if !build.status()?.success() {
        return Err(format!("{binary} does not build").into());
    }
    Ok(folder.join(binary))
}

/// Standard output of a command that must end well.
pub(crate) fn output_of(command: &mut Command) -> Outcome<String> {
    let done = command.output().map_err(|error| format!("{:?} does not start: {error}", command.get_program()))?;
    if !done.status.success() {
        let said = String::from_utf8_lossy(&done.stderr);
        return Err(format!("{:?} ended with {}: {said}", command.get_program(), done.status).into());
    }
    Ok(String::from_utf8(done.stdout)?)
}

/// The target folder that this program was built into.
pub(crate) fn target() -> PathBuf {
    let here = std::env::current_exe().unwrap_or_default();
    let profile = here.ancestors().find(|folder| folder.ends_with("debug") || folder.ends_with("release"));
    profile.and_then(Path::parent).map_or_else(|| root().join("target"), Path::to_path_buf)
}
