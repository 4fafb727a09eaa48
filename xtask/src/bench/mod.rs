//! `cargo xtask bench vault`: what the embedded vault costs, side by side with a file server and the disk itself. And
//! [`sign_in`]: what a token costs.
//!
//! Every figure that is compared is measured in the same run, in alternation, with the server on one core and the
//! load on the other: the ratio counts, not the number. Reads are set against nginx serving the same bytes, durable
//! creates against appending to a file and syncing it, one write after another. Nothing here is a test: `./test` does
//! not run it, and no build depends on its outcome.

mod client;
mod conditions;
mod disk;
mod load;
mod memory;
mod nginx;
mod report;
mod server;
pub(crate) mod sign_in;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::arguments::Arguments;
use crate::{Outcome, workspace};

use report::{Creates, Reads, Report};

/// Connections, or writers, at which every figure is taken.
const CONCURRENCY: [u32; 3] = [1, 16, 64];
/// The core of whatever serves.
const SERVER_CORE: u32 = 0;
/// The core of whatever asks.
const LOAD_CORE: u32 = 1;
/// Tries of the cold start; the median counts.
const COLD_STARTS: usize = 15;

/// How long and how often.
struct Options {
    /// Alternations per figure.
    rounds: usize,
    /// Time of one measurement.
    step: Duration,
    /// The binary under test, a release build.
    binary: PathBuf,
    /// The program that creates secrets without HTTP, of the same build.
    rate: PathBuf,
    /// Where the table and the plot go.
    reports: PathBuf,
    /// Where servers keep their files: a real disk, not memory.
    scratch: PathBuf,
}

impl Options {
    /// From the flags that every benchmark has. Builds the release when no binary is named.
    fn from(arguments: &mut Arguments) -> Outcome<Self> {
        let target = workspace::target();
        let named: PathBuf = arguments.flag("binary", PathBuf::new())?;
        let binary = if named.as_os_str().is_empty() { release_build(&target)? } else { named };
        Ok(Self {
            rate: binary.with_file_name("store_rate"),
            rounds: arguments.flag("rounds", 5)?,
            step: Duration::from_secs(arguments.flag("seconds", 2)?),
            binary,
            reports: arguments.flag("out", workspace::root().join("docs/bench"))?,
            scratch: target,
        })
    }
}

/// Runs the whole benchmark, writes `vault.md` and `vault.svg`, and prints the table.
pub(crate) fn run(mut arguments: Arguments, out: &mut impl Write) -> Outcome {
    let secrets = arguments.flag("secrets", 100_000)?;
    let options = Options::from(&mut arguments)?;
    arguments.finish()?;
    conditions::require_all(&["nginx", "wrk", "taskset", "openssl", "curl"])?;
    let mut conditions = conditions::gather("cargo xtask bench vault", &options)?;
    conditions.push(("nginx", conditions::said("nginx -v 2>&1 | sed 's/.*: //'")?));
    let same = "both servers get the same request, token included, and answer the same body over TLS 1.3";
    conditions.push(("reads", same.to_owned()));
    let scratch = server::Scratch::make(&options.scratch)?;
    let prepared = server::Prepared::make(&options.binary, scratch.path())?;
    let cold = cold_starts(&prepared)?;
    let running = prepared.serve()?;
    prepared.body(&running)?;
    let idle = memory::resident(running.pid())?;
    let reads = reads(&options, &prepared, &running, scratch.path())?;
    let creates = creates(&options, &prepared, &running, scratch.path())?;
    fill(secrets, &prepared, &running, scratch.path())?;
    let many = memory::resident(running.pid())?;
    running.stop()?;
    let reopened = prepared.serve()?;
    prepared.body(&reopened)?;
    let many_reopened = memory::resident(reopened.pid())?;
    reopened.stop()?;
    let report = Report { conditions, cold, idle, secrets, many, many_reopened, reads, creates };
    report.write(&options.reports)?;
    writeln!(out, "{}", report.markdown())?;
    Ok(())
}

/// Builds what ships, and answers where it is.
fn release_build(target: &Path) -> Outcome<PathBuf> {
    let mut build = workspace::cargo();
    build.args(["build", "--quiet", "--locked", "--release", "-p", "credstore-cli", "-p", "credstore-testing"]);
    build.env("CARGO_TARGET_DIR", target);
    if !build.status()?.success() {
        return Err("the release build does not succeed".into());
    }
    Ok(target.join("release/credstore"))
}

fn cold_starts(prepared: &server::Prepared) -> Outcome<Vec<Duration>> {
    let mut times = Vec::with_capacity(COLD_STARTS);
    for _ in 0..COLD_STARTS {
        let (running, time) = prepared.serve_timed()?;
        running.stop()?;
        times.push(time);
    }
    times.sort();
    Ok(times)
}

fn reads(
    options: &Options,
    prepared: &server::Prepared,
    running: &server::Running,
    scratch: &Path,
) -> Outcome<Vec<Reads>> {
    let body = prepared.body(running)?;
    let rival = nginx::Nginx::serve(scratch, &body)?;
    let ours = load::Reading::new(scratch, "ours", &running.secret_url(), &running.host(), prepared.token())?;
    // The same request for both, to the last byte of the header that only one of them looks at.
    let theirs = load::Reading::new(scratch, "nginx", &rival.url(), &running.host(), prepared.token())?;
    let mut rows = Vec::new();
    for connections in CONCURRENCY {
        let mut row = Reads::at(connections);
        for _ in 0..options.rounds {
            row.nginx.push(theirs.run(connections, options.step, rival.pid())?);
            row.credstore.push(ours.run(connections, options.step, running.pid())?);
        }
        rows.push(row);
    }
    rival.stop()?;
    Ok(rows)
}

fn creates(
    options: &Options,
    prepared: &server::Prepared,
    running: &server::Running,
    scratch: &Path,
) -> Outcome<Vec<Creates>> {
    let mut rows = Vec::new();
    for writers in CONCURRENCY {
        let mut row = Creates::at(writers);
        for round in 0..options.rounds {
            let within = scratch.join(format!("within-{writers}-{round}"));
            row.within.push(disk::creates_within(&options.rate, &within, writers, options.step)?);
            row.disk.push(disk::serial_syncs(scratch, options.step)?);
            let names = format!("w{writers}r{round}");
            let writing = load::Writing::new(scratch, &names, &running.vault_url(), &running.host(), prepared.token())?;
            row.credstore.push(writing.run(writers, options.step, running.pid())?);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Creates secrets until the vault holds many.
fn fill(secrets: u64, prepared: &server::Prepared, running: &server::Running, scratch: &Path) -> Outcome {
    let mut stored = 0;
    for round in 0..60 {
        if stored >= secrets {
            return Ok(());
        }
        let names = format!("f{round}");
        let writing = load::Writing::new(scratch, &names, &running.vault_url(), &running.host(), prepared.token())?;
        stored += writing.run(64, Duration::from_secs(5), running.pid())?.requests;
    }
    Err(format!("only {stored} secrets were stored").into())
}
