//! The type of a rule, and what it returns. A rule reads the case alone and sees no other rule's findings, so their order
//! does not matter.

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, Cause, Finding, KeySource};

pub(super) struct Rule {
    /// The causes that it can find.
    pub(super) decides: &'static [Cause],
    pub(super) look: fn(&Case<'_>, &mut Findings),
}

/// The result of one rule.
#[derive(Debug, Default)]
pub(super) struct Findings {
    pub(super) found: Vec<Finding>,
    /// The titles of the findings, for a fast comparison: a large file may have many mistakes.
    titles: BTreeSet<(Cause, String)>,
    pub(super) open: BTreeMap<Cause, String>,
    pub(super) answers: Vec<AnswerAbout>,
}

/// An answer of AWS about keys, for the finding of any rule about the same keys.
#[derive(Debug)]
pub(super) struct AnswerAbout {
    pub(super) id: Cause,
    pub(super) source: KeySource,
    pub(super) sentence: String,
    pub(super) confirms: bool,
}

impl Findings {
    /// Adds a finding, unless one with the same cause and title was added before.
    pub(super) fn add(&mut self, finding: Finding) {
        if self.titles.insert((finding.id, finding.title.clone())) {
            self.found.push(finding);
        }
    }

    pub(super) fn add_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    /// Leaves a cause open for a reason that is not among its needs. `why` is the end of a sentence.
    pub(super) fn leave_open(&mut self, id: Cause, why: impl Into<String>) {
        self.open.entry(id).or_insert_with(|| why.into());
    }

    /// Makes the finding about these keys certain: AWS's answer proves it.
    pub(super) fn confirm(&mut self, id: Cause, source: &KeySource, sentence: impl Into<String>) {
        self.answers.push(AnswerAbout { id, source: source.clone(), sentence: sentence.into(), confirms: true });
    }

    /// Adds AWS's answer to the finding about these keys: it fits, but proves nothing.
    pub(super) fn corroborate(&mut self, id: Cause, source: &KeySource, sentence: impl Into<String>) {
        self.answers.push(AnswerAbout { id, source: source.clone(), sentence: sentence.into(), confirms: false });
    }

    /// Whether this rule found the cause.
    pub(super) fn has(&self, id: Cause) -> bool {
        self.found.iter().any(|finding| finding.id == id)
    }
}
