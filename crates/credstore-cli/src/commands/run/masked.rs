//! The command as a child whose output goes through us, so that values in it are masked.
//!
//! It stays in our process group, so the terminal sends its signals to both. What is sent to us alone is passed on. When it has
//! ended we end as it did, by the same code or the same signal. Output is written as soon as it cannot be part of a value.

use std::io::{PipeReader, Read, Write};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, mpsc};
use std::time::{Duration, Instant};

use credstore::masking::{Masker, Spellings};
use rustix::process::{Pid, Signal, getpgrp, getpid, kill_process};
use tokio::signal::unix::{SignalKind, signal};
use zeroize::Zeroizing;

use crate::harden;
use crate::output::Output;
use crate::world::World;

/// How much is read at once, in bytes. Ours: what a pipe holds.
const READ_SIZE: usize = 64 * 1024;
/// How long output is still taken of what the command has started and left behind. Ours: long enough for what was written,
/// short enough that a service which was started does not keep us.
const LINGER: Duration = Duration::from_secs(2);

/// Signals that are passed on. Others stop or end us as they would the command; those from the terminal reach it anyway.
const PASSED_ON: [Signal; 6] = [Signal::HUP, Signal::INT, Signal::QUIT, Signal::TERM, Signal::USR1, Signal::USR2];

/// Which streams of the command are masked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Streams {
    pub(super) stdout: bool,
    pub(super) stderr: bool,
}

/// Runs the command and ends as it does. Returns only when it could not be started.
pub(super) async fn run(
    command: Command,
    spellings: Spellings,
    streams: Streams,
    world: &World,
    out: &mut Output,
) -> std::io::Error {
    match started(command, spellings, streams, world) {
        Err(error) => error,
        Ok((mut child, pumps)) => {
            let status = match waited(&mut child).await {
                Ok(status) => status,
                Err(error) => return error,
            };
            if !pumps.ended_within(LINGER) {
                out.note("something that the command has started still writes, and is read no more; --no-masking leaves it alone");
            }
            end_as(status)
        }
    }
}

fn started(
    mut command: Command,
    spellings: Spellings,
    streams: Streams,
    world: &World,
) -> std::io::Result<(tokio::process::Child, Pumps)> {
    let (ended, ends) = mpsc::channel();
    let spellings = Arc::new(spellings);
    let mut readers: Vec<(PipeReader, Box<dyn Write + Send>)> = Vec::new();
    if streams.stdout {
        let (reader, writer) = std::io::pipe()?;
        command.stdout(Stdio::from(writer));
        readers.push((reader, Box::new(std::io::stdout())));
    }
    if streams.stderr {
        let (reader, writer) = std::io::pipe()?;
        command.stderr(Stdio::from(writer));
        readers.push((reader, Box::new(std::io::stderr())));
    }
    harden::undo(&world.before);
    // With it go our ends of the pipes, and the values that the child has in its environment.
    let child = tokio::process::Command::from(command).spawn();
    harden::process();
    let child = child?;
    let count = readers.len();
    for (reader, writer) in readers {
        let (spellings, ended) = (spellings.clone(), ended.clone());
        std::thread::spawn(move || {
            pump(reader, writer, &spellings);
            // Nobody waits any more when this fails.
            let _ = ended.send(());
        });
    }
    Ok((child, Pumps { ends, count }))
}

/// Copies until the end of either side. When ours is closed the command's is too: its next write tells it.
fn pump(mut reader: PipeReader, mut writer: Box<dyn Write + Send>, spellings: &Spellings) {
    let mut masker = Masker::new(spellings);
    let mut bytes = Zeroizing::new(vec![0; READ_SIZE]);
    let mut masked = Vec::with_capacity(READ_SIZE);
    loop {
        let read = match reader.read(&mut bytes) {
            Ok(0) => break,
            Ok(read) => read,
            Err(error) if error.kind() == std::io::ErrorKind::Interrupted => continue,
            Err(_) => break,
        };
        masked.clear();
        masker.push(bytes.get(..read).unwrap_or_default(), &mut masked);
        if writer.write_all(&masked).and_then(|()| writer.flush()).is_err() {
            return;
        }
    }
    masked.clear();
    masker.finish(&mut masked);
    // A reader that has gone wants no more.
    let _ = writer.write_all(&masked).and_then(|()| writer.flush());
}

/// The threads that copy.
struct Pumps {
    ends: mpsc::Receiver<()>,
    count: usize,
}

impl Pumps {
    fn ended_within(self, span: Duration) -> bool {
        let deadline = Instant::now() + span;
        (0..self.count).all(|_| self.ends.recv_timeout(deadline.saturating_duration_since(Instant::now())).is_ok())
    }
}

async fn waited(child: &mut tokio::process::Child) -> std::io::Result<ExitStatus> {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    let (sender, mut received) = tokio::sync::mpsc::unbounded_channel();
    for one in PASSED_ON {
        let mut stream = signal(SignalKind::from_raw(one.as_raw()))?;
        let sender = sender.clone();
        tokio::spawn(async move {
            while stream.recv().await.is_some() {
                if sender.send(one).is_err() {
                    break;
                }
            }
        });
    }
    loop {
        tokio::select! {
            status = child.wait() => return status,
            Some(one) = received.recv() => {
                if let Some(pid) = pid.filter(|_| !came_from_the_terminal(one)) {
                    // It may have ended in this moment.
                    let _ = kill_process(pid, one);
                }
            }
        }
    }
}

/// Whether the terminal has sent it to the whole group, the command included: keys do so when the group is in its foreground.
fn came_from_the_terminal(signal: Signal) -> bool {
    let by_keys = matches!(signal, Signal::INT | Signal::QUIT | Signal::HUP);
    by_keys
        && std::fs::File::open("/dev/tty")
            .is_ok_and(|terminal| rustix::termios::tcgetpgrp(&terminal).is_ok_and(|group| group == getpgrp()))
}

/// Ends this process by a signal that ends processes.
pub(super) fn end_by(signal: Signal) {
    for _ in 0..2 {
        // The runtime catches a fault once, finds that it is none of its own, and leaves the next to the system.
        let _ = kill_process(getpid(), signal);
    }
}

/// Ends this process as the child has ended.
fn end_as(status: ExitStatus) -> ! {
    if let Some(signal) = status.signal().and_then(Signal::from_named_raw) {
        if PASSED_ON.contains(&signal) {
            // We have caught it; a new program starts with what the system does with it.
            let us = std::env::current_exe().unwrap_or_else(|_| "credstore".into());
            let _ = Command::new(us).args(["ended-by", &signal.as_raw().to_string()]).exec();
        } else {
            end_by(signal);
        }
        std::process::exit(128 + signal.as_raw());
    }
    std::process::exit(status.code().unwrap_or(1))
}
