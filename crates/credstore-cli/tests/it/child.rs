//! `run` without masking: signals, exit codes and files of variables. The command takes our place, so what happens to it is
//! ours.

use std::io::Read;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;

use rustix::process::{Pid, Signal, kill_process};

use crate::bench::{Bench, text};

fn run<'a>(options: &[&'a str], script: &'a str) -> Vec<&'a str> {
    [&["run", "--no-masking", "-q"], options, &["--", "sh", "-c", script]].concat()
}

#[test]
fn a_signal_reaches_the_command_and_its_answer_is_ours() {
    let bench = Bench::with_vault();
    for (signal, number) in [(Signal::TERM, 15), (Signal::INT, 2), (Signal::HUP, 1), (Signal::USR1, 10)] {
        let script = format!(
            "trap 'printf %s \"$PASS\"; exit {}' {number}; echo ready; while :; do sleep 0.01; done",
            40 + number
        );
        let mut command = bench.command(&run(&["-e", "PASS=SmtpRelay"], &script));
        let mut child = command.stdout(Stdio::piped()).spawn().unwrap();
        let mut stdout = child.stdout.take().unwrap();
        let mut ready = [0; 6];
        stdout.read_exact(&mut ready).unwrap();
        kill_process(Pid::from_child(&child), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(40 + number), "{signal:?}");
        let mut rest = String::new();
        stdout.read_to_string(&mut rest).unwrap();
        assert_eq!(rest, "in;the{vault}", "{signal:?}");
    }
}

#[test]
fn a_command_that_dies_of_a_signal_is_seen_so_by_who_started_us() {
    let bench = Bench::with_vault();
    for signal in [1, 2, 9, 15] {
        let done = bench.run(&run(&["-e", "PASS=SmtpRelay"], &format!("kill -{signal} $$")));
        assert_eq!((done.status.signal(), done.stderr.is_empty()), (Some(signal), true), "{signal}");
    }
    // What a shell makes of it: 128 and the number.
    let shell = format!("'{}' run -e PASS=SmtpRelay -- sh -c 'kill -15 $$'; echo $?", env!("CARGO_BIN_EXE_credstore"));
    let done = bench.run(&["run", "--", "sh", "-c", &shell]);
    assert_eq!(text(&done.stdout), "143\n", "{}", text(&done.stderr));
}

#[test]
fn exit_codes_of_the_command_are_not_changed() {
    let bench = Bench::with_vault();
    for code in [0, 1, 2, 10, 12, 125, 126, 127, 128, 130, 255] {
        let done = bench.run(&run(&["-e", "PASS=SmtpRelay"], &format!("exit {code}")));
        assert_eq!((done.status.code(), done.stderr.len()), (Some(code), 0));
    }
}

#[test]
fn the_command_has_our_streams_folder_and_variables_and_nothing_of_ours_besides() {
    let bench = Bench::with_vault();
    let fed = bench.fed(&run(&["-e", "PASS=SmtpRelay"], "cat; pwd; echo \"$HOME\"; echo err >&2"), b"input\n");
    let here = bench.path("").canonicalize().unwrap();
    let here = here.display().to_string();
    assert_eq!(text(&fed.stdout), format!("input\n{here}\n{}\n", bench.path("").display()).replace("/\n", "\n"));
    assert_eq!(text(&fed.stderr), "err\n");
    // Limits and mask as a child of the shell would have them, no file of ours left open.
    let same = |how: &str| {
        let direct =
            std::process::Command::new("sh").args(["-c", how]).env_clear().env("PATH", "/usr/bin:/bin").output();
        (text(&bench.run(&run(&["-e", "PASS=SmtpRelay"], how)).stdout), text(&direct.unwrap().stdout))
    };
    for how in ["umask; ulimit -c; ulimit -Hc; ulimit -n", "ls /proc/self/fd | wc -l", "grep SigIgn /proc/self/status"]
    {
        let (ours, direct) = same(how);
        assert_eq!(ours, direct, "{how}");
    }
}

#[test]
fn a_file_of_variables_has_names_comments_and_empty_lines() {
    let bench = Bench::with_vault();
    bench.set("Other", "the other");
    std::fs::write(bench.path("names"), "# ours\r\n\n  A=SmtpRelay  \r\nB=Other\n").unwrap();
    let done = bench.run(&run(&["--env-file", "names", "-e", "C=Other"], "printf '%s|%s|%s' \"$A\" \"$B\" \"$C\""));
    assert_eq!(text(&done.stdout), "in;the{vault}|the other|the other", "{}", text(&done.stderr));
}

#[test]
fn a_wrong_line_is_named_by_its_number_and_not_repeated() {
    let bench = Bench::with_vault();
    for wrong in ["planted", "export A=SmtpRelay", "A-B=SmtpRelay", "=SmtpRelay", "A=", "1A=SmtpRelay"] {
        std::fs::write(bench.path("names"), format!("A=SmtpRelay\n{wrong}\n")).unwrap();
        let done = bench.run(&run(&["--env-file", "names"], "echo started"));
        let errors = text(&done.stderr);
        assert_eq!((done.status.code(), text(&done.stdout).as_str()), (Some(2), ""), "{wrong}: {errors}");
        assert!(!errors.contains("planted"), "{errors}");
        let named = errors.contains("names line 2") || errors.starts_with("error[CS0110]");
        assert!(named || errors.starts_with("error[CS2019]"), "{wrong}: {errors}");
    }
}

#[test]
fn what_is_missing_stops_warns_or_is_passed_over() {
    let bench = Bench::with_vault();
    let script = "printf '%s-%s' \"$A\" \"$B\"";
    let variables = ["-e", "A=SmtpRelay", "-e", "B=Nope"];
    let done = |how: &[&str]| bench.run(&run(&[how, &variables].concat(), script));
    for how in [&[][..], &["--if-missing", "error"]] {
        let stopped = done(how);
        assert_eq!((stopped.status.code(), text(&stopped.stdout).as_str()), (Some(125), ""));
    }
    let warned = done(&["--if-missing", "warn"]);
    assert_eq!((warned.status.code(), text(&warned.stdout).as_str()), (Some(0), "in;the{vault}-"));
    let ignored = done(&["--if-missing", "ignore"]);
    assert_eq!((text(&ignored.stdout).as_str(), ignored.stderr.len()), ("in;the{vault}-", 0));
}

#[test]
fn a_value_that_no_variable_can_hold_starts_nothing() {
    let bench = Bench::with_vault();
    bench.set("WithNul", "a\0b");
    let errors = bench.fails(125, &run(&["-e", "A=WithNul"], "echo started"));
    assert!(errors.starts_with("error[CS2008]: "), "{errors}");
    bench.set("Disabled", "x");
    bench.ok(&["vault", "secret", "set-attributes", "-n", "Disabled", "--enabled", "false"]);
    let errors = bench.fails(125, &run(&["-e", "A=Disabled"], "echo started"));
    assert!(errors.starts_with("error[CS4006]: "), "{errors}");
}

#[test]
fn a_command_that_cannot_start_is_126_or_127() {
    let bench = Bench::with_vault();
    std::fs::write(bench.path("plain"), "echo started\n").unwrap();
    for (program, exit) in [("./plain", 126), ("/etc", 126), ("./nowhere", 127), ("no-such-program", 127)] {
        let errors = bench.fails(exit, &["run", "-e", "A=SmtpRelay", "--", program]);
        assert!(errors.starts_with("error[CS0114]: ") && !errors.contains("the{vault}"), "{errors}");
    }
}
