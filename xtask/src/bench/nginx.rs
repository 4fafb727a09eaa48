//! The rival: nginx with one worker, serving the same bytes over the same kind of TLS.

use std::path::Path;
use std::process::{Child, Command, Stdio};

use super::{SERVER_CORE, server};
use crate::Outcome;

/// A running nginx, stopped when dropped.
pub(super) struct Nginx {
    child: Child,
    port: u16,
}

impl Nginx {
    /// Serves `body` on a free port of loopback.
    pub(super) fn serve(scratch: &Path, body: &str) -> Outcome<Self> {
        let folder = scratch.join("nginx");
        std::fs::create_dir_all(&folder)?;
        let port = server::free_port()?;
        certificate(&folder)?;
        let conf = folder.join("nginx.conf");
        std::fs::write(&conf, configuration(&folder, port, body))?;
        let child = Command::new("taskset")
            .args(["-c", &SERVER_CORE.to_string(), "nginx", "-p"])
            .arg(&folder)
            .arg("-c")
            .arg(&conf)
            .stderr(Stdio::null())
            .spawn()?;
        server::wait_for_port(port)?;
        Ok(Self { child, port })
    }

    /// Where it serves.
    pub(super) fn url(&self) -> String {
        format!("https://127.0.0.1:{}/secrets/bench-secret?api-version=2025-07-01", self.port)
    }

    /// Its process. There is no master process: `daemon off; master_process off`.
    pub(super) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Stops it.
    pub(super) fn stop(mut self) -> Outcome {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn certificate(folder: &Path) -> Outcome {
    let made = Command::new("openssl")
        .args(["req", "-x509", "-nodes", "-days", "2", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"])
        .args(["-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "certificate.pem"])
        .current_dir(folder)
        .stderr(Stdio::null())
        .status()?;
    if made.success() { Ok(()) } else { Err("openssl made no certificate".into()) }
}

fn configuration(folder: &Path, port: u16, body: &str) -> String {
    let folder = folder.display();
    let body = body.replace('\\', "\\\\").replace('\'', "\\'");
    format!(
        "daemon off; master_process off; worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;
events {{ worker_connections 1024; }}
http {{
  access_log off; keepalive_requests 100000000; keepalive_timeout 600s;
  client_body_temp_path {folder}/t1; proxy_temp_path {folder}/t2; fastcgi_temp_path {folder}/t3;
  uwsgi_temp_path {folder}/t4; scgi_temp_path {folder}/t5;
  server {{
    listen 127.0.0.1:{port} ssl; ssl_certificate {folder}/certificate.pem; ssl_certificate_key {folder}/key.pem;
    ssl_protocols TLSv1.3;
    location / {{ default_type application/json; return 200 '{body}'; }}
  }}
}}
"
    )
}
