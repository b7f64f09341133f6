//! A finding, and how serious and how certain it is.

use serde::Serialize;

use super::{Cause, KeySource};
use crate::core::fix::Fix;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// AWS refuses, or will at once.
    Error,
    /// Something works by luck, or will stop working.
    Warning,
    /// Worth knowing.
    Info,
}

/// How sure it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// Seen here: on this machine, or in AWS's answer.
    Confirmed,
    /// The usual cause of what was seen.
    Likely,
    /// One of several causes that AWS does not tell apart.
    Possible,
}

/// Something that was found.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// What.
    pub id: Cause,
    /// How bad.
    pub severity: Severity,
    /// How sure.
    pub certainty: Certainty,
    /// One sentence.
    pub title: String,
    /// What was seen, one sentence each; never a secret.
    pub evidence: Vec<String>,
    /// What to do, the first thing first.
    pub fix: Vec<Fix>,
    /// KeySource keys it is about, where an answer of AWS about these keys says more of it.
    #[serde(skip)]
    pub(super) about: Option<KeySource>,
}

impl Finding {
    /// A confirmed finding.
    pub fn new(id: Cause, severity: Severity, title: impl Into<String>) -> Self {
        Self {
            id,
            severity,
            certainty: Certainty::Confirmed,
            title: title.into(),
            evidence: Vec::new(),
            fix: Vec::new(),
            about: None,
        }
    }

    /// It is about these keys, and AWS's answer about them says more of it.
    #[must_use]
    pub fn about(mut self, whose: &KeySource) -> Self {
        self.about = Some(whose.clone());
        self
    }

    /// It is only so sure.
    #[must_use]
    pub fn certainty(mut self, certainty: Certainty) -> Self {
        self.certainty = certainty;
        self
    }

    /// What was seen.
    #[must_use]
    pub fn evidence(mut self, sentence: impl Into<String>) -> Self {
        self.evidence.push(sentence.into());
        self
    }

    /// What to do.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix.push(fix);
        self
    }

    /// Several things to do.
    #[must_use]
    pub fn fixes(mut self, fixes: impl IntoIterator<Item = Fix>) -> Self {
        self.fix.extend(fixes);
        self
    }
}
