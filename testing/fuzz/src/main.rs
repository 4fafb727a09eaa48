//! One libFuzzer program for every target; `CREDSTORE_FUZZ_TARGET` says which.
//!
//! An input is wrong when it makes the code panic, take too long or too much memory (libFuzzer watches both), answer
//! with a 5xx, or break a law that the target states. `cargo xtask fuzz` builds and runs this.
#![no_main]

mod certificates;
mod settings;
mod sign_in;
mod store;
mod strings;
mod wire;
mod world;

use std::sync::OnceLock;

type Target = fn(&[u8]);

static TARGET: OnceLock<Target> = OnceLock::new();

fn named(name: &str) -> Option<Target> {
    Some(match name {
        "settings" => settings::settings,
        "credential-store" => store::credential_store,
        "encrypted-file" => store::encrypted_file,
        "connection-string" => strings::connection_string,
        "names" => strings::names,
        "certificate" => sign_in::certificate,
        "assertion" => sign_in::assertion,
        "request" => wire::request,
        "backup" => wire::backup,
        "import" => certificates::import,
        "merge" => certificates::merge,
        _ => return None,
    })
}

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let target = TARGET.get_or_init(|| {
        let name = std::env::var("CREDSTORE_FUZZ_TARGET").unwrap_or_default();
        named(&name).unwrap_or_else(|| panic!("CREDSTORE_FUZZ_TARGET is {name:?}, which is no target"))
    });
    target(bytes);
});
