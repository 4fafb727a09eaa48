//! What the disk does by itself: append, sync, again. And what the vault makes of it when nobody talks HTTP to it.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::process::Command;
use std::time::{Duration, Instant};

use super::SERVER_CORE;
use crate::Outcome;

/// Bytes of one append: about a sealed record with its key.
const RECORD: usize = 400;

/// Appends and syncs per second, one after another, for this time.
pub(super) fn serial_syncs(folder: &Path, time: Duration) -> Outcome<f64> {
    let path = folder.join("serial-syncs");
    let mut file = File::create(&path)?;
    let started = Instant::now();
    let mut writes = 0_u32;
    while started.elapsed() < time {
        file.write_all(&[0x5a; RECORD])?;
        file.sync_data()?;
        writes += 1;
    }
    let rate = f64::from(writes) / started.elapsed().as_secs_f64();
    std::fs::remove_file(&path)?;
    Ok(rate)
}

/// Secrets per second that `writers` threads create in a vault of their own, in a process on the server's core, each
/// waiting until its secret is durable.
pub(super) fn creates_within(program: &Path, folder: &Path, writers: u32, time: Duration) -> Outcome<f64> {
    let seconds = time.as_secs().max(1);
    let output = Command::new("taskset")
        .args(["-c", &SERVER_CORE.to_string()])
        .arg(program)
        .arg("--dir")
        .arg(folder)
        .args(["--writers", &writers.to_string(), "--seconds", &seconds.to_string()])
        .output()?;
    let written: f64 = String::from_utf8_lossy(&output.stdout)
        .trim()
        .parse()
        .map_err(|_| format!("{} said: {}", program.display(), String::from_utf8_lossy(&output.stderr)))?;
    std::fs::remove_dir_all(folder)?;
    Ok(written / seconds as f64)
}
