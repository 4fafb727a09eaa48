//! Server Settings, as an administrator may have left them.

use std::path::Path;

use credstore::settings::parse;

/// Any text is parsed; every certain repair can be made, and settings that are usable have no error left.
pub(crate) fn settings(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    let parsed = parse(text, Path::new("server-settings.json"));
    for finding in &parsed.findings {
        let Some(edit) = &finding.edit else { continue };
        let mut repaired = text.to_owned();
        assert!(text.get(edit.span.clone()).is_some(), "an edit outside of the text: {:?}", edit.span);
        repaired.replace_range(edit.span.clone(), &edit.text);
        let _ = parse(&repaired, Path::new("server-settings.json"));
    }
    // What is shown to people is made for every finding.
    assert!(parsed.findings.iter().all(|finding| !finding.message.is_empty()));
    let _ = parsed.usable();
}
