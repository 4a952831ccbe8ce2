//! Command line: words and `--key value` pairs.

use std::collections::BTreeMap;
use std::fmt::Display;
use std::str::FromStr;

/// Options that stand alone.
const FLAGS: [&str; 2] = ["lines", "netns-less"];

/// What stood after the command.
#[derive(Debug, Default)]
pub struct Arguments {
    /// Words that are no options.
    pub words: Vec<String>,
    options: BTreeMap<String, String>,
}

impl Arguments {
    /// # Errors
    /// An option without its value, or given twice.
    pub fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut parsed = Self::default();
        while let Some(word) = words.next() {
            let Some(key) = word.strip_prefix("--") else {
                parsed.words.push(word);
                continue;
            };
            let value = match FLAGS.contains(&key) {
                true => String::new(),
                false => words.next().ok_or_else(|| format!("--{key} needs a value"))?,
            };
            if parsed.options.insert(key.to_owned(), value).is_some() {
                return Err(format!("--{key} is given twice"));
            }
        }
        Ok(parsed)
    }

    /// # Errors
    /// An option that the command does not know.
    pub fn only(&self, known: &[&str]) -> Result<(), String> {
        match self.options.keys().find(|key| !known.contains(&key.as_str())) {
            Some(key) => Err(format!("--{key} is unknown here")),
            None => Ok(()),
        }
    }

    /// The option's value, if it is given.
    ///
    /// # Errors
    /// A value that is no `T`.
    pub fn get<T: FromStr<Err: Display>>(&self, key: &str) -> Result<Option<T>, String> {
        let parse = |value: &String| value.parse().map_err(|error| format!("--{key} {value:?}: {error}"));
        self.options.get(key).map(parse).transpose()
    }

    /// The option's value.
    ///
    /// # Errors
    /// No value, or one that is no `T`.
    pub fn need<T: FromStr<Err: Display>>(&self, key: &str) -> Result<T, String> {
        self.get(key)?.ok_or_else(|| format!("--{key} is missing"))
    }
}
