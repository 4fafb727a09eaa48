//! Under what conditions the figures were taken.

use std::process::Command;

use super::Options;
use crate::Outcome;

/// One line each: what, and what it was.
pub(super) type Conditions = Vec<(&'static str, String)>;

/// Refuses to go on without a tool.
pub(super) fn require(tool: &str) -> Outcome {
    let found = Command::new("sh").args(["-c", &format!("command -v {tool}")]).output()?.status.success();
    if found {
        Ok(())
    } else {
        Err(format!("{tool} is not installed (Debian packages: nginx-light, wrk, util-linux, openssl)").into())
    }
}

fn said(command: &str) -> Outcome<String> {
    let output = Command::new("sh").args(["-c", command]).output()?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What the machine and the programs were.
pub(super) fn gather(options: &Options) -> Outcome<Conditions> {
    let binary = options.binary.display();
    Ok(vec![
        ("command", "cargo xtask bench vault".to_owned()),
        ("date", said("date -u +%Y-%m-%d")?),
        ("processor", said("sed -n 's/^model name.*: //p' /proc/cpuinfo | head -n 1")?),
        ("cores", said("nproc")?),
        ("system", said(". /etc/os-release; echo \"$PRETTY_NAME, Linux $(uname -r)\"")?),
        ("disk", said(&format!("df --output=fstype {} | tail -n 1", options.scratch.display()))?),
        ("load before", said("cut -d' ' -f1 /proc/loadavg")?),
        ("credstore", said(&format!("{binary} version"))?.lines().next().unwrap_or_default().to_owned()),
        ("nginx", said("nginx -v 2>&1 | sed 's/.*: //'")?),
        ("wrk", said("wrk -v 2>&1 | head -n 1 | cut -d' ' -f1-2")?),
        (
            "reads",
            "both servers get the same request, token included, and answer the same body over TLS 1.3".to_owned(),
        ),
        ("rounds", format!("{} of {} s, in alternation; medians", options.rounds, options.step.as_secs_f64())),
    ])
}
