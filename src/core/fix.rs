//! What a person does about something, in the words that this machine understands.

use serde::{Deserialize, Serialize};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fix {
    /// What and why, in one line.
    pub text: String,
    /// The command to type in a shell of this machine, where there is one.
    pub command: Option<String>,
    /// It corrects nothing: it shows more.
    #[serde(skip)]
    informs: bool,
}

impl Fix {
    /// Something that no command does.
    pub fn advice(text: impl Into<String>) -> Self {
        Self { text: text.into(), command: None, informs: false }
    }

    /// Something that a command does.
    pub fn command(text: impl Into<String>, command: impl Into<String>) -> Self {
        Self { text: text.into(), command: Some(command.into()), informs: false }
    }

    /// A command that shows more.
    pub fn see(text: impl Into<String>, command: impl Into<String>) -> Self {
        Self { informs: true, ..Self::command(text, command) }
    }

    /// The advice of a table. If it begins with "see", it shows more.
    pub fn of_table(text: &str) -> Self {
        let shown = text.strip_prefix("see ");
        Self { informs: shown.is_some(), ..Self::advice(shown.unwrap_or(text)) }
    }
}

/// What to do as lines that begin so many columns in, each command on a line of its own so that it can be copied. A fix that
/// corrects nothing is a `see:` line.
pub fn lines(fixes: &[Fix], indent: usize) -> String {
    let mut text = String::new();
    for fix in fixes {
        let label = if fix.informs { "see" } else { "fix" };
        text.push_str(&format!("{:indent$}{label}: {}\n", "", fix.text));
        for line in fix.command.iter().flat_map(|command| command.lines()) {
            text.push_str(&format!("{:indent$}    {line}\n", ""));
        }
    }
    text
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

/// The edit that corrects a line of a file.
pub fn correct(path: &str, line: usize) -> String {
    format!("correct {}, line {line}", word(path))
}

/// A name as an argument of an evercred command. `--` keeps a leading dash from being an option.
pub fn argument(name: &str) -> String {
    let before = if name.starts_with('-') { "-- " } else { "" };
    format!("{before}{}", word(name))
}

/// The command that unsets variables in the shell.
pub fn unset(is_fish: bool, names: &[&str]) -> String {
    format!("{} {}", if is_fish { "set -e" } else { "unset" }, names.join(" "))
}

/// An evercred command for a profile or a session.
pub fn evercred(command: &str, name: &str) -> String {
    format!("evercred {command} {}", argument(name))
}

#[cfg(test)]
mod tests {
    use super::{Fix, argument, evercred, lines, word};

    #[test]
    fn a_name_from_a_file_is_one_argument() {
        let arguments = ["dev", "-x", "a b", "it's", "$(id)"].map(argument);
        assert_eq!(arguments, ["dev", "-- -x", "'a b'", r"'it'\''s'", "'$(id)'"]);
        assert_eq!(evercred("login", "a;id"), "evercred login 'a;id'");
    }

    #[test]
    fn every_line_of_a_command_stands_below_its_fix() {
        let fixes = [Fix::advice("wait"), Fix::command("set both", "set -e A\nset -e B")];
        assert_eq!(lines(&fixes, 2), "  fix: wait\n  fix: set both\n      set -e A\n      set -e B\n");
    }

    #[test]
    fn a_word_stays_one_whatever_is_in_it() {
        assert_eq!(word("dev-1"), "dev-1");
        assert_eq!(word("a b"), "'a b'");
        assert_eq!(word("it's $(x)"), r"'it'\''s $(x)'");
        assert_eq!(word(""), "''");
    }
}
