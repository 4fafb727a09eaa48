//! `cargo xtask bench sign-in`: what a sign-in with a certificate costs, and what refused ones leave behind.
//!
//! A token takes one check and one making of an RSA signature, which no server can do without; so sign-ins are set
//! against `openssl speed` doing just that on the same core in the same run. Refused sign-ins are all different: apps
//! that do not exist, and assertions whose signature is wrong.

use std::fmt::Write as _;
use std::io::Write;
use std::process::Command;
use std::time::Duration;

use super::load::{Measured, SignIns};
use super::report::{conditions_table, mebibytes, median, of};
use super::server::{Prepared, Running, Scratch};
use super::{CONCURRENCY, Options, SERVER_CORE, conditions, memory};
use crate::Outcome;
use crate::arguments::Arguments;

/// Refused sign-ins between two looks at the memory. Source: the aim, "10,000 bad logins leave memory flat".
const REFUSED: u64 = 10_000;
/// Looks at the memory after the first: what is made once and kept shows in the first, a leak in every one.
const LOOKS: usize = 4;
/// Connections of the refused sign-ins.
const REFUSED_CONNECTIONS: u32 = 16;

/// Sign-ins at one number of connections.
struct Row {
    connections: u32,
    /// Signatures checked and made per second by openssl.
    openssl: Vec<f64>,
    credstore: Vec<Measured>,
}

/// Runs the benchmark, writes `sign-in.md`, and prints it.
pub(crate) fn run(mut arguments: Arguments, out: &mut impl Write) -> Outcome {
    let options = Options::from(&mut arguments)?;
    arguments.finish()?;
    conditions::require_all(&["wrk", "taskset", "openssl", "curl"])?;
    let conditions = conditions::gather("cargo xtask bench sign-in", &options)?;
    let scratch = Scratch::make(&options.scratch)?;
    let prepared = Prepared::make(&options.binary, scratch.path())?;
    let running = prepared.serve()?;
    let rows = accepted(&options, &prepared, &running)?;
    let resident = refused(&prepared, &running)?;
    running.stop()?;
    let text = markdown(&rows, &resident, &conditions);
    std::fs::create_dir_all(&options.reports)?;
    std::fs::write(options.reports.join("sign-in.md"), &text)?;
    writeln!(out, "{text}")?;
    Ok(())
}

fn accepted(options: &Options, prepared: &Prepared, running: &Running) -> Outcome<Vec<Row>> {
    let load = SignIns::accepted(prepared)?;
    let mut rows = Vec::new();
    for connections in CONCURRENCY {
        let mut row = Row { connections, openssl: Vec::new(), credstore: Vec::new() };
        for _ in 0..options.rounds {
            row.openssl.push(signatures(options.step)?);
            row.credstore.push(load.run(connections, options.step, running.pid())?);
        }
        rows.push(row);
    }
    Ok(rows)
}

/// Resident memory in KiB before any sign-in was refused, and after each [`REFUSED`] of them.
fn refused(prepared: &Prepared, running: &Running) -> Outcome<Vec<u64>> {
    let mut resident = vec![memory::resident(running.pid())?];
    for look in 0..LOOKS {
        let mut done = 0;
        for round in 0.. {
            if done >= REFUSED {
                break;
            }
            let load = SignIns::refused(prepared, &format!("{look}{round:03}"))?;
            done += load.run(REFUSED_CONNECTIONS, Duration::from_secs(1), running.pid())?.requests;
        }
        resident.push(memory::resident(running.pid())?);
    }
    Ok(resident)
}

/// How often a second openssl checks one RSA 2048 signature and makes another, on the server's core.
fn signatures(step: Duration) -> Outcome<f64> {
    let seconds = step.as_secs().max(1).to_string();
    let output = Command::new("taskset")
        .args(["-c", &SERVER_CORE.to_string(), "openssl", "speed", "-mr", "-seconds", &seconds, "rsa2048"])
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    pairs(&text).ok_or_else(|| format!("openssl speed said: {text}").into())
}

/// From the line `+F2:<which>:<bits>:<seconds a signature>:<seconds a check>`. Source: openssl-speed(1), `-mr`.
fn pairs(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("+F2:"))?;
    let mut figures = line.split(':').skip(2).map(str::parse::<f64>);
    let (sign, check) = (figures.next()?.ok()?, figures.next()?.ok()?);
    // Some versions print seconds, some how many a second.
    let seconds = |figure: f64| if figure > 1.0 { 1.0 / figure } else { figure };
    Some(1.0 / (seconds(sign) + seconds(check)))
}

fn markdown(rows: &[Row], resident: &[u64], conditions: &conditions::Conditions) -> String {
    let mut text = String::from("# Sign-in with a certificate, measured\n\n");
    text.push_str(
        "A token costs one RSA 2048 signature checked and one made; openssl does both and nothing else, on the same core.\n\n\
         | connections | openssl, pairs/s | tokens/s | of openssl | p50 / p99 ms | CPU µs a token |\n|---|---|---|---|---|---|\n",
    );
    for row in rows {
        let ours = &row.credstore;
        let ratio = median(ours.iter().zip(&row.openssl).map(|(ours, openssl)| ours.rate / openssl));
        let _ = writeln!(
            text,
            "| {} | {:.0} | {:.0} | **{ratio:.2}** | {:.2} / {:.2} | {:.0} |",
            row.connections,
            median(row.openssl.iter().copied()),
            of(ours, |m| m.rate),
            of(ours, |m| m.p50),
            of(ours, |m| m.p99),
            of(ours, |m| m.cost),
        );
    }
    text.push_str("\n## Refused sign-ins: unknown apps and wrong signatures, each different\n\n");
    text.push_str("| refused so far | resident |\n|---|---|\n");
    for (look, kibibytes) in resident.iter().enumerate() {
        let so_far = look as u64 * REFUSED;
        let _ = writeln!(
            text,
            "| {so_far}{} | {:.1} MiB |",
            if look == 0 { "" } else { " or more" },
            mebibytes(*kibibytes)
        );
    }
    text.push_str(&conditions_table(conditions));
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_figures_of_openssl_are_read_in_both_forms() {
        let pair = pairs("+DTP:2048:private:rsa:1\n+F2:2:2048:0.000750:0.000250\n").unwrap();
        assert!((pair - 1000.0).abs() < 1e-6, "{pair}");
        let pair = pairs("+F2:2:2048:2000.000000:2000.000000\n").unwrap();
        assert!((pair - 1000.0).abs() < 1e-6, "{pair}");
        assert_eq!(pairs("no figures"), None);
    }
}
