//! `credstore quickstart`: what it prints, what it leaves behind (nothing), and whose folders it touches (none).

use std::io::{BufRead, BufReader};
use std::net::TcpListener;
use std::process::{Child, Stdio};

use credstore_testing::canary::Canary;
use serde_json::Value;

use crate::bench::{Bench, mode, text};

/// A quickstart that was read up to its last line.
struct Running {
    child: Child,
    shown: String,
    reader: BufReader<std::process::ChildStdout>,
}

impl Running {
    fn on(bench: &Bench, arguments: &[&str]) -> Self {
        let mut command = bench.command(&[&["quickstart"], arguments].concat());
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut shown = String::new();
        while !shown.contains("\nRunning. ") {
            assert!(reader.read_line(&mut shown).unwrap() > 0, "it ended early: {shown}");
        }
        Self { child, shown, reader }
    }

    /// Sends the signal; gives the exit code.
    fn stop(mut self, signal: rustix::process::Signal) -> Option<i32> {
        rustix::process::kill_process(rustix::process::Pid::from_child(&self.child), signal).unwrap();
        let code = self.child.wait().unwrap().code();
        let mut rest = String::new();
        assert_eq!(self.reader.read_line(&mut rest).unwrap(), 0, "{rest}");
        code
    }
}

fn free_port() -> String {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port().to_string()
}

fn left(bench: &Bench) -> usize {
    std::fs::read_dir(bench.path("")).unwrap().count()
}

/// The text with the client ID and the time, which differ each time, as in the specification.
fn normal(shown: &str) -> String {
    let mut text = String::new();
    for line in shown.lines() {
        let line = match (line.find("client ID "), line.find("resolved in ")) {
            (Some(at), _) => {
                assert_eq!(line[at..].len(), "client ID 5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1".len(), "{line}");
                format!("{}client ID 5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1", &line[..at])
            }
            (None, Some(at)) => format!("{}resolved in 21 ms", &line[..at]),
            (None, None) => line.to_owned(),
        };
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Command line specification, sample 1, up to the next commands.
const SAMPLE: &str = "\
A throwaway vault in ./credstore-demo. Nothing leaves this machine.

  1  Key Vault        demo-kv                    created
  2  Certificate      my-certificate.pem         RSA 2048, 365 days
  3  App              process-mining             client ID 5d0c2a8e-91f3-4f0e-8a27-6c3f1d90b7f1
  4  Secret           PasswordIdentifier         Get granted to process-mining
  5  Server Settings  server-settings.json       CredentialStore added

  DSN=Demo; User=me; mv-credential-Pass=PasswordIdentifier;
  DSN=Demo; User=me; Pass=********;              resolved in 21 ms
";

#[test]
fn without_a_server_it_shows_the_sample_and_leaves_nothing_behind() {
    let bench = Bench::new();
    let shown = bench.ok(&["quickstart", "--no-serve"]);
    assert_eq!(normal(&shown), format!("{SAMPLE}\n./credstore-demo is removed again (keep it with --keep).\n"));
    assert_eq!(left(&bench), 0);
}

#[test]
fn with_a_server_others_can_use_it_until_ctrl_c() {
    use rustix::process::Signal;
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let bench = Bench::new();
        let running = Running::on(&bench, &["--port", &free_port()]);
        assert_eq!(
            normal(&running.shown),
            format!(
                "{SAMPLE}\nNext\n  cd credstore-demo && credstore get PasswordIdentifier\n\n\
                 Running. Ctrl+C stops it and removes ./credstore-demo (keep it with --keep).\n"
            )
        );
        let demo = bench.path("credstore-demo");
        assert_eq!(mode(&demo), 0o700);
        let get = bench.command(&["get", "PasswordIdentifier"]).current_dir(&demo).output().unwrap();
        assert!(get.status.success(), "{}", text(&get.stderr));
        assert_eq!(get.stdout.len(), 64);
        assert_eq!(Canary::new(&text(&get.stdout)).in_folder(&demo).unwrap(), []);
        assert!(text(&bench.run(&["quickstart", "--no-serve"]).stderr).starts_with("error[CS6020]"));
        assert_eq!(running.stop(signal), Some(0));
        assert_eq!(left(&bench), 0);
    }
}

#[test]
fn a_kept_folder_works_on_and_is_not_touched_again() {
    let bench = Bench::new();
    let shown = bench.ok(&["quickstart", "--no-serve", "--keep", "my demo"]);
    assert!(
        shown.contains("\nNext\n  cd 'my demo' && credstore get PasswordIdentifier\n\n./my demo is kept.\n"),
        "{shown}"
    );
    let demo = bench.path("my demo");
    let mut get = bench.command(&["get", "PasswordIdentifier"]);
    let get = get.current_dir(&demo).env_remove("CREDSTORE_DATA_DIR").output().unwrap();
    assert!(get.status.success(), "{}", text(&get.stderr));
    let canary = Canary::new(&text(&get.stdout));
    assert_eq!(canary.in_folder(&demo).unwrap(), []);
    assert_eq!(canary.in_bytes(shown.as_bytes()), []);
    let names = ["azure-cert.cer", "data", "my-certificate.pem", "server-settings.json", "setup-state.json"];
    let mut found: Vec<_> = std::fs::read_dir(&demo).unwrap().map(|entry| entry.unwrap().file_name()).collect();
    found.sort();
    assert_eq!(found, names);
    let before = std::fs::read(demo.join("server-settings.json")).unwrap();
    assert!(bench.fails(9, &["quickstart", "--no-serve", "--keep", "my demo"]).starts_with("error[CS6020]"));
    assert_eq!(std::fs::read(demo.join("server-settings.json")).unwrap(), before);
}

#[test]
fn a_folder_of_somebody_else_is_refused_and_stays() {
    let bench = Bench::new();
    std::fs::create_dir(bench.path("credstore-demo")).unwrap();
    std::fs::write(bench.path("credstore-demo/mine"), "x").unwrap();
    let errors = bench.fails(9, &["quickstart", "--no-serve"]);
    assert!(
        errors.starts_with("error[CS6020]: credstore-demo exists\n  cause  quickstart did not make it\n"),
        "{errors}"
    );
    assert_eq!(std::fs::read(bench.path("credstore-demo/mine")).unwrap(), b"x");
}

#[test]
fn what_a_killed_run_left_is_removed_by_the_next() {
    let bench = Bench::new();
    let running = Running::on(&bench, &["--port", &free_port()]);
    std::fs::write(bench.path("credstore-demo/rest"), "x").unwrap();
    running.stop(rustix::process::Signal::KILL);
    assert!(bench.path("credstore-demo/rest").exists());
    bench.ok(&["quickstart", "--no-serve"]);
    assert_eq!(left(&bench), 0);
}

#[test]
fn stopped_in_the_middle_it_leaves_nothing_behind() {
    use rustix::process::Signal;
    for signal in [Signal::INT, Signal::TERM, Signal::HUP] {
        let bench = Bench::new();
        let mut child = bench.command(&["quickstart", "--no-serve"]).stdout(Stdio::piped()).spawn().unwrap();
        let mut reader = BufReader::new(child.stdout.take().unwrap());
        let mut first = String::new();
        reader.read_line(&mut first).unwrap();
        rustix::process::kill_process(rustix::process::Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(11), "{signal:?}");
        assert_eq!(left(&bench), 0, "{signal:?}");
    }
}

/// One of these is up before the first step, the others in the middle of one or between two.
#[test]
fn when_its_time_is_up_it_leaves_nothing_behind() {
    for limit in ["1ms", "40ms", "80ms", "160ms"] {
        let bench = Bench::new();
        let errors = text(&bench.run(&["quickstart", "--port", &free_port(), "--timeout", limit]).stderr);
        assert!(errors.contains("error[CS0113]: not done within "), "{limit}: {errors}");
        assert_eq!(left(&bench), 0, "{limit}");
        let kept = bench.run(&["quickstart", "--keep", "demo", "--port", &free_port(), "--timeout", limit]);
        assert_eq!(kept.status.code(), Some(8), "{limit}");
        assert_eq!(left(&bench), 0, "{limit}");
    }
    let bench = Bench::new();
    assert!(bench.fails(2, &["quickstart", "--timeout", "soon"]).starts_with("error[CS0101]"));
    assert_eq!(left(&bench), 0);
}

#[test]
fn a_reader_that_goes_away_ends_it_cleanly() {
    let bench = Bench::new();
    let mut child = bench.command(&["quickstart", "--no-serve"]).stdout(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert_eq!(left(&bench), 0);
}

#[test]
fn a_port_that_is_taken_is_told_or_replaced() {
    let bench = Bench::new();
    let held = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = held.local_addr().unwrap().port().to_string();
    assert!(bench.fails(9, &["quickstart", "--port", &port]).starts_with("error[CS6010]"));
    assert_eq!(left(&bench), 0);
    // When another program has it already, that does as well.
    let _default = TcpListener::bind("127.0.0.1:8443");
    let mut running = Running::on(&bench, &[]);
    let mut told = String::new();
    BufReader::new(running.child.stderr.take().unwrap()).read_line(&mut told).unwrap();
    assert!(told.starts_with("port 8443 is taken; "), "{told}");
    assert_eq!(running.stop(rustix::process::Signal::TERM), Some(0));
    assert_eq!(left(&bench), 0);
}

#[test]
fn scripts_get_one_object() {
    let bench = Bench::new();
    let shown = bench.ok(&["quickstart", "--no-serve", "-o", "json"]);
    let shown: Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["steps"].as_array().unwrap().len(), 5);
    assert_eq!(shown["masked"], "DSN=Demo; User=me; Pass=********;");
    assert_eq!(left(&bench), 0);
}
