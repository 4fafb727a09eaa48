//! How many secrets a second a vault takes when nobody talks HTTP to it.
//!
//! `store_rate --dir D --writers N --seconds S` lets N threads create secrets in D, which is new, for S seconds, each
//! thread waiting until its secret is durable, and prints how many there were.

use std::io::Write;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use credstore_testing::numbers::{Failure, Numbers};

/// As long as what the benchmark stores over HTTPS.
const VALUE: usize = 39;
const USAGE: &str = "usage: --dir FOLDER --writers N --seconds S";

fn main() -> Result<(), Failure> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [dir, folder, writers, threads, seconds, time] = arguments.as_slice() else { return Err(USAGE.into()) };
    if [dir.as_str(), writers, seconds] != ["--dir", "--writers", "--seconds"] {
        return Err(USAGE.into());
    }
    let (threads, time): (u64, u64) = (threads.parse()?, time.parse()?);
    let numbers = Numbers::open(Path::new(folder), false)?;
    let is_over = AtomicBool::new(false);
    let write = |thread: u64| -> Result<u64, Failure> {
        let mut written = 0;
        while !is_over.load(Ordering::Relaxed) {
            numbers.set(&format!("w{thread}-{written}"), "v".repeat(VALUE))?;
            written += 1;
        }
        Ok(written)
    };
    let written = std::thread::scope(|scope| {
        let write = &write;
        let writers: Vec<_> = (0..threads).map(|thread| scope.spawn(move || write(thread))).collect();
        #[allow(clippy::disallowed_methods, reason = "the rate is that of a stretch of time")]
        std::thread::sleep(Duration::from_secs(time));
        is_over.store(true, Ordering::Relaxed);
        let counts = writers.into_iter().map(|writer| writer.join().map_err(|_| "a writer has panicked")?);
        counts.sum::<Result<u64, Failure>>()
    })?;
    writeln!(std::io::stdout(), "{written}")?;
    Ok(())
}
