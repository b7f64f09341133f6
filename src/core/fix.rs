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
