//! The data folder when something is in the way: somebody else, permissions, a full disk, another key, a kill.

use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::bench::{Bench, skipped, text};
use crate::serving::Served;

fn chmod(bench: &Bench, name: &str, mode: u32) {
    std::fs::set_permissions(bench.path(name), std::fs::Permissions::from_mode(mode)).unwrap();
}

const LIST: [&str; 6] = ["vault", "list", "--query", "[].name", "-o", "tsv"];

#[test]
fn a_folder_that_somebody_holds_is_waited_for_and_then_named() {
    let bench = Bench::with_vault();
    let lock = std::fs::File::open(bench.path("data/lock")).unwrap();
    rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
    let errors = bench.fails(9, &LIST);
    assert!(errors.starts_with("error[CS6002]: "), "{errors}");
    // Waiting: a command that begins while the folder is held ends well when it is let go.
    let waiting = bench.command(&LIST).stdout(Stdio::piped()).spawn().unwrap();
    drop(lock);
    assert_eq!(text(&waiting.wait_with_output().unwrap().stdout), "acme-pm-kv\n");
}

#[test]
fn commands_at_the_same_time_take_turns() {
    let bench = Bench::with_vault();
    let names: Vec<String> = (0..4).map(|number| format!("Name{number}")).collect();
    let children: Vec<_> = names
        .iter()
        .map(|name| {
            let set = ["vault", "secret", "set", "-n", name, "--file", "azure-cert.txt"];
            std::fs::write(bench.path("azure-cert.txt"), "value").unwrap();
            bench.command(&set).stderr(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap()
        })
        .collect();
    for child in children {
        let done = child.wait_with_output().unwrap();
        assert!(done.status.success(), "{}", text(&done.stderr));
    }
    let found = bench.ok(&["list", "--query", "[].identifier", "-o", "tsv"]);
    assert_eq!(found.lines().filter(|line| line.starts_with("Name")).count(), names.len(), "{found}");
}

#[test]
fn a_second_server_on_the_folder_is_refused_and_the_first_stays() {
    let bench = Bench::with_vault();
    let served = Served::on(&bench);
    let errors = bench.fails(9, &["serve", "--listen", "127.0.0.1:0"]);
    assert!(errors.starts_with("error[CS6002]: "), "{errors}");
    assert_eq!(bench.ok(&LIST), "acme-pm-kv\n");
    assert_eq!(served.stop(), Some(0));
}

#[test]
fn commands_work_while_servers_come_and_go() {
    let bench = Bench::with_vault();
    let stop = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|threads| {
        let writer = threads.spawn(|| {
            let mut written = 0;
            while !stop.load(std::sync::atomic::Ordering::Relaxed) || written == 0 {
                let set = ["vault", "secret", "set", "-n", "Counter"];
                let done = bench.fed(&set, format!("{written}").as_bytes());
                // A server that stops may answer no more; what was answered with success must stay.
                if done.status.success() {
                    written += 1;
                }
            }
            written
        });
        for _ in 0..3 {
            assert_eq!(Served::on(&bench).stop(), Some(0));
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
        let written: usize = writer.join().unwrap();
        let versions = ["vault", "secret", "list-versions", "-n", "Counter", "--query", "length(@)", "-o", "tsv"];
        let found: usize = bench.ok(&versions).trim().parse().unwrap();
        assert!(found >= written, "{found} of {written}");
    });
}

#[test]
fn files_that_others_can_read_are_refused_with_the_command_that_mends_it() {
    let bench = Bench::with_vault();
    let files = ["data/root.key", "data/store.db", "data/operator.pem"].map(|name| (name, 0o644, 0o600));
    for (name, open, closed) in files.into_iter().chain([("data", 0o755, 0o700)]) {
        chmod(&bench, name, open);
        let errors = bench.fails(5, &LIST);
        assert!(errors.starts_with("error[CS6005]: "), "{name}: {errors}");
        assert!(errors.contains(&format!("chmod {closed:o} {}\n", bench.path(name).display())), "{name}: {errors}");
        chmod(&bench, name, closed);
        assert_eq!(bench.ok(&LIST), "acme-pm-kv\n");
    }
}

#[test]
fn a_log_without_its_store_is_named_and_nothing_is_made_beside_it() {
    let bench = Bench::with_vault();
    std::fs::rename(bench.path("data/store.db"), bench.path("kept")).unwrap();
    std::fs::write(bench.path("data/store.db-wal"), "").unwrap();
    for arguments in [&LIST[..], &["vault", "create", "--name", "acme-two-kv"]] {
        let errors = bench.fails(12, arguments);
        assert!(errors.starts_with("error[CS6007]: "), "{errors}");
        let log = bench.path("data/store.db-wal").display().to_string();
        for part in [&log, "writes that were acknowledged", "put store.db back", &format!("mv {log} {log}.old")] {
            assert!(errors.contains(part), "{part}: {errors}");
        }
        assert!(!bench.path("data/store.db").exists());
    }
    std::fs::rename(bench.path("kept"), bench.path("data/store.db")).unwrap();
    std::fs::remove_file(bench.path("data/store.db-wal")).unwrap();
    assert_eq!(bench.ok(&LIST), "acme-pm-kv\n");
}

#[test]
fn a_pipe_in_the_place_of_a_file_hangs_no_command() {
    let bench = Bench::with_vault();
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    for name in ["store.db", "lock"] {
        let (path, kept) = (bench.path("data").join(name), bench.path("kept"));
        std::fs::rename(&path, &kept).unwrap();
        rustix::fs::mkfifoat(rustix::fs::CWD, &path, mode).unwrap();
        let errors = bench.fails(3, &LIST);
        assert!(errors.starts_with("error[CS6008]: ") && errors.contains("a pipe"), "{name}: {errors}");
        std::fs::rename(&kept, &path).unwrap();
    }
    assert_eq!(bench.ok(&LIST), "acme-pm-kv\n");
}

#[test]
fn a_root_key_that_is_gone_wrong_or_of_another_kind_is_told_apart() {
    let bench = Bench::with_vault();
    std::fs::rename(bench.path("data/root.key"), bench.path("kept")).unwrap();
    let errors = bench.fails(6, &LIST);
    assert!(errors.starts_with("error[CS6004]: ") && !errors.contains("--passphrase-file"), "{errors}");
    assert_eq!(bench.ok(&[&LIST[..], &["--root-key-file", "kept"]].concat()), "acme-pm-kv\n");

    let other = Bench::with_vault();
    std::fs::copy(other.path("data/root.key"), bench.path("data/root.key")).unwrap();
    assert!(bench.fails(12, &LIST).starts_with("error[CS6003]: "));
    std::fs::write(bench.path("words"), "correct horse battery staple\n").unwrap();
    let errors = bench.fails(12, &[&LIST[..], &["--passphrase-file", "words"]].concat());
    assert!(errors.starts_with("error[CS6003]: ") && errors.contains("leave --passphrase-file out"), "{errors}");
    assert!(!errors.contains("horse"));
}

#[test]
fn a_passphrase_opens_what_it_made_and_nothing_else_does() {
    let bench = Bench::new();
    std::fs::write(bench.path("words"), "correct horse battery staple\n").unwrap();
    let by_words = ["--passphrase-file", "words"];
    bench.ok(&[&["vault", "create", "--name", "acme-pm-kv"], &by_words[..]].concat());
    assert!(!bench.path("data/root.key").exists());
    assert_eq!(bench.ok(&[&LIST[..], &by_words].concat()), "acme-pm-kv\n");
    let without = bench.fails(12, &LIST);
    assert!(without.starts_with("error[CS6003]: the store was made with a passphrase\n"), "{without}");
    assert!(without.ends_with("  fix    give it with --passphrase-file FILE\n"), "{without}");
    std::fs::write(bench.path("words"), "correct horse\n").unwrap();
    assert!(bench.fails(12, &[&LIST[..], &by_words].concat()).starts_with("error[CS6003]: "));
}

#[test]
fn a_root_key_of_systemd_is_used_when_it_is_there() {
    let bench = Bench::with_vault();
    std::fs::create_dir(bench.path("credentials")).unwrap();
    std::fs::rename(bench.path("data/root.key"), bench.path("credentials/credstore-root-key")).unwrap();
    let with = |folder: &str| bench.command(&LIST).env("CREDENTIALS_DIRECTORY", bench.path(folder)).output().unwrap();
    assert_eq!(text(&with("credentials").stdout), "acme-pm-kv\n");
    assert_eq!(with("elsewhere").status.code(), Some(6));
}

#[test]
fn a_store_that_was_changed_is_not_believed() {
    let bench = Bench::with_vault();
    let mut store = std::fs::read(bench.path("data/store.db")).unwrap();
    let end = store.len();
    store[100..end].fill(0x5a);
    std::fs::write(bench.path("data/store.db"), store).unwrap();
    let _ = std::fs::remove_file(bench.path("data/store.db-wal"));
    let errors = text(&bench.run(&LIST).stderr);
    let code = bench.run(&LIST).status.code();
    assert!(code == Some(12) || code == Some(3), "{code:?}: {errors}");
}

#[test]
fn a_command_killed_in_the_middle_leaves_a_folder_that_opens() {
    let bench = Bench::with_vault();
    let value = "v".repeat(20_000);
    std::fs::write(bench.path("value"), &value).unwrap();
    for pause in 0..12 {
        let mut set = bench.command(&["vault", "secret", "set", "-n", "Killed", "--file", "value"]);
        let mut child = set.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        // Later and later, from before the opening to after the write: looks at the process are the measure of time.
        for _ in 0..pause * 2_000 {
            if child.try_wait().unwrap().is_some() {
                break;
            }
        }
        child.kill().unwrap();
        child.wait().unwrap();
        assert_eq!(bench.ok(&["get", "SmtpRelay"]), "in;the{vault}");
        let killed = bench.run(&["get", "Killed"]);
        assert!(killed.status.code() == Some(6) || text(&killed.stdout) == value, "{}", text(&killed.stderr));
    }
}

/// A small file system that goes with the test; `None` where it cannot be mounted.
struct Small<'a>(&'a Bench);

impl<'a> Small<'a> {
    fn mounted(bench: &'a Bench, options: &str) -> Option<Self> {
        std::fs::create_dir_all(bench.path("small")).unwrap();
        let mount = ["-t", "tmpfs", "-o", options, "tmpfs", "small"];
        let done = Command::new("mount").args(mount).current_dir(bench.path("")).output();
        let mounted = done.is_ok_and(|done| done.status.success());
        if !mounted {
            skipped("a file system cannot be mounted here");
        }
        mounted.then_some(Self(bench))
    }
}

impl Drop for Small<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0.path("small")).status();
    }
}

#[test]
fn a_full_disk_is_told_and_loses_nothing() {
    let bench = Bench::new();
    let Some(_small) = Small::mounted(&bench, "size=1m,mode=700") else { return };
    let inside = ["--data-dir", "small/data"];
    bench.ok(&[&["vault", "create", "--name", "acme-pm-kv"], &inside[..]].concat());
    std::fs::write(bench.path("value"), "v".repeat(20_000)).unwrap();
    let set =
        |name: &str| bench.run(&[&["vault", "secret", "set", "-n", name, "--file", "value"], &inside[..]].concat());
    let mut kept = 0;
    let refused = loop {
        let done = set(&format!("Name{kept}"));
        if !done.status.success() {
            break done;
        }
        kept += 1;
        assert!(kept < 200, "the disk does not get full");
    };
    assert!(text(&refused.stderr).starts_with("error[CS"), "{}", text(&refused.stderr));
    let space = std::fs::File::create(bench.path("small/never")).is_ok();
    std::fs::remove_file(bench.path("small/never")).ok().filter(|()| space);
    let shown = ["vault", "secret", "show", "-n", "Name0", "--reveal", "--query", "value", "-o", "tsv"];
    let opened = bench.run(&[&shown[..], &inside].concat());
    // Either it opens and has the value, or it says that there is no room; never a wrong answer.
    let value = "v".repeat(20_000) + "\n";
    assert!(!opened.status.success() || text(&opened.stdout) == value, "{}", text(&opened.stderr));
}

#[test]
fn a_file_system_that_takes_no_writes_is_told() {
    let bench = Bench::new();
    let Some(_small) = Small::mounted(&bench, "size=8m,mode=700") else { return };
    let inside = ["--data-dir", "small/data"];
    bench.ok(&[&["vault", "create", "--name", "acme-pm-kv"], &inside[..]].concat());
    let remount = ["-o", "remount,ro", "small"];
    assert!(Command::new("mount").args(remount).current_dir(bench.path("")).status().unwrap().success());
    let errors = bench.fails(3, &[&["vault", "create", "--name", "acme-two-kv"], &inside[..]].concat());
    assert!(errors.starts_with("error[CS6008]: "), "{errors}");
}

#[test]
fn a_server_has_every_place_it_may_have_and_no_core_dump() {
    let bench = Bench::with_vault();
    let served = Served::on(&bench);
    let endpoint = std::fs::read_to_string(bench.path("data/endpoint.json")).unwrap();
    let endpoint: serde_json::Value = serde_json::from_str(&endpoint).unwrap();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", endpoint["pid"])).unwrap();
    let limit = |name: &str| {
        let line = limits.lines().find(|line| line.starts_with(name)).unwrap();
        let mut words = line[name.len()..].split_whitespace().map(str::to_owned);
        (words.next().unwrap(), words.next().unwrap())
    };
    let files = limit("Max open files");
    assert_eq!(files.0, files.1);
    assert_eq!(limit("Max core file size"), ("0".to_owned(), "0".to_owned()));
    served.stop();
}
