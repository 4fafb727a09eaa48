//! Under what conditions the figures were taken.

use std::process::Command;

use super::Options;
use crate::Outcome;

/// One line each: what, and what it was.
pub(super) type Conditions = Vec<(&'static str, String)>;

/// Refuses to go on without one of the tools.
pub(super) fn require_all(tools: &[&str]) -> Outcome {
    for tool in tools {
        if !Command::new("sh").args(["-c", &format!("command -v {tool}")]).output()?.status.success() {
            let packages = "Debian packages: nginx-light, wrk, util-linux, openssl, curl";
            return Err(format!("{tool} is not installed ({packages})").into());
        }
    }
    Ok(())
}

/// What a command prints.
pub(super) fn said(command: &str) -> Outcome<String> {
    let output = Command::new("sh").args(["-c", command]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What the machine and the programs were.
pub(super) fn gather(command: &str, options: &Options) -> Outcome<Conditions> {
    let binary = options.binary.display();
    Ok(vec![
        ("command", command.to_owned()),
        ("date", said("date -u +%Y-%m-%d")?),
        ("processor", said("sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1")?),
        ("cores", said("nproc")?),
        ("system", said(". /etc/os-release; echo \"$PRETTY_NAME, Linux $(uname -r)\"")?),
        ("disk", said(&format!("df --output=fstype {} | tail -n 1", options.scratch.display()))?),
        ("load before", said("cut -d' ' -f1 /proc/loadavg")?),
        ("credstore", said(&format!("{binary} version"))?.lines().next().unwrap_or_default().to_owned()),
        ("openssl", said("openssl version | cut -d' ' -f1-2")?),
        ("wrk", said("wrk -v 2>&1 | head -n 1 | cut -d' ' -f1-2")?),
        ("rounds", format!("{} of {} s, in alternation; medians", options.rounds, options.step.as_secs_f64())),
    ])
}
