//! With a server on the data folder: commands find it, and it leaves nothing behind.

use std::os::unix::fs::PermissionsExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use credstore::azure::certificate::generate;
use credstore_protocol::Timestamp;

use crate::bench::Bench;

/// How long a server may take to answer before the test gives up.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server on a free port, which says when it is ready.
pub(crate) const SERVE: [&str; 5] = ["serve", "--listen", "127.0.0.1:0", "--ready-file", "ready"];

pub(crate) struct Served(Child);

impl Served {
    pub(crate) fn on(bench: &Bench) -> Self {
        Self::by(bench, bench.command(&[&SERVE[..], &["-q"]].concat()).stdout(Stdio::null()))
    }

    /// The server that `command` starts, once it is ready. Its messages go nowhere.
    pub(crate) fn by(bench: &Bench, command: &mut Command) -> Self {
        Self::telling(bench, command.stderr(Stdio::null()))
    }

    /// The same with its messages where `command` has them.
    pub(crate) fn telling(bench: &Bench, command: &mut Command) -> Self {
        let ready = bench.path("ready");
        let child = command.spawn().unwrap();
        let mut served = Self(child);
        let begun = Instant::now();
        while !ready.exists() {
            assert!(served.0.try_wait().unwrap().is_none(), "the server stopped");
            assert!(begun.elapsed() < PATIENCE, "the server does not get ready");
            std::thread::yield_now();
        }
        served
    }

    /// A server, and settings that name its port: it is a free one.
    pub(crate) fn with_settings(bench: &Bench) -> Self {
        let served = Self::on(bench);
        let resource = bench.ok(&["directory", "show", "--query", "vaultResource", "-o", "tsv"]);
        let port = resource.trim().rsplit(':').next().unwrap();
        let settings = std::fs::read_to_string(bench.path("server-settings.json")).unwrap();
        std::fs::write(bench.path("server-settings.json"), settings.replace("8443", port)).unwrap();
        served
    }

    /// Tells it to end, and gives its exit code.
    pub(crate) fn stop(mut self) -> Option<i32> {
        let pid = rustix::process::Pid::from_child(&self.0);
        rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
        self.0.wait().unwrap().code()
    }
}

/// A test that stops early leaves no server behind.
impl Drop for Served {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn commands_go_through_the_running_server_and_in_process_afterwards() {
    let bench = Bench::with_vault();
    let served = Served::on(&bench);
    assert_eq!(bench.ok(&["directory", "show", "--query", "running", "-o", "tsv"]), "true\n");
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", served.0.id())).unwrap();
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    assert_eq!(core.split_whitespace().nth(4), Some("0"), "a core dump would hold secrets");
    bench.set("SmtpRelay", "through the server");
    // Settings of the default port are answered by nobody while a server of another port holds the folder.
    let port = bench.ok(&["directory", "show", "--query", "vaultResource", "-o", "tsv"]);
    let port = port.trim().rsplit(':').next().unwrap();
    let settings = std::fs::read_to_string(bench.path("server-settings.json")).unwrap();
    std::fs::write(bench.path("server-settings.json"), settings.replace("8443", port)).unwrap();
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "through the server");
    assert!(bench.fails(9, &["serve", "--listen", "127.0.0.1:0"]).starts_with("error[CS6002]"));
    assert_eq!(served.stop(), Some(0));
    assert!(!bench.path("ready").exists() && !bench.path("data/endpoint.json").exists());
    assert_eq!(bench.ok(&["get", "SmtpRelay"]), "through the server");
}

#[test]
fn tls_files_that_cannot_be_served_are_told_apart_before_anything_is_ready() {
    let bench = Bench::new();
    std::fs::write(bench.path("text"), "no PEM at all\n").unwrap();
    std::fs::create_dir(bench.path("folder")).unwrap();
    for name in ["one", "two"] {
        bench.ok(&["cert", "new", "--out", &format!("{name}.pem")]);
        bench.ok(&["cert", "export-public", &format!("{name}.pem"), "--out", &format!("{name}.cer")]);
    }
    for (chain, key, code, cause) in [
        ("nowhere", "one.pem", "CS0106", "cannot read nowhere"),
        ("one.pem", "nowhere", "CS0106", "cannot read nowhere"),
        ("folder", "one.pem", "CS0106", "it is a folder"),
        ("text", "one.pem", "CS6012", "there is no PEM certificate in the chain"),
        // Azure takes this form of the certificate, TLS wants PEM.
        ("one.cer", "one.pem", "CS6012", "there is no PEM certificate in the chain"),
        ("one.pem", "text", "CS6012", "there is no PEM private key"),
        ("one.pem", "one.cer", "CS6012", "there is no PEM private key"),
        ("one.pem", "two.pem", "CS6012", "the key does not belong to the certificate"),
    ] {
        let serve =
            ["serve", "--listen", "127.0.0.1:0", "--ready-file", "ready", "--tls-cert", chain, "--tls-key", key];
        let errors = bench.fails(3, &[&serve[..], &["-q"]].concat());
        assert!(errors.contains(&format!("error[{code}]: ")) && errors.contains(cause), "{chain} {key}: {errors}");
        assert!(!errors.contains("PRIVATE KEY") && !bench.path("ready").exists(), "{chain} {key}: {errors}");
    }
}

#[test]
fn a_tls_certificate_that_has_expired_is_refused_and_one_that_will_or_whose_key_is_open_is_told() {
    let bench = Bench::new();
    // Valid in 2024 only.
    let expired = generate("CN=old", 2048, 365, Timestamp(1_704_067_200)).unwrap().pem;
    std::fs::write(bench.path("old.pem"), expired.expose_secret()).unwrap();
    bench.ok(&["cert", "new", "--out", "new.pem", "--days", "10"]);
    std::fs::set_permissions(bench.path("new.pem"), std::fs::Permissions::from_mode(0o644)).unwrap();
    // The second one gets as far as the port, which is taken.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let listen = taken.local_addr().unwrap().to_string();
    let serve = |file| ["serve", "--listen", &listen, "--tls-cert", file, "--tls-key", file].map(str::to_owned);
    let errors = bench.fails(3, &serve("old.pem").each_ref().map(String::as_str));
    assert!(errors.contains("error[CS6012]: old.pem expired on "), "{errors}");
    let errors = bench.fails(9, &serve("new.pem").each_ref().map(String::as_str));
    for said in [
        "warning[CS1204]: new.pem expires in ",
        "warning[CS1207]: new.pem holds the private key and others can read it (mode 0644)",
        "error[CS6010]: ",
    ] {
        assert!(errors.contains(said), "{said}: {errors}");
    }
}

#[test]
fn what_a_killed_server_left_behind_is_not_believed() {
    let bench = Bench::with_vault();
    let mut served = Served::on(&bench);
    served.0.kill().unwrap();
    served.0.wait().unwrap();
    assert!(bench.path("data/endpoint.json").exists());
    assert_eq!(bench.ok(&["vault", "list", "--query", "[].name", "-o", "tsv"]), "acme-pm-kv\n");
}
