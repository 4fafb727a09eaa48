//! Words and `--flag value` pairs of a command line; nothing more is needed here.

use std::str::FromStr;

use crate::Outcome;

/// What was typed after `cargo xtask`.
pub(crate) struct Arguments {
    words: Vec<String>,
    flags: Vec<(String, String)>,
}

impl Arguments {
    /// Splits words from flags; a flag takes the word after it.
    pub(crate) fn new(typed: impl Iterator<Item = String>) -> Self {
        let (mut words, mut flags) = (Vec::new(), Vec::new());
        let mut typed = typed.peekable();
        while let Some(word) = typed.next() {
            match word.strip_prefix("--") {
                Some(flag) => flags.push((flag.to_owned(), typed.next().unwrap_or_default())),
                None => words.push(word),
            }
        }
        words.reverse();
        Self { words, flags }
    }

    /// The next word.
    pub(crate) fn word(&mut self) -> Option<String> {
        self.words.pop()
    }

    /// The value of `--name`, or `default`.
    pub(crate) fn flag<T: FromStr>(&mut self, name: &str, default: T) -> Outcome<T> {
        let Some(at) = self.flags.iter().position(|(flag, _)| flag == name) else { return Ok(default) };
        let (_, value) = self.flags.remove(at);
        value.parse().map_err(|_| format!("--{name}: {value:?} is not a value of it").into())
    }

    /// An error when something was typed that no one asked for.
    pub(crate) fn finish(self) -> Outcome {
        match (self.words.last(), self.flags.first()) {
            (None, None) => Ok(()),
            (Some(word), _) => Err(format!("nothing is known of {word:?}").into()),
            (_, Some((flag, _))) => Err(format!("there is no flag --{flag}").into()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn typed(line: &str) -> Arguments {
        Arguments::new(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn words_come_in_order_and_flags_by_name() {
        let mut arguments = typed("bench --rounds 7 vault");
        assert_eq!(arguments.word().as_deref(), Some("bench"));
        assert_eq!(arguments.flag("rounds", 1).unwrap(), 7);
        assert_eq!(arguments.flag("seconds", 2).unwrap(), 2);
        assert_eq!(arguments.word().as_deref(), Some("vault"));
        arguments.finish().unwrap();
    }

    #[test]
    fn what_is_not_known_is_refused() {
        assert!(typed("--rounds many").flag("rounds", 1).is_err());
        assert!(typed("--other 1").finish().is_err());
        assert!(typed("left").finish().is_err());
    }
}
