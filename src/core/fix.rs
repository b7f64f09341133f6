//! What a person does about something, in the words that this machine understands.

use serde::{Deserialize, Serialize};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// What and why, in one line.
    pub text: String,
    /// The command to type in a shell of this machine, where there is one.
    pub command: Option<String>,
}

impl Fix {
    /// Something that no command does.
    pub fn advice(text: impl Into<String>) -> Self {
        Self { text: text.into(), command: None }
    }

    /// Something that a command does.
    pub fn command(text: impl Into<String>, command: impl Into<String>) -> Self {
        Self { text: text.into(), command: Some(command.into()) }
    }
}

/// A text as one word of a command line of a POSIX shell.
pub fn word(text: &str) -> String {
    let is_plain = |c: char| c.is_ascii_alphanumeric() || "-_.@:/+%=,".contains(c);
    if !text.is_empty() && text.chars().all(is_plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::word;

    #[test]
    fn a_word_stays_one_whatever_is_in_it() {
        assert_eq!(word("dev-1"), "dev-1");
        assert_eq!(word("a b"), "'a b'");
        assert_eq!(word("it's $(x)"), r"'it'\''s $(x)'");
        assert_eq!(word(""), "''");
    }
}
