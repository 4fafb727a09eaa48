//! Writes numbers into a data folder until it is killed, and says which are durable.
//!
//! `store_writer --dir D` goes on from the highest number in D. Several threads write at once, so that commits share
//! syncs; `ACK n` is printed, and flushed, only after number n is durable.

use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};

use credstore_testing::numbers::{Failure, Numbers, folder_argument};

const WRITERS: usize = 8;

fn main() -> Result<(), Failure> {
    let folder = folder_argument(std::env::args().skip(1))?;
    let numbers = Numbers::open(&folder, false)?;
    let next = AtomicU64::new(numbers.all()?.last().map_or(1, |highest| highest + 1));
    let output = Mutex::new(std::io::stdout());
    let work = || -> Result<(), Failure> {
        loop {
            let number = next.fetch_add(1, Ordering::SeqCst);
            numbers.write(number)?;
            let mut output = output.lock().map_err(|_| "another writer has stopped")?;
            writeln!(output, "ACK {number}")?;
            output.flush()?;
        }
    };
    std::thread::scope(|scope| {
        let writers: Vec<_> = (0..WRITERS).map(|_| scope.spawn(work)).collect();
        let ended = writers.into_iter().map(|writer| writer.join().map_err(|_| "a writer has panicked")?);
        ended.collect::<Result<Vec<()>, Failure>>().map(|_| ())
    })
}
