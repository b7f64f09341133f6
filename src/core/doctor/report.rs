//! What was found, how sure that is, and what was looked for without finding anything.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Client, Id, Uses, Whose};
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
    pub id: Id,
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
    /// Whose keys it is about, where an answer of AWS about these keys says more of it.
    #[serde(skip)]
    pub(super) about: Option<Whose>,
}

impl Finding {
    /// A confirmed finding.
    pub fn new(id: Id, severity: Severity, title: impl Into<String>) -> Self {
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
    pub fn about(mut self, whose: &Whose) -> Self {
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

/// What is gathered while the rules look.
#[derive(Debug, Default)]
pub struct Findings {
    found: Vec<Finding>,
    /// The titles of what was found: a large file has many mistakes.
    titles: BTreeSet<(Id, String)>,
    /// Looked for to the end: where nothing of the kind was found, there is nothing of the kind.
    settled: Vec<Id>,
    not_checked: BTreeMap<Id, String>,
}

impl Findings {
    /// Something was found. The same thing with the same title is found once.
    pub fn add(&mut self, finding: Finding) {
        if self.titles.insert((finding.id, finding.title.clone())) {
            self.found.push(finding);
        }
    }

    /// Adds what was found, if anything was.
    pub fn add_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    /// These were looked for to the end.
    pub fn looked_for(&mut self, ids: &[Id]) {
        self.settled.extend(ids);
    }

    /// This could not be looked for to the end; `why` is the end of a sentence. The first reason stands.
    pub fn not_looked_for(&mut self, id: Id, why: impl Into<String>) {
        self.not_checked.entry(id).or_insert_with(|| why.into());
    }

    /// What was seen besides settles what was found about these keys. Whether there was such a finding.
    pub fn settle(&mut self, id: Id, about: &Whose, seen: &str) -> bool {
        let Some(finding) = self.find(id, about) else { return false };
        finding.certainty = Certainty::Confirmed;
        finding.severity = Severity::Error;
        finding.evidence.push(seen.to_owned());
        true
    }

    /// What was seen besides goes with what was found about these keys, and does not make it surer. How sure it is; `None` where
    /// there is no such finding.
    pub fn support(&mut self, id: Id, about: &Whose, seen: &str) -> Option<Certainty> {
        let finding = self.find(id, about)?;
        finding.evidence.push(seen.to_owned());
        Some(finding.certainty)
    }

    fn find(&mut self, id: Id, about: &Whose) -> Option<&mut Finding> {
        self.found.iter_mut().find(|finding| finding.id == id && finding.about.as_ref() == Some(about))
    }

    /// Whether something of the kind was found.
    pub fn has(&self, id: Id) -> bool {
        self.found.iter().any(|finding| finding.id == id)
    }

    /// Whether something of the kind was found of these keys.
    pub fn has_of(&self, id: Id, about: &Whose) -> bool {
        self.found.iter().any(|finding| finding.id == id && finding.about.as_ref() == Some(about))
    }

    /// Findings in the order in which they should be dealt with: errors first, of them what keeps others from being looked
    /// at, then what is sure, and else as they were found, causes before what comes of them.
    pub(super) fn into_report(
        self,
        profile: Option<String>,
        lacks_profile: bool,
        choices: Vec<(Client, Uses)>,
    ) -> Report {
        let Self { mut found, titles: _, settled, mut not_checked } = self;
        found.sort_by_key(|finding| (finding.severity, rank(finding.id), finding.certainty));
        not_checked.retain(|id, _| !found.iter().any(|finding| finding.id == *id));
        let checked = Id::ALL.iter().copied().filter(|id| settled.contains(id) || found.iter().any(|f| f.id == *id));
        let checked = checked.filter(|id| !not_checked.contains_key(id)).collect();
        Report { profile, lacks_profile, identity: None, choices, findings: found, checked, not_checked }
    }
}

/// What has to be mended before anything else can be seen.
fn rank(id: Id) -> u8 {
    match id {
        Id::NetworkUnreachable => 0,
        Id::ClockSkewed | Id::ClockZone => 1,
        Id::ProfileBroken | Id::FilePermissions | Id::CredentialsMissing => 2,
        _ => 3,
    }
}

/// The identity of credentials, from AWS.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Identity {
    /// The user or role.
    pub arn: String,
    /// The twelve digits of the account.
    pub account_id: Option<String>,
}

/// The whole result.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// The profile that was looked at, where there is one.
    pub profile: Option<String>,
    /// Whether that profile is in no file.
    pub lacks_profile: bool,
    /// The identity of the credentials that the AWS CLI uses here, if AWS returned it.
    pub identity: Option<Identity>,
    /// What each kind of program would use here.
    pub choices: Vec<(Client, Uses)>,
    /// What was found, in the order in which to deal with it.
    pub findings: Vec<Finding>,
    /// What was looked for to the end.
    pub checked: Vec<Id>,
    /// What could not be looked for to the end, and why.
    pub not_checked: BTreeMap<Id, String>,
}
