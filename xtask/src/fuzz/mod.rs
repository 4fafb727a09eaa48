//! `cargo xtask fuzz`: libFuzzer on every parser of foreign bytes, without the nightly toolchain.
//!
//! The program in `testing/fuzz` is built with LLVM's coverage counters, which stable `rustc` can be asked for, and run
//! once for each target, one for each core at a time. What it learns stays in the target folder and is the start of
//! the next run. An input that crashes, hangs, takes a gibibyte or gets a 5xx ends the run and is kept in a file.

mod seeds;

use std::fs::{self, File};
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Mutex, PoisonError};

use crate::arguments::Arguments;
use crate::{Outcome, workspace};

/// Every target of `testing/fuzz/src/main.rs`.
const TARGETS: [&str; 11] = [
    "settings",
    "credential-store",
    "encrypted-file",
    "connection-string",
    "names",
    "certificate",
    "assertion",
    "request",
    "backup",
    "import",
    "merge",
];
/// What cargo-fuzz gives to `rustc` too. Source: LLVM, "SanitizerCoverage".
const RUSTFLAGS: &str = "-Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Cllvm-args=-sanitizer-coverage-trace-compares --cfg fuzzing";
/// Seconds after which one input counts as a hang. Ours: a thousand times what the slowest seed takes.
const HANG_SECONDS: u32 = 20;
/// Memory after which one input counts as too much. Ours: a good run stays below 200 MiB.
const MEMORY_MEBIBYTES: u32 = 1024;
/// Longest input in bytes. Ours: past the limits of names and headers, and short enough to be quick.
const INPUT_MAX: u32 = 16 * 1024;

/// Where everything of one run lies, below the target folder.
struct Places {
    program: PathBuf,
    folder: PathBuf,
    /// Where libFuzzer's generator starts; 0 is another start each time.
    seed: u32,
}

/// Builds and runs the targets that are named, or all.
pub(crate) fn run(mut arguments: Arguments, out: &mut impl Write) -> Outcome {
    let seconds: u32 = arguments.flag("seconds", 60)?;
    // A fixed one by default: a run of ./test tries what the last one tried, and red means that the change did it.
    let seed: u32 = arguments.flag("seed", 1)?;
    let mut chosen = Vec::new();
    while let Some(word) = arguments.word() {
        chosen
            .push(*TARGETS.iter().find(|target| **target == word).ok_or_else(|| format!("there is no target {word}"))?);
    }
    arguments.finish()?;
    if chosen.is_empty() {
        chosen = TARGETS.to_vec();
    }
    let folder = workspace::target().join("fuzz");
    let places = Places { program: build(&folder)?, folder, seed };
    for target in &chosen {
        seeds::write(target, &places.corpus(target))?;
    }
    let failures = run_all(&places, &chosen, seconds, out)?;
    if failures.is_empty() { Ok(()) } else { Err(failures.join("\n").into()) }
}

impl Places {
    fn corpus(&self, target: &str) -> PathBuf {
        self.folder.join("corpus").join(target)
    }

    /// Runs one target and says how many inputs it tried, or what an input did and where that input is.
    fn fuzz(&self, target: &str, seconds: u32) -> Outcome<u64> {
        let found = self.folder.join("found");
        fs::create_dir_all(&found)?;
        let log = self.folder.join(format!("{target}.log"));
        let done = Command::new(&self.program)
            .env("CREDSTORE_FUZZ_TARGET", target)
            .env("TMPDIR", &self.folder)
            .arg(format!("-max_total_time={seconds}"))
            .arg(format!("-seed={}", self.seed))
            .arg(format!("-timeout={HANG_SECONDS}"))
            .arg(format!("-rss_limit_mb={MEMORY_MEBIBYTES}"))
            .arg(format!("-max_len={INPUT_MAX}"))
            .arg(format!("-artifact_prefix={}/{target}-", found.display()))
            .arg(self.corpus(target))
            .stdout(Stdio::null())
            .stderr(File::create(&log)?)
            .status()?;
        let said = fs::read(&log)?;
        let said = String::from_utf8_lossy(&said);
        if let (true, Some(inputs)) = (done.success(), inputs(&said)) {
            return Ok(inputs);
        }
        Err(format!(
            "{target}: an input ended it\n{}\nagain: CREDSTORE_FUZZ_TARGET={target} {} FILE",
            last_lines(&said, 25),
            self.program.display()
        )
        .into())
    }
}

/// One thread for each core takes target after target. Gives the failures.
fn run_all(places: &Places, chosen: &[&str], seconds: u32, out: &mut impl Write) -> Outcome<Vec<String>> {
    let waiting = Mutex::new(chosen.to_vec());
    let next = || waiting.lock().unwrap_or_else(PoisonError::into_inner).pop();
    let outcomes = Mutex::new(Vec::new());
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(1, usize::from) {
            scope.spawn(|| {
                while let Some(target) = next() {
                    let outcome = places.fuzz(target, seconds).map_err(|error| error.to_string());
                    outcomes.lock().unwrap_or_else(PoisonError::into_inner).push((target, outcome));
                }
            });
        }
    });
    let mut outcomes = outcomes.into_inner().unwrap_or_else(PoisonError::into_inner);
    outcomes.sort_by_key(|(target, _)| TARGETS.iter().position(|known| known == target));
    let mut failures = Vec::new();
    let mut passed = 0;
    for (target, outcome) in outcomes {
        match outcome {
            Ok(inputs) => {
                passed += 1;
                writeln!(out, "  {target:<18} {inputs:>9} inputs in {seconds} s")?;
            }
            Err(failure) => failures.push(failure),
        }
    }
    writeln!(out, "{passed} passed, {} failed", failures.len())?;
    Ok(failures)
}

fn build(folder: &Path) -> Outcome<PathBuf> {
    let host = workspace::output_of(Command::new("rustc").arg("-vV"))?;
    let host = host.lines().find_map(|line| line.strip_prefix("host: ")).ok_or("rustc names no host")?;
    let mut build = workspace::cargo();
    // Naming the host as a target keeps the counters out of build scripts, which have no fuzzer to count for.
    build.args(["build", "--quiet", "--locked", "--manifest-path", "testing/fuzz/Cargo.toml", "--target", host]);
    build.arg("--target-dir").arg(folder.join("build")).env("RUSTFLAGS", RUSTFLAGS);
    if !build.status()?.success() {
        return Err("testing/fuzz does not build".into());
    }
    Ok(folder.join("build").join(host).join("debug/credstore-fuzz"))
}

/// From libFuzzer's last line, `Done 118857 runs in 9 second(s)`.
fn inputs(said: &str) -> Option<u64> {
    let done = said.lines().rev().find_map(|line| line.strip_prefix("Done "))?;
    done.split(' ').next()?.parse().ok()
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_number_of_inputs_is_read_from_the_fuzzers_last_line() {
        assert_eq!(inputs("#4 NEW cov: 1\nDone 118857 runs in 9 second(s)\n"), Some(118_857));
        assert_eq!(inputs("==1== ERROR: libFuzzer: deadly signal\n"), None);
    }

    #[test]
    fn the_targets_are_those_of_the_program() {
        let program = fs::read_to_string(workspace::root().join("testing/fuzz/src/main.rs")).unwrap();
        let arms = program.matches("\" => ").count();
        assert_eq!(arms, TARGETS.len());
        assert!(TARGETS.iter().all(|target| program.contains(&format!("\"{target}\" => "))));
    }

    #[test]
    fn every_target_with_a_grammar_has_seeds() {
        for target in TARGETS {
            let folder = std::env::temp_dir().join(format!("credstore-seeds-{}-{target}", std::process::id()));
            seeds::write(target, &folder).unwrap();
            let count = fs::read_dir(&folder).unwrap().count();
            fs::remove_dir_all(&folder).unwrap();
            let least = match target {
                "settings" | "connection-string" => 40,
                "request" => 200,
                "certificate" => 5,
                "assertion" => 3,
                _ => 1,
            };
            assert!(count >= least, "{target}: {count} seeds");
        }
    }
}
