//! `crashloop`: kill the store's writer at random moments and see that nothing acknowledged is lost.
//!
//! `store_writer` prints `ACK <n>` once write n is durable. It is killed with SIGKILL in the middle of its work;
//! `store_dump` then opens the store, checks each value and prints every number. Each acknowledged number must be there.
//! The store grows over the rounds, so every round also opens what all the earlier crashes left.

use std::collections::BTreeSet;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant};

use crate::arguments::Arguments;
use crate::random::Random;
use crate::{Outcome, workspace};

/// Acknowledgements after which a round's kill comes at the latest.
const ACKS_PER_ROUND: u64 = 40;
/// The kill comes up to this long after the acknowledgement that was drawn, so that it also falls between writes.
const KILL_DELAY_MICROS: u64 = 5_000;
/// A writer that acknowledges nothing for so long hangs.
const SILENCE: Duration = Duration::from_secs(60);
/// After so many rounds a fresh store is begun, so that creating one is under test too.
const ROUNDS_PER_STORE: u64 = 25;

/// What a run saw.
#[derive(Default)]
struct Tally {
    rounds: u64,
    acknowledged: usize,
    lost: Vec<u64>,
    unreadable: Vec<String>,
}

/// Runs `--rounds` rounds, with the moments drawn from `--seed`.
pub(crate) fn run(mut arguments: Arguments, out: &mut dyn Write) -> Outcome {
    let rounds = arguments.flag("rounds", 200)?;
    let seed = arguments.flag("seed", 1)?;
    arguments.finish()?;
    let writer = workspace::built("credstore-testing", "store_writer")?;
    let dump = workspace::built("credstore-testing", "store_dump")?;
    let began = Instant::now();
    let mut random = Random::from_seed(seed);
    let mut tally = Tally::default();
    while tally.rounds < rounds {
        let folder = Folder::create()?;
        let mut acknowledged = BTreeSet::new();
        for _ in 0..ROUNDS_PER_STORE.min(rounds - tally.rounds) {
            round(&writer, &dump, &folder.0, &mut random, &mut acknowledged, &mut tally)?;
        }
        tally.acknowledged += acknowledged.len();
    }
    writeln!(
        out,
        "{} rounds (seed {seed}), {} writes acknowledged, {} lost, {} unreadable stores, {:.0} s",
        tally.rounds,
        tally.acknowledged,
        tally.lost.len(),
        tally.unreadable.len(),
        began.elapsed().as_secs_f64(),
    )?;
    verdict(&tally)
}

fn verdict(tally: &Tally) -> Outcome {
    if !tally.unreadable.is_empty() {
        return Err(format!("unreadable: {}", tally.unreadable.join("; ")).into());
    }
    if !tally.lost.is_empty() {
        return Err(format!("lost: {:?}", tally.lost).into());
    }
    if tally.acknowledged == 0 {
        return Err("no write was acknowledged: the run proves nothing".into());
    }
    Ok(())
}

/// One life of the writer, and what is left of it.
fn round(
    writer: &Path,
    dump: &Path,
    folder: &Path,
    random: &mut Random,
    acknowledged: &mut BTreeSet<u64>,
    tally: &mut Tally,
) -> Outcome {
    tally.rounds += 1;
    // One round in eight dies before its first acknowledgement: while the store is made or opened.
    let early = random.below(8) == 0;
    let kill_after = if early { 0 } else { 1 + random.below(ACKS_PER_ROUND) };
    let delay = Duration::from_micros(random.below(if early { 20 * KILL_DELAY_MICROS } else { KILL_DELAY_MICROS }));
    acknowledged.extend(killed_writer(writer, folder, kill_after, delay)?);
    if acknowledged.is_empty() {
        // Nothing was promised: the store may not even exist yet.
        return Ok(());
    }
    match dumped(dump, folder)? {
        Ok(present) => tally.lost.extend(acknowledged.difference(&present)),
        Err(said) => tally.unreadable.push(format!("round {}: {said}", tally.rounds)),
    }
    Ok(())
}

/// Starts the writer, kills it `delay` after its acknowledgement number `kill_after`, answers what it acknowledged.
fn killed_writer(writer: &Path, folder: &Path, kill_after: u64, delay: Duration) -> Outcome<Vec<u64>> {
    let mut child =
        Command::new(writer).arg("--dir").arg(folder).stdout(Stdio::piped()).stdin(Stdio::null()).spawn()?;
    let lines = lines_of(&mut child)?;
    let mut seen = Vec::new();
    while (seen.len() as u64) < kill_after {
        match lines.recv_timeout(SILENCE) {
            Ok(line) => seen.extend(acknowledgement(&line)?),
            Err(RecvTimeoutError::Disconnected) => return Err(format!("the writer ended: {}", child.wait()?).into()),
            Err(RecvTimeoutError::Timeout) => {
                child.kill()?;
                child.wait()?;
                return Err(format!("the writer acknowledged nothing in {SILENCE:?}").into());
            }
        }
    }
    let deadline = Instant::now() + delay;
    while let Ok(line) = lines.recv_timeout(deadline.saturating_duration_since(Instant::now())) {
        seen.extend(acknowledgement(&line)?);
    }
    child.kill()?;
    child.wait()?;
    // What stood in the pipe at the kill was printed, hence durable. A torn last line promises nothing.
    for line in lines {
        seen.extend(acknowledgement(&line).unwrap_or_default());
    }
    Ok(seen)
}

/// Complete lines of the child's standard output, as they come.
fn lines_of(child: &mut Child) -> Outcome<Receiver<String>> {
    let stdout = child.stdout.take().ok_or("standard output is piped")?;
    let (sender, receiver) = channel();
    std::thread::spawn(move || {
        let mut reader = BufReader::new(stdout);
        let mut line = String::new();
        while reader.read_line(&mut line).is_ok_and(|read| read > 0) {
            if !line.ends_with('\n') || sender.send(std::mem::take(&mut line)).is_err() {
                break;
            }
        }
    });
    Ok(receiver)
}

fn acknowledgement(line: &str) -> Outcome<Option<u64>> {
    match line.trim().strip_prefix("ACK ") {
        Some(number) => Ok(Some(number.parse().map_err(|_| format!("not an acknowledgement: {line:?}"))?)),
        None => Ok(None),
    }
}

/// Every number in the store, or what the dump said when it did not end well.
fn dumped(dump: &Path, folder: &Path) -> Outcome<Result<BTreeSet<u64>, String>> {
    let done = Command::new(dump).arg("--dir").arg(folder).output()?;
    if !done.status.success() {
        return Ok(Err(format!("{}: {}", done.status, String::from_utf8_lossy(&done.stderr).trim())));
    }
    let text = String::from_utf8(done.stdout)?;
    Ok(text.lines().map(|line| line.trim().parse().map_err(|_| format!("not a number: {line:?}"))).collect())
}

/// A temporary folder; it goes with the value.
struct Folder(PathBuf);

impl Folder {
    fn create() -> Outcome<Self> {
        let made = workspace::output_of(Command::new("mktemp").args(["--directory", "--suffix=-credstore-crashloop"]))?;
        Ok(Self(PathBuf::from(made.trim())))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // A folder that cannot be removed stays below the system's temporary folder.
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_lost_write_an_unreadable_store_and_an_empty_run_are_all_refused() {
        assert!(verdict(&Tally { acknowledged: 3, ..Tally::default() }).is_ok());
        assert!(verdict(&Tally { acknowledged: 3, lost: vec![2], ..Tally::default() }).is_err());
        assert!(verdict(&Tally { acknowledged: 3, unreadable: vec!["x".into()], ..Tally::default() }).is_err());
        assert!(verdict(&Tally::default()).is_err());
    }

    #[test]
    fn only_whole_acknowledgements_count() {
        assert_eq!(acknowledgement("ACK 17\n").unwrap(), Some(17));
        assert_eq!(acknowledgement("store opened\n").unwrap(), None);
        assert!(acknowledgement("ACK 1x\n").is_err());
    }

    #[test]
    fn a_writer_that_forgets_is_caught() {
        // `seq` stands in for a dump that has numbers 1 to 3 only, a shell for the writer.
        let folder = Folder::create().unwrap();
        let script = |name: &str, body: &str| {
            let path = folder.0.join(name);
            std::fs::write(&path, format!("#!/bin/sh\n{body}\n")).unwrap();
            let mode = std::os::unix::fs::PermissionsExt::from_mode(0o700);
            std::fs::set_permissions(&path, mode).unwrap();
            path
        };
        let writer = script("writer", "for n in $(seq 1 50); do echo ACK $n; done; exec sleep 60");
        let dump = script("dump", "seq 1 3");
        let mut tally = Tally::default();
        let mut acknowledged = BTreeSet::new();
        // Seed 3 draws a round that waits for acknowledgements.
        round(&writer, &dump, &folder.0, &mut Random::from_seed(3), &mut acknowledged, &mut tally).unwrap();
        assert!(acknowledged.len() > 3, "{acknowledged:?}");
        assert_eq!(tally.lost.first(), Some(&4));
    }
}
