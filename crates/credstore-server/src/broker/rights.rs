//! Who may read which identifier: rules in a file, decided without asking anybody.
//!
//! A rule names a user or a group, perhaps an executable, and patterns of identifiers; it gives and never takes away, and what no
//! rule gives is refused. Capitals count: a vault that ignores them would answer to another spelling too, and that spelling is
//! refused. Names are looked up in the two files of accounts that the caller read; nothing here opens a file.

use std::collections::HashMap;
use std::path::PathBuf;

use credstore_protocol::Identifier;
use serde::Deserialize;

use super::consumer::Consumer;
use super::limits::{PATTERNS_MAX, RIGHTS_BYTES_MAX, RULES_MAX};

/// Users and groups of the machine by name.
#[derive(Clone, Debug, Default)]
pub struct Accounts {
    users: HashMap<String, u32>,
    groups: HashMap<String, u32>,
}

impl Accounts {
    /// From the texts of `/etc/passwd` and `/etc/group`. Source: passwd(5), group(5): the name is the first field, the number
    /// the third. Lines that are none are left out.
    pub fn parse(passwd: &str, group: &str) -> Self {
        let numbered = |text: &str| {
            let line = |line: &str| {
                let mut fields = line.split(':');
                let (name, number) = (fields.next()?, fields.nth(1)?);
                Some((name.to_owned(), number.parse().ok()?))
            };
            text.lines().filter_map(line).collect()
        };
        Self { users: numbered(passwd), groups: numbered(group) }
    }

    /// The number of a group.
    pub fn group(&self, name: &str) -> Option<u32> {
        self.groups.get(name).copied()
    }
}

/// Why a file of rights is not used.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum RightsError {
    /// It is larger than [`RIGHTS_BYTES_MAX`].
    #[error("it has more than {RIGHTS_BYTES_MAX} bytes")]
    TooLarge,
    /// It is not JSON of this form.
    #[error("{0}")]
    Form(String),
    /// More than [`RULES_MAX`] rules.
    #[error("it has more than {RULES_MAX} rules")]
    TooManyRules,
    /// A rule says nothing, too much, or something that cannot be. Rules are counted from 1.
    #[error("rule {rule}: {reason}")]
    Rule {
        /// Which one.
        rule: usize,
        /// What is wrong with it.
        reason: String,
    },
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRights {
    rules: Vec<WrittenRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct WrittenRule {
    user: Option<Account>,
    group: Option<Account>,
    executable: Option<PathBuf>,
    identifiers: Vec<String>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Account {
    Number(u32),
    Name(String),
}

/// Who may read what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rights(Table);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Table {
    /// No file: this user and root may read everything.
    Owner(u32),
    /// What the file says, and nothing else.
    Rules(Vec<Rule>),
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rule {
    user: Option<u32>,
    group: Option<u32>,
    executable: Option<PathBuf>,
    identifiers: Vec<Pattern>,
}

impl Rights {
    /// Without a file: only `uid`, which the broker runs as, and root.
    pub fn of_owner(uid: u32) -> Self {
        Self(Table::Owner(uid))
    }

    /// What the text of a file of rights says.
    ///
    /// # Errors
    /// See [`RightsError`].
    pub fn parse(text: &str, accounts: &Accounts) -> Result<Self, RightsError> {
        if text.len() > RIGHTS_BYTES_MAX {
            return Err(RightsError::TooLarge);
        }
        let written: WrittenRights =
            serde_json::from_str(text).map_err(|error| RightsError::Form(error.to_string()))?;
        if written.rules.len() > RULES_MAX {
            return Err(RightsError::TooManyRules);
        }
        let rule = |(at, rule): (usize, WrittenRule)| {
            Rule::checked(rule, accounts).map_err(|reason| RightsError::Rule { rule: at + 1, reason })
        };
        written.rules.into_iter().enumerate().map(rule).collect::<Result<_, _>>().map(|rules| Self(Table::Rules(rules)))
    }

    /// How many rules there are; `None` without a file.
    pub fn rules(&self) -> Option<usize> {
        match &self.0 {
            Table::Owner(_) => None,
            Table::Rules(rules) => Some(rules.len()),
        }
    }

    /// Whether `consumer` may read `identifier`.
    pub fn allow(&self, consumer: &Consumer, identifier: &Identifier) -> bool {
        match &self.0 {
            Table::Owner(owner) => consumer.uid == *owner || consumer.uid == 0,
            Table::Rules(rules) => rules.iter().any(|rule| rule.allows(consumer, identifier)),
        }
    }
}

impl Rule {
    fn checked(written: WrittenRule, accounts: &Accounts) -> Result<Self, String> {
        let number = |account: Option<Account>, kind: &str, known: &HashMap<String, u32>| match account {
            None => Ok(None),
            Some(Account::Number(number)) => Ok(Some(number)),
            Some(Account::Name(name)) => known.get(&name).copied().map(Some).ok_or_else(|| {
                format!("there is no {kind} {} on this machine; its number does without the name", name.escape_debug())
            }),
        };
        let user = number(written.user, "user", &accounts.users)?;
        let group = number(written.group, "group", &accounts.groups)?;
        if user.is_none() && group.is_none() {
            return Err("it names no user and no group; an executable alone can be run by anybody".to_owned());
        }
        if written.executable.as_ref().is_some_and(|path| !path.is_absolute()) {
            return Err("the executable is not an absolute path".to_owned());
        }
        match written.identifiers.len() {
            0 => return Err("it gives no identifiers".to_owned()),
            count if count > PATTERNS_MAX => return Err(format!("it has more than {PATTERNS_MAX} identifiers")),
            _ => {}
        }
        let identifiers = written.identifiers.into_iter().map(Pattern::parse).collect::<Result<_, _>>()?;
        Ok(Self { user, group, executable: written.executable, identifiers })
    }

    /// Everything that the rule names must be so.
    fn allows(&self, consumer: &Consumer, identifier: &Identifier) -> bool {
        self.user.is_none_or(|user| user == consumer.uid)
            && self.group.is_none_or(|group| consumer.is_in(group))
            && self.executable.as_ref().is_none_or(|path| consumer.executable.as_ref() == Some(path))
            && self.identifiers.iter().any(|pattern| pattern.matches(identifier.as_str()))
    }
}

/// An identifier, or its beginning and a star at the end.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Pattern {
    Exactly(String),
    Begins(String),
}

impl Pattern {
    fn parse(text: String) -> Result<Self, String> {
        let (beginning, whole) = match text.strip_suffix('*') {
            Some(beginning) => (beginning, false),
            None => (text.as_str(), true),
        };
        if beginning.contains('*') {
            return Err("a star stands only at the end of an identifier".to_owned());
        }
        if (whole || !beginning.is_empty()) && beginning.parse::<Identifier>().is_err() {
            return Err("one of its identifiers is none".to_owned());
        }
        Ok(if whole { Self::Exactly(text) } else { Self::Begins(beginning.to_owned()) })
    }

    fn matches(&self, identifier: &str) -> bool {
        match self {
            Self::Exactly(name) => name == identifier,
            Self::Begins(beginning) => identifier.starts_with(beginning.as_str()),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::json;

    use super::*;

    fn accounts() -> Accounts {
        Accounts::parse("root:x:0:0:root:/root:/bin/sh\napp:x:1001:1001::/:/bin/false\nbroken\n", "mail:x:8:app\n")
    }

    fn rights(text: &str) -> Result<Rights, RightsError> {
        Rights::parse(text, &accounts())
    }

    fn consumer(uid: u32, gid: u32, groups: &[u32], executable: Option<&str>) -> Consumer {
        Consumer { uid, gid, groups: groups.to_vec(), pid: Some(1), executable: executable.map(PathBuf::from) }
    }

    fn id(text: &str) -> Identifier {
        text.parse().unwrap()
    }

    #[test]
    fn accounts_are_known_by_name_and_lines_that_are_none_are_left_out() {
        let known = accounts();
        assert_eq!((known.group("mail"), known.group("app"), known.group("broken")), (Some(8), None, None));
    }

    #[test]
    fn without_a_file_the_brokers_user_and_root_may_read_and_nobody_else() {
        let rights = Rights::of_owner(1001);
        for (uid, allowed) in [(1001, true), (0, true), (1002, false)] {
            assert_eq!(rights.allow(&consumer(uid, 1001, &[0], None), &id("Db")), allowed, "{uid}");
        }
        assert_eq!(rights.rules(), None);
    }

    #[test]
    fn a_rule_gives_its_identifiers_to_whom_it_names_and_to_nobody_else() {
        let rights = rights(
            r#"{"rules": [
                {"user": "app", "identifiers": ["Smtp*", "Db"]},
                {"group": "mail", "identifiers": ["Imap"]},
                {"user": 1003, "executable": "/usr/bin/job", "identifiers": ["*"]},
                {"user": 1004, "group": 8, "identifiers": ["Both"]}
            ]}"#,
        )
        .unwrap();
        assert_eq!(rights.rules(), Some(4));
        let job = Some("/usr/bin/job");
        for (uid, gid, groups, executable, identifier, allowed) in [
            (1001, 1001, &[][..], None, "SmtpRelay", true),
            (1001, 1001, &[], None, "Smtp", true),
            (1001, 1001, &[], None, "Db", true),
            (1001, 1001, &[], None, "Db2", false),
            (1001, 1001, &[], None, "db", false),
            (1001, 1001, &[], None, "smtpRelay", false),
            (1002, 1001, &[], None, "Db", false),
            (1002, 8, &[], None, "Imap", true),
            (1002, 1, &[7, 8], None, "Imap", true),
            (1002, 1, &[7], None, "Imap", false),
            (1003, 1, &[], job, "Anything", true),
            (1003, 1, &[], Some("/usr/bin/job2"), "Anything", false),
            (1003, 1, &[], None, "Anything", false),
            (1002, 1, &[], job, "Anything", false),
            (1004, 8, &[], None, "Both", true),
            (1004, 9, &[], None, "Both", false),
            (1005, 8, &[], None, "Both", false),
            // A file decides for everybody.
            (0, 0, &[], None, "Db", false),
        ] {
            let asking = consumer(uid, gid, groups, executable);
            assert_eq!(rights.allow(&asking, &id(identifier)), allowed, "{asking:?} {identifier}");
        }
    }

    #[test]
    fn a_file_that_is_not_exactly_of_this_form_is_refused_with_the_place() {
        for (text, told) in [
            ("", "line 1 column 0"),
            ("[]", "line 1"),
            (r#"{"rules": [{"user": "app", "identifier": ["A"]}]}"#, "unknown field `identifier`"),
            (r#"{"rules": [], "rules": []}"#, "duplicate field"),
            (r#"{"rules": [{"user": "app"}]}"#, "missing field `identifiers`"),
            (r#"{"rules": [{"identifiers": ["A"]}]}"#, "rule 1: it names no user"),
            (r#"{"rules": [{"executable": "/bin/a", "identifiers": ["A"]}]}"#, "rule 1: it names no user"),
            (r#"{"rules": [{"user": 1, "executable": "a", "identifiers": ["A"]}]}"#, "rule 1: the executable"),
            (r#"{"rules": [{"user": "nobody-here", "identifiers": ["A"]}]}"#, "there is no user nobody-here"),
            (r#"{"rules": [{"group": "app", "identifiers": ["A"]}]}"#, "there is no group app"),
            (r#"{"rules": [{"user": -1, "identifiers": ["A"]}]}"#, "line 1"),
            (r#"{"rules": [{"user": 1, "identifiers": []}]}"#, "gives no identifiers"),
            (
                r#"{"rules": [{"user": 1, "identifiers": ["A"]}, {"user": 1, "identifiers": ["A*B"]}]}"#,
                "rule 2: a star",
            ),
            (r#"{"rules": [{"user": 1, "identifiers": ["A**"]}]}"#, "a star"),
            (r#"{"rules": [{"user": 1, "identifiers": [""]}]}"#, "is none"),
        ] {
            let error = rights(text).unwrap_err().to_string();
            assert!(error.contains(told), "{text}: {error}");
        }
    }

    #[test]
    fn rules_patterns_and_bytes_have_a_limit() {
        let rule = |patterns: usize| json!({ "user": 1, "identifiers": vec!["A"; patterns] });
        let of = |rules: Vec<serde_json::Value>| rights(&json!({ "rules": rules }).to_string());
        assert!(of(vec![rule(1); RULES_MAX]).is_ok());
        assert_eq!(of(vec![rule(1); RULES_MAX + 1]), Err(RightsError::TooManyRules));
        assert!(of(vec![rule(PATTERNS_MAX)]).is_ok());
        assert!(of(vec![rule(PATTERNS_MAX + 1)]).is_err());
        let text = r#"{"rules": []}"#;
        let padded = |bytes: usize| format!("{text}{}", " ".repeat(bytes - text.len()));
        assert!(rights(&padded(RIGHTS_BYTES_MAX)).is_ok());
        assert_eq!(rights(&padded(RIGHTS_BYTES_MAX + 1)), Err(RightsError::TooLarge));
    }

    proptest! {
        #[test]
        fn nobody_reads_outside_the_table(uid in 0u32..6, name in "[ab]{1,3}") {
            let rights = rights(
                r#"{"rules": [{"user": 1, "identifiers": ["a*"]}, {"user": 2, "identifiers": ["b", "ab"]}]}"#,
            ).unwrap();
            let expected = match uid {
                1 => name.as_bytes()[0] == b'a',
                2 => name == "b" || name == "ab",
                _ => false,
            };
            prop_assert_eq!(rights.allow(&consumer(uid, 9, &[], None), &id(&name)), expected);
        }
    }
}
