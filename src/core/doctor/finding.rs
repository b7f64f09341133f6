//! A finding, and how serious and how certain it is.

use serde::Serialize;

use super::{Case, Cause, KeySource, server};
use crate::core::aws_error::CalledService;
use crate::core::fix::Fix;

/// The severity of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Requests fail, or will fail soon.
    Error,
    /// Requests work now, but may fail later.
    Warning,
    /// A fact that explains other results.
    Info,
}

/// The certainty of a finding.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Certainty {
    /// Seen on this machine or in AWS's answer.
    Confirmed,
    /// The usual cause of the evidence.
    Likely,
    /// One of several causes that AWS does not tell apart.
    Possible,
}

/// A cause that was found, with its evidence.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The cause.
    pub id: Cause,
    /// Error, warning or information.
    pub severity: Severity,
    /// Confirmed, likely or possible.
    pub certainty: Certainty,
    /// The result, as a sentence.
    pub title: String,
    /// The evidence, one sentence each, without secrets.
    pub evidence: Vec<String>,
    /// The fixes, the best one first.
    pub fix: Vec<Fix>,
    /// The keys that the finding is about: AWS's answers about them are added to it.
    #[serde(skip)]
    pub(super) about: Option<KeySource>,
    /// The source of the evidence.
    #[serde(skip)]
    pub(super) basis: Basis,
}

/// The source of a finding's evidence.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Basis {
    /// The files, variables and programs of this machine.
    #[default]
    Machine,
    /// An answer of AWS.
    Aws,
    /// An answer of a server that is not one of AWS's hosts: it says nothing about AWS.
    OtherServer,
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
            basis: Basis::Machine,
        }
    }

    /// A confirmed error.
    pub fn error(id: Cause, title: impl Into<String>) -> Self {
        Self::new(id, Severity::Error, title)
    }

    /// A confirmed warning.
    pub fn warning(id: Cause, title: impl Into<String>) -> Self {
        Self::new(id, Severity::Warning, title)
    }

    /// A confirmed fact that explains other results.
    pub fn info(id: Cause, title: impl Into<String>) -> Self {
        Self::new(id, Severity::Info, title)
    }

    /// Sets the keys that the finding is about.
    #[must_use]
    pub fn about(mut self, source: &KeySource) -> Self {
        self.about = Some(source.clone());
        self
    }

    /// The finding rests on an answer of this service. If a setting sends the calls to another server than AWS, the title
    /// names both, the setting is the first evidence, and its removal the first fix.
    #[must_use]
    pub(super) fn answered_by(self, case: &Case<'_>, service: CalledService) -> Self {
        let Some(server) = server::other_server(case, service) else { return Self { basis: Basis::Aws, ..self } };
        let evidence = std::iter::once(server.sends(service)).chain(self.evidence).collect();
        let title = server.says(&self.title);
        Self { basis: Basis::OtherServer, title, evidence, ..self }.fixes_first([server.removal])
    }

    /// Adds fixes at AWS, unless another server gave the answer.
    #[must_use]
    pub(super) fn fixes_at_aws(self, fixes: impl IntoIterator<Item = Fix>) -> Self {
        if self.basis == Basis::OtherServer { self } else { self.fixes(fixes) }
    }

    /// Sets the certainty.
    #[must_use]
    pub fn certainty(mut self, certainty: Certainty) -> Self {
        self.certainty = certainty;
        self
    }

    /// Adds a sentence of evidence.
    #[must_use]
    pub fn evidence(mut self, sentence: impl Into<String>) -> Self {
        self.evidence.push(sentence.into());
        self
    }

    /// Adds sentences of evidence.
    #[must_use]
    pub fn evidence_of(mut self, sentences: impl IntoIterator<Item = impl Into<String>>) -> Self {
        self.evidence.extend(sentences.into_iter().map(Into::into));
        self
    }

    /// Adds a fix.
    #[must_use]
    pub fn fix(mut self, fix: Fix) -> Self {
        self.fix.push(fix);
        self
    }

    /// Adds fixes before the others.
    #[must_use]
    pub(super) fn fixes_first(mut self, fixes: impl IntoIterator<Item = Fix>) -> Self {
        self.fix.splice(..0, fixes);
        self
    }

    /// Adds fixes.
    #[must_use]
    pub fn fixes(mut self, fixes: impl IntoIterator<Item = Fix>) -> Self {
        self.fix.extend(fixes);
        self
    }
}
