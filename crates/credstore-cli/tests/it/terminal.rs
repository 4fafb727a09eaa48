//! What is asked on a terminal: a hidden value twice, y or N, a name. A pseudo-terminal stands for the person's.

use std::io::{Read, Write};
use std::os::fd::OwnedFd;
use std::process::{Child, Command};
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, tcgetattr};

use crate::bench::Bench;

/// How long a command may be silent before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// The binary with a person before it.
struct Typed {
    terminal: std::fs::File,
    /// Our end of the person's side, to look at its modes.
    person: OwnedFd,
    child: Child,
    seen: String,
}

impl Typed {
    fn start(bench: &Bench, arguments: &[&str]) -> Self {
        let terminal = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&terminal).unwrap();
        unlockpt(&terminal).unwrap();
        let name = ptsname(&terminal, Vec::new()).unwrap().into_string().unwrap();
        let open = || std::fs::File::options().read(true).write(true).open(&name).unwrap();
        // As a login shell does: the terminal is the session's, so that its Ctrl+C reaches the command.
        let ours = bench.command(arguments);
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).arg(ours.get_program()).args(ours.get_args());
        command.env_clear().env("NO_COLOR", "1").current_dir(ours.get_current_dir().unwrap());
        command.envs(ours.get_envs().filter_map(|(name, value)| Some((name, value?))));
        let child = command.stdin(open()).stdout(open()).stderr(open()).spawn().unwrap();
        Self { terminal: terminal.into(), person: open().into(), child, seen: String::new() }
    }

    /// Reads what is there; `false` at the end.
    fn read(&mut self) -> bool {
        let patience = Timespec::try_from(PATIENCE).unwrap();
        let mut ready = [PollFd::new(&self.terminal, PollFlags::IN)];
        assert!(poll(&mut ready, Some(&patience)).unwrap() > 0, "silence after {:?}", self.seen);
        let mut piece = [0; 4096];
        match self.terminal.read(&mut piece) {
            Ok(0) | Err(_) => false,
            Ok(count) => {
                self.seen.push_str(&String::from_utf8_lossy(&piece[..count]));
                true
            }
        }
    }

    /// Waits for `question`, then types.
    fn answers(mut self, question: &str, keys: &str) -> Self {
        while !self.seen.ends_with(question) {
            assert!(self.read(), "it ended with {:?}", self.seen);
        }
        self.terminal.write_all(keys.as_bytes()).unwrap();
        self
    }

    /// Exit code (128 and the signal, as a shell counts) and all that was on the screen. The echo is as before.
    fn ends(mut self) -> (i32, String) {
        use std::os::unix::process::ExitStatusExt;
        assert!(self.child.stdin.is_none());
        let done = self.child.wait().unwrap();
        assert!(tcgetattr(&self.person).unwrap().local_modes.contains(LocalModes::ECHO | LocalModes::ICANON));
        drop(std::mem::replace(&mut self.person, std::fs::File::open("/dev/null").unwrap().into()));
        while self.read() {}
        (done.code().or(done.signal().map(|signal| 128 + signal)).unwrap(), self.seen.replace("\r\n", "\n"))
    }
}

const SET: [&str; 7] = ["vault", "secret", "set", "--vault-name", "acme-pm-kv", "--name", "SmtpRelay"];

fn asked_for_a_value(bench: &Bench) -> Typed {
    Typed::start(bench, &SET)
}

#[test]
fn a_value_is_typed_twice_and_nothing_of_it_is_shown() {
    let bench = Bench::with_vault();
    let (code, seen) =
        asked_for_a_value(&bench).answers("Value (hidden): ", "pläntéd\r").answers("Again: ", "pläntéd\r").ends();
    // Sample 8.
    let (before, after) = seen.split_once("SmtpRelay  new version ").unwrap();
    assert_eq!((code, before), (0, "Value (hidden): \nAgain: \n"));
    assert!(after.ends_with("…  enabled, never expires   (previous version stays readable by its ID)\n"), "{seen}");
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "pläntéd");
}

#[test]
fn two_entries_that_differ_are_asked_for_again() {
    let bench = Bench::with_vault();
    let (code, seen) = asked_for_a_value(&bench)
        .answers("Value (hidden): ", "planted\r")
        .answers("Again: ", "plantde\r")
        .answers("The two entries differ. Value (hidden): ", "plantee\x7fd\r")
        .answers("Again: ", "planted\r")
        .ends();
    assert_eq!((code, seen.contains("plant")), (0, false), "{seen}");
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "planted");
}

#[test]
fn a_pasted_value_may_be_longer_than_a_line_of_the_terminal() {
    let bench = Bench::with_vault();
    let long = "0123456789".repeat(1_000);
    let entry = format!("{long}\r");
    let (code, seen) = asked_for_a_value(&bench).answers("Value (hidden): ", &entry).answers("Again: ", &entry).ends();
    assert_eq!(code, 0, "{seen}");
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), long);
}

#[test]
fn a_cancelled_entry_changes_nothing_and_gives_the_terminal_back() {
    for keys in ["\x03", "half\x03", "half\x04"] {
        let bench = Bench::with_vault();
        let (code, seen) = asked_for_a_value(&bench).answers("Value (hidden): ", keys).ends();
        assert_eq!((code, seen.contains("error[CS0111]: cancelled"), seen.contains("half")), (11, true, false));
        assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}");
    }
}

#[test]
fn a_terminal_that_may_not_be_used_is_an_error_and_not_a_hang() {
    let bench = Bench::with_vault();
    let (code, seen) = Typed::start(&bench, &[&SET[..], &["--no-input"]].concat()).ends();
    assert_eq!(code, 2);
    assert!(seen.starts_with("error[CS0103]: "), "{seen}");
    for question in
        [&["vault", "secret", "delete", "-n", "SmtpRelay"][..], &["vault", "delete", "--name", "acme-pm-kv"]]
    {
        let (code, seen) = Typed::start(&bench, &[question, &["--no-input"]].concat()).ends();
        assert!(code == 2 && seen.starts_with("error[CS0104]: "), "{seen}");
    }
}

const DELETE: [&str; 5] = ["vault", "secret", "delete", "-n", "SmtpRelay"];
const DELETE_QUESTION: &str = "Delete SmtpRelay? credstore vault secret recover -n SmtpRelay brings it back. [y/N] ";

#[test]
fn a_deletion_is_asked_for_with_the_way_back() {
    let bench = Bench::with_vault();
    for no in ["\r", "n\r", "no\r", "Yess\r", "SmtpRelay\r", "\x04"] {
        let (code, seen) = Typed::start(&bench, &DELETE).answers(DELETE_QUESTION, no).ends();
        assert_eq!(code, 11, "{no:?}: {seen}");
        assert!(seen.contains("error[CS0111]: declined; nothing was changed"), "{seen}");
        assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}");
    }
    for yes in ["y\r", " YES \r"] {
        let (code, seen) = Typed::start(&bench, &DELETE).answers(DELETE_QUESTION, yes).ends();
        assert_eq!(code, 0, "{yes:?}: {seen}");
        assert_eq!(bench.run(&["get", "SmtpRelay"]).status.code(), Some(7));
        bench.ok(&["vault", "secret", "recover", "-n", "SmtpRelay"]);
    }
}

#[test]
fn ctrl_c_at_a_question_is_130() {
    let bench = Bench::with_vault();
    let (code, _) = Typed::start(&bench, &DELETE).answers(DELETE_QUESTION, "\x03").ends();
    assert_eq!(code, 130);
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}");
}

#[test]
fn what_goes_for_good_wants_its_name_typed() {
    let bench = Bench::with_vault();
    bench.ok(&[&DELETE[..], &["--yes"]].concat());
    let purge = ["vault", "secret", "purge", "-n", "SmtpRelay"];
    for wrong in ["y\r", "smtprelay\r", "\r"] {
        let (code, seen) = Typed::start(&bench, &purge).answers("Type its name: ", wrong).ends();
        assert_eq!(code, 11, "{wrong:?}: {seen}");
        assert!(bench.ok(&["vault", "secret", "list-deleted"]).contains("SmtpRelay"));
    }
    let (code, seen) = Typed::start(&bench, &purge).answers("Type its name: ", "SmtpRelay\r").ends();
    assert_eq!(code, 0, "{seen}");
    assert!(!bench.ok(&["vault", "secret", "list-deleted"]).contains("SmtpRelay"));
}

#[test]
fn a_vault_is_changed_deleted_and_purged_when_a_person_says_so() {
    let bench = Bench::with_vault();
    let protected = || {
        let query = ["--query", "properties.enablePurgeProtection", "-o", "json"];
        bench.ok(&[&["vault", "show", "--name", "acme-pm-kv"], &query[..]].concat())
    };
    let update = ["vault", "update", "--name", "acme-pm-kv", "--enable-purge-protection"];
    let question = "purge protection: no -> yes? Purge protection stays for ever. [y/N] ";
    let (code, seen) = Typed::start(&bench, &update).answers(question, "\r").ends();
    assert!(code == 11 && protected() == "null\n", "{code}: {seen}");
    for verb in ["delete", "purge"] {
        let act = ["vault", verb, "--name", "acme-pm-kv"];
        let (code, seen) = Typed::start(&bench, &act).answers("Type its name: ", "acme\r").ends();
        assert_eq!(code, 11, "{verb}: {seen}");
        let (code, seen) = Typed::start(&bench, &act).answers("Type its name: ", "acme-pm-kv\r").ends();
        assert_eq!(code, 0, "{verb}: {seen}");
        assert_eq!(bench.ok(&["vault", "list", "-o", "json"]), "[]\n", "{verb}");
    }
    assert_eq!(bench.ok(&["vault", "list-deleted", "-o", "json"]), "[]\n");
}

#[test]
fn a_value_on_a_terminal_ends_with_a_newline() {
    let bench = Bench::with_vault();
    assert_eq!(Typed::start(&bench, &["get", "SmtpRelay"]).ends(), (0, "in;the{vault}\n".to_owned()));
}

#[test]
fn a_list_on_a_terminal_has_times_for_people_and_a_count() {
    let bench = Bench::with_vault();
    let tags = ["--tags", "description=Outgoing mail"];
    bench.ok(&[&["vault", "secret", "set-attributes", "-n", "SmtpRelay"], &tags[..]].concat());
    bench.set("SapHanaExtract", "x");
    bench.ok(&["vault", "secret", "set-attributes", "-n", "SapHanaExtract", "--expires", "2020-06-01"]);
    bench.ok(&["get", "SmtpRelay"]);
    // Sample 5, with what a test can bring about.
    let expected = "\
IDENTIFIER      STATUS     EXPIRES       LAST USED   DESCRIPTION
SapHanaExtract  expired    1 Jun 2020    -
SmtpRelay       ready      never         just now    Outgoing mail

2 identifiers in acme-pm-kv
";
    assert_eq!(Typed::start(&bench, &["list"]).ends(), (0, expected.to_owned()));
}
