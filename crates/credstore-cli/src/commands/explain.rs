//! `credstore explain`: what a code means and what to do, without the network.

use credstore::codes::{self, Code, usage};
use credstore::diagnosis::Diagnosis;
use serde_json::json;

use crate::errors::CliError;
use crate::output::Output;

/// Widest line of an explanation, in characters.
const WIDTH: usize = 96;

/// Explain an error code: ours (CSnnnn), the directory's (AADSTSnnnn) or Key Vault's
#[derive(clap::Args, Debug)]
#[command(before_help = "Example\n  credstore explain CS0102")]
pub(crate) struct Explain {
    /// For example CS3102, AADSTS700027, ForbiddenByPolicy
    code: String,
}

impl Explain {
    /// Prints number, title, explanation and exit code of every code that fits.
    pub(crate) fn run(self, out: &mut Output) -> Result<(), CliError> {
        let found = find(&self.code);
        if found.is_empty() {
            return Err(unknown(&self.code).into());
        }
        let objects = found
            .iter()
            .map(|code| json!({"code": code.id, "exit": code.exit as u8, "title": code.title, "about": code.about}))
            .collect();
        out.result(objects, || found.iter().map(|code| text(code)).collect::<Vec<_>>().join("\n"))
    }
}

/// The codes with this number, or those whose explanation names this code of Azure.
fn find(asked: &str) -> Vec<&'static Code> {
    if let Some(code) = codes::all().find(|code| code.id.eq_ignore_ascii_case(asked)) {
        return vec![code];
    }
    // Shorter words stand in every explanation and mean nothing.
    if asked.len() < 8 {
        return Vec::new();
    }
    let named =
        |text: &str| text.split(|c: char| !c.is_ascii_alphanumeric()).any(|word| word.eq_ignore_ascii_case(asked));
    codes::all().filter(|code| named(code.about) || named(code.title)).collect()
}

fn text(code: &Code) -> String {
    let mut text = format!("{}  {}\n\n", code.id, code.title);
    let mut line = String::new();
    for word in code.about.split_whitespace() {
        if !line.is_empty() && line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&format!("  {line}\n"));
            line.clear();
        }
        if !line.is_empty() {
            line.push(' ');
        }
        line.push_str(word);
    }
    text.push_str(&format!("  {line}\n\n  exit code {}\n", code.exit as u8));
    text
}

fn unknown(asked: &str) -> Diagnosis {
    let shown = crate::output::plain(asked);
    let diagnosis = Diagnosis::error(&usage::CODE_UNKNOWN, format!("there is no code {shown}"));
    match credstore::nearest::nearest(&asked.to_ascii_uppercase(), codes::all().map(|code| code.id)) {
        Some(near) => diagnosis.fix(format!("did you mean {near}?")),
        None => diagnosis.fix("codes look like CS3102, AADSTS700027, ForbiddenByPolicy"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_of_ours_is_explained_in_any_case() {
        for code in codes::all() {
            assert_eq!(find(&code.id.to_lowercase()).len(), 1, "{}", code.id);
            assert!(text(code).lines().all(|line| line.chars().count() <= WIDTH + 2), "{}", code.id);
        }
    }

    /// Contract section 5.
    #[test]
    fn every_code_that_a_vault_answers_with_leads_to_ours() {
        for (azure, ours) in [
            ("BadParameter", "CS4021"),
            ("Unauthorized", "CS4001"),
            ("Forbidden", "CS4026"),
            ("ForbiddenByPolicy", "CS4003"),
            ("AccessDenied", "CS4003"),
            ("ForbiddenByRbac", "CS4004"),
            ("ForbiddenByFirewall", "CS4005"),
            ("ForbiddenByConnection", "CS4020"),
            ("SecretDisabled", "CS4006"),
            ("SecretManagedByKeyVault", "CS4024"),
            ("SecretNotFound", "CS2004"),
            ("KeyNotFound", "CS4027"),
            ("CertificateNotFound", "CS4027"),
            ("VaultNotFound", "CS4028"),
            ("Conflict", "CS4023"),
            ("ObjectIsDeletedButRecoverable", "CS4007"),
            ("ObjectIsBeingDeleted", "CS4022"),
            ("ObjectIsBeingRecovered", "CS4022"),
            ("Throttled", "CS4008"),
            ("InternalServerError", "CS4019"),
            ("ServiceUnavailable", "CS4019"),
        ] {
            assert!(find(azure).iter().any(|code| code.id == ours), "{azure} does not lead to {ours}");
        }
    }

    #[test]
    fn codes_of_azure_are_found_as_whole_words() {
        assert!(find("AADSTS70002").is_empty());
        assert!(find("the").is_empty());
    }
}
