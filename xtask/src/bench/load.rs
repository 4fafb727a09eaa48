//! The load: wrk on its own core. The token goes in through a script of mode 0600, not through the arguments.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use super::server::Prepared;
use super::{LOAD_CORE, memory};
use crate::Outcome;

/// What one step of load found.
#[derive(Clone, Copy, Debug)]
pub(super) struct Measured {
    /// Requests answered as expected: with 2xx, or refused.
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
  io.write(string.format("MEASURED %d %d %d %.3f %.3f %.3f\n", summary.requests, e.status,
    e.connect + e.read + e.write + e.timeout, summary.duration / 1e6,
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
        wrk(&self.script, &self.url, connections, time, server, Expected::Accepted)
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
        wrk(&self.script, &self.url, writers, time, server, Expected::Accepted)
    }
}

/// POST of a sign-in, by an app that may or by others that may not.
pub(super) struct SignIns {
    script: PathBuf,
    url: String,
    expected: Expected,
}

impl SignIns {
    /// The same assertion again and again, as clients do that keep one until it expires.
    pub(super) fn accepted(prepared: &Prepared) -> Outcome<Self> {
        let request = format!("return wrk.format(\"POST\", nil, headers, '{}')", prepared.form());
        Self::new(prepared, &request, Expected::Accepted)
    }

    /// By turns an app that does not exist and an assertion whose signature is wrong. `series`, four digits, tells the
    /// requests of one run from those of another.
    pub(super) fn refused(prepared: &Prepared, series: &str) -> Outcome<Self> {
        let form = prepared.form();
        // Sixteen characters of the signature, before the last two: those must end on whole bytes.
        let (start, end) = (form.len().saturating_sub(18), form.len().saturating_sub(2));
        let (before, after) = (&form[..start], &form[end..]);
        let request = format!(
            "n = n + 1\n  if n % 2 == 0 then\n    \
             return wrk.format(\"POST\", nil, headers, (string.gsub('{form}', '{}', \
             string.format('{series}%04x-0000-4000-8000-%012x', n % 65536, n))))\n  end\n  \
             return wrk.format(\"POST\", nil, headers, '{before}' .. string.format('{series}%012d', n) .. '{after}')",
            prepared.client_id().replace('-', "%-"),
        );
        Self::new(prepared, &request, Expected::Refused)
    }

    fn new(prepared: &Prepared, request: &str, expected: Expected) -> Outcome<Self> {
        let script = prepared.folder().join("sign-in.lua");
        let host = prepared.login_host();
        let text = format!(
            "local n = 0\nlocal headers = {{ [\"Host\"] = \"{host}\", \
             [\"Content-Type\"] = \"application/x-www-form-urlencoded\" }}\n\
             request = function()\n  {request}\nend\n{DONE}"
        );
        private_file(&script, &text)?;
        Ok(Self { script, url: prepared.token_url(), expected })
    }

    /// One step.
    pub(super) fn run(&self, connections: u32, time: Duration, server: u32) -> Outcome<Measured> {
        wrk(&self.script, &self.url, connections, time, server, self.expected)
    }
}

/// What the server is to answer to every request of a step.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Expected {
    /// 2xx.
    Accepted,
    /// Anything else.
    Refused,
}

fn wrk(
    script: &Path,
    url: &str,
    connections: u32,
    time: Duration,
    server: u32,
    expected: Expected,
) -> Outcome<Measured> {
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
    parse(line.ok_or_else(|| format!("wrk said: {text}{}", String::from_utf8_lossy(&output.stderr)))?, used, expected)
}

fn parse(line: &str, used: Duration, expected: Expected) -> Outcome<Measured> {
    let fields: Vec<f64> = line.split(' ').map(str::parse).collect::<Result<_, _>>()?;
    let [requests, refused, errors, seconds, p50, p99] = fields[..] else {
        return Err(format!("wrk said: {line}").into());
    };
    let unexpected = match expected {
        Expected::Accepted => refused,
        Expected::Refused => requests - refused,
    };
    if errors > 0.0 || unexpected > 0.0 || requests < 1.0 {
        return Err(format!("of {requests} requests {errors} had no answer and {unexpected} another").into());
    }
    let cost = used.as_secs_f64() * 1e6 / requests;
    Ok(Measured { requests: requests as u64, rate: requests / seconds, p50, p99, cost })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_figures_is_read_and_errors_are_refused() {
        let parse = |line, expected| parse(line, Duration::from_millis(10), expected);
        let measured = parse("1000 0 0 2.000 0.150 0.340", Expected::Accepted).unwrap();
        assert_eq!((measured.requests, measured.rate, measured.cost), (1000, 500.0, 10.0));
        assert!(parse("1000 1 0 2.000 0.150 0.340", Expected::Accepted).is_err());
        assert!(parse("1000 0 1 2.000 0.150 0.340", Expected::Accepted).is_err());
        assert!(parse("1000 1000 0 2.000 0.150 0.340", Expected::Refused).is_ok());
        assert!(parse("1000 999 0 2.000 0.150 0.340", Expected::Refused).is_err(), "one was let in");
        assert!(parse("1000 0", Expected::Accepted).is_err());
    }
}
