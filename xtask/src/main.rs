//! Checks and harnesses of this repository: `cargo xtask tidy`, `crashloop`, `fuzz` and `bench`.
//!
//! No product code lives here, and nothing here is part of the product. Each harness stops the processes that it starts.

mod arguments;
mod bench;
mod crashloop;
mod fuzz;
mod random;
mod tidy;
mod workspace;

use std::io::Write;
use std::process::ExitCode;

use arguments::Arguments;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  tidy                                  the repository's own rules
  crashloop [--rounds N] [--seed S]     kill -9 in the middle of writes; no acknowledged write may be lost
  fuzz [TARGET...] [--seconds N] [--seed S]
                                        libFuzzer on every parser of foreign bytes, N seconds each; seed 0 is random
  bench vault [--seconds N] [--rounds N] [--secrets N] [--out DIR] [--binary FILE]
                                        reads against nginx, creates against the disk; builds the release first
  bench sign-in [--seconds N] [--rounds N] [--out DIR] [--binary FILE]
                                        tokens against openssl's signatures, memory after refused sign-ins
";

fn main() -> ExitCode {
    let mut out = std::io::stdout().lock();
    let mut arguments = Arguments::new(std::env::args().skip(1));
    let outcome = match (arguments.word().as_deref(), arguments.word().as_deref()) {
        (Some("tidy"), None) => tidy::run(&mut out),
        (Some("crashloop"), None) => crashloop::run(arguments, &mut out),
        (Some("fuzz"), _) => fuzz::run(Arguments::new(std::env::args().skip(2)), &mut out),
        (Some("bench"), Some("vault")) => bench::run(arguments, &mut out),
        (Some("bench"), Some("sign-in")) => bench::sign_in::run(arguments, &mut out),
        _ => Err(USAGE.into()),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Nothing is left to do when standard error is closed too.
            let _ = writeln!(std::io::stderr(), "{error}");
            ExitCode::FAILURE
        }
    }
}

/// What went wrong, in words for whoever ran the command.
type Outcome<T = ()> = Result<T, Box<dyn std::error::Error>>;
