//! `run` with masking: the command is our child, and nobody can tell but by the masks.

use std::io::{Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{Bench, text};

const RUN: [&str; 5] = ["run", "-e", "PASS=SmtpRelay", "--", "sh"];

fn script(script: &str) -> Vec<&str> {
    [&RUN[..], &["-c", script]].concat()
}

#[test]
fn values_are_masked_in_both_streams_and_nothing_else_is_changed() {
    let bench = Bench::with_vault();
    let done = bench.run(&script("printf 'a %s b\\n' \"$PASS\"; printf '\\0\\377%s' \"$PASS\" >&2; exit 7"));
    assert_eq!(done.status.code(), Some(7));
    assert_eq!((text(&done.stdout).as_str(), done.stderr.as_slice()), ("a ******** b\n", &b"\0\xff********"[..]));
    // A megabyte goes through as it is.
    let done = bench.run(&script("seq 1 150000"));
    let numbers: String = (1..=150_000).map(|number| format!("{number}\n")).collect();
    assert!(text(&done.stdout) == numbers && done.stderr.is_empty());
    // What is too short to be masked is said, by the variable's name.
    bench.set("Pin", "123");
    let done = bench.run(&["run", "-e", "PIN=Pin", "--", "sh", "-c", "echo $PIN"]);
    assert_eq!(text(&done.stdout), "123\n");
    assert_eq!(text(&done.stderr), "the value of PIN is too short to be masked: it has fewer than 4 characters\n");
}

#[test]
fn output_comes_at_once_and_not_at_the_end_of_a_line() {
    let bench = Bench::with_vault();
    let mut command = bench.command(&script("printf 'Continue? '; read answer; echo \"$answer $PASS\""));
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut question = [0; 10];
    child.stdout.as_mut().unwrap().read_exact(&mut question).unwrap();
    assert_eq!(&question, b"Continue? ");
    child.stdin.take().unwrap().write_all(b"yes\n").unwrap();
    let mut rest = String::new();
    child.stdout.take().unwrap().read_to_string(&mut rest).unwrap();
    assert_eq!((rest.as_str(), child.wait().unwrap().code()), ("yes ********\n", Some(0)));
}

#[test]
fn a_signal_reaches_the_command_once_and_its_answer_is_ours() {
    let bench = Bench::with_vault();
    for (signal, number) in [(Signal::TERM, 15), (Signal::INT, 2), (Signal::HUP, 1), (Signal::USR1, 10)] {
        let answer = format!(
            "trap 'printf \"got %s \" \"$PASS\"; got=1' {number}; echo ready; \
            while [ -z \"$got\" ]; do sleep 0.01; done; sleep 0.1; exit {}",
            40 + number
        );
        let mut child = bench.command(&script(&answer)).stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut ready = [0; 6];
        stdout.read_exact(&mut ready).unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(40 + number), "{signal:?}");
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "got ******** ", "{signal:?}");
    }
}

#[test]
fn a_command_that_dies_of_a_signal_is_seen_so_by_who_started_us() {
    let bench = Bench::with_vault();
    for signal in [1, 2, 9, 11, 12, 15] {
        let done = bench.run(&script(&format!("kill -{signal} $$")));
        assert_eq!((done.status.signal(), done.stderr.is_empty()), (Some(signal), true), "{signal}");
    }
    for code in [0, 1, 2, 10, 12, 125, 126, 127, 128, 130, 255] {
        let done = bench.run(&script(&format!("exit {code}")));
        assert_eq!((done.status.code(), done.stderr.len()), (Some(code), 0));
    }
}

#[test]
fn a_reader_that_goes_away_ends_the_command_as_without_us() {
    let bench = Bench::with_vault();
    let mut child = bench.command(&script("yes \"$PASS\"")).stdout(Stdio::piped()).spawn().unwrap();
    let mut line = [0; 9];
    child.stdout.take().unwrap().read_exact(&mut line).unwrap();
    assert_eq!(&line, b"********\n");
    // `yes` dies of SIGPIPE, and the shell says so with its code.
    assert_eq!(child.wait().unwrap().code(), Some(141));
}

#[test]
fn what_the_command_leaves_behind_does_not_keep_us() {
    let bench = Bench::with_vault();
    let begun = Instant::now();
    let done = bench.run(&script("sleep 20 & echo \"started $PASS\""));
    assert!(begun.elapsed() < Duration::from_secs(15), "it was waited for");
    assert_eq!((done.status.code(), text(&done.stdout).as_str()), (Some(0), "started ********\n"));
    assert!(text(&done.stderr).contains("still writes"), "{}", text(&done.stderr));
}

#[test]
fn the_command_has_our_limits_mask_and_folder_and_no_file_of_ours() {
    let bench = Bench::with_vault();
    let same = |how: &str| {
        let direct =
            std::process::Command::new("sh").args(["-c", how]).env_clear().env("PATH", "/usr/bin:/bin").output();
        (text(&bench.run(&script(how)).stdout), text(&direct.unwrap().stdout))
    };
    // Of the signals that are ignored, the 28 that programs use: glibc has two of its own above.
    let signals = "grep Sig[IB] /proc/self/status | sed 's/:.*\\(.......\\)$/ \\1/'";
    for how in ["umask; ulimit -c; ulimit -Hc; ulimit -n", "ls /proc/self/fd | wc -l", signals] {
        let (ours, direct) = same(how);
        assert_eq!(ours, direct, "{how}");
    }
    for (program, exit) in [("/etc", 126), ("./nowhere", 127), ("no-such-program", 127)] {
        let errors = bench.fails(exit, &["run", "-e", "A=SmtpRelay", "--", program]);
        assert!(errors.starts_with("error[CS0114]: ") && !errors.contains("the{vault}"), "{errors}");
    }
    // The time is for what comes before the command.
    let done = bench.run(&["run", "--timeout", "1s", "-e", "A=SmtpRelay", "--", "sh", "-c", "sleep 1.5; echo done"]);
    assert_eq!(text(&done.stdout), "done\n", "{}", text(&done.stderr));
}
