//! The load: wrk on its own core. The token goes in through a script of mode 0600, not through the arguments.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::{LOAD_CORE, memory};
use crate::Outcome;

/// What one step of load found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// Requests answered with 2xx.
    pub(super) requests: u64,
    /// Requests per second.
    pub(super) rate: f64,
    /// Median latency, milliseconds.
    pub(super) p50: f64,
    /// 99th percentile, milliseconds.
    pub(super) p99: f64,
    /// Processor time of the server per request, microseconds.
    pub(super) cost: f64,
}

/// The end of each script: one line that [`parse`] reads.
const DONE: &str = r#"
done = function(summary, latency, requests)
  local e = summary.errors
  io.write(string.format("MEASURED %d %d %.3f %.3f %.3f\n", summary.requests,
    e.connect + e.read + e.write + e.status + e.timeout, summary.duration / 1e6,
    latency:percentile(50) / 1e3, latency:percentile(99) / 1e3))
end
"#;

/// A file that only its owner reads: it holds a token.
pub(super) fn private_file(path: &Path, text: &str) -> Outcome {
    let _ = std::fs::remove_file(path);
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)?.write_all(text.as_bytes())?;
    Ok(())
}

/// GET of one address, again and again.
pub(super) struct Reading {
    script: PathBuf,
    url: String,
}

impl Reading {
    /// Prepares the script. `host` is sent as the Host header.
    pub(super) fn new(scratch: &Path, name: &str, url: &str, host: &str, token: &str) -> Outcome<Self> {
        let script = scratch.join(format!("read-{name}.lua"));
        let headers =
            format!("wrk.headers[\"Host\"] = \"{host}\"\nwrk.headers[\"Authorization\"] = \"Bearer {token}\"\n");
        private_file(&script, &format!("{headers}{DONE}"))?;
        Ok(Self { script, url: url.to_owned() })
    }

    /// One step.
    pub(super) fn run(&self, connections: u32, time: Duration, server: u32) -> Outcome<Measured> {
        wrk(&self.script, &self.url, connections, time, server)
    }
}

/// PUT of a new secret, each time another name.
pub(super) struct Writing {
    script: PathBuf,
    url: String,
}

impl Writing {
    /// Prepares the script; `names` begins every name, so that no two runs share one.
    pub(super) fn new(scratch: &Path, names: &str, url: &str, host: &str, token: &str) -> Outcome<Self> {
        let script = scratch.join("write.lua");
        let value = "v".repeat(39);
        let text = format!(
            "local n = 0\nlocal headers = {{ [\"Host\"] = \"{host}\", [\"Authorization\"] = \"Bearer {token}\", \
             [\"Content-Type\"] = \"application/json\" }}\n\
             request = function()\n  n = n + 1\n  return wrk.format(\"PUT\", \
             \"/secrets/{names}-\" .. n .. \"?api-version=2025-07-01\", headers, '{{\"value\":\"{value}\"}}')\nend\n{DONE}"
        );
        private_file(&script, &text)?;
        Ok(Self { script, url: url.to_owned() })
    }

    /// One step.
    pub(super) fn run(&self, writers: u32, time: Duration, server: u32) -> Outcome<Measured> {
        wrk(&self.script, &self.url, writers, time, server)
    }
}

fn wrk(script: &Path, url: &str, connections: u32, time: Duration, server: u32) -> Outcome<Measured> {
    let before = memory::processor_time(server)?;
    let output = Command::new("taskset")
        .args(["-c", &LOAD_CORE.to_string(), "wrk", "-t", "1", "-c", &connections.to_string()])
        .args(["-d", &format!("{}s", time.as_secs().max(1)), "-s"])
        .arg(script)
        .arg(url)
        .output()?;
    let used = memory::processor_time(server)? - before;
    let text = String::from_utf8_lossy(&output.stdout);
    let line = text.lines().find_map(|line| line.strip_prefix("MEASURED "));
    parse(line.ok_or_else(|| format!("wrk said: {text}{}", String::from_utf8_lossy(&output.stderr)))?, used)
}

fn parse(line: &str, used: Duration) -> Outcome<Measured> {
    let fields: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [requests, errors, seconds, p50, p99] = fields[..] else {
        return Err(format!("wrk said: {line}").into());
    };
    if errors > 0.0 || requests < 1.0 {
        return Err(format!("{errors} of {requests} requests were not answered with 2xx").into());
    }
    let cost = used.as_secs_f64() * 1e6 / requests;
    Ok(Measured { requests: requests as u64, rate: requests / seconds, p50, p99, cost })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_figures_is_read_and_errors_are_refused() {
        let measured = parse("1000 0 2.000 0.150 0.340", Duration::from_millis(10)).unwrap();
        assert_eq!((measured.requests, measured.rate, measured.cost), (1000, 500.0, 10.0));
        assert!(parse("1000 1 2.000 0.150 0.340", Duration::ZERO).is_err());
        assert!(parse("1000 0", Duration::ZERO).is_err());
    }
}
