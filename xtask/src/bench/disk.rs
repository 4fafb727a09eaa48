//! What the disk does by itself: append, sync, again.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::{Duration, Instant};

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
