//! The rules, and what drives them. A rule looks at the case alone: it sees no other rule's findings, so their order does not matter. The
//! driver computes what was checked: each cause that was found, and each whose needs are all known (see `open`).

use std::collections::{BTreeMap, BTreeSet};

use super::{Case, Certainty, Finding, Id, Severity, Whose, open};

/// One rule.
pub(super) struct Rule {
    /// The causes that it can find.
    pub(super) decides: &'static [Id],
    /// Finds them.
    pub(super) look: fn(&Case<'_>, &mut Findings),
}

/// What one rule found.
#[derive(Debug, Default)]
pub(super) struct Findings {
    found: Vec<Finding>,
    /// The titles of what was found: a large file has many mistakes.
    titles: BTreeSet<(Id, String)>,
    open: BTreeMap<Id, String>,
    answers: Vec<AnswerAbout>,
}

/// An answer of AWS about keys, for a finding of whichever rule about the same keys.
#[derive(Debug)]
struct AnswerAbout {
    id: Id,
    whose: Whose,
    sentence: String,
    confirms: bool,
}

impl Findings {
    /// Something was found. The same thing with the same title is found once.
    pub(super) fn add(&mut self, finding: Finding) {
        if self.titles.insert((finding.id, finding.title.clone())) {
            self.found.push(finding);
        }
    }

    /// Adds what was found, if anything was.
    pub(super) fn add_all(&mut self, findings: impl IntoIterator<Item = Finding>) {
        findings.into_iter().for_each(|finding| self.add(finding));
    }

    /// The rule could not check this for a reason of its own, besides the needs of the cause; `why` is the end of a sentence.
    pub(super) fn leave_open(&mut self, id: Id, why: impl Into<String>) {
        self.open.entry(id).or_insert_with(|| why.into());
    }

    /// AWS's answer makes what was found of these keys certain.
    pub(super) fn confirm(&mut self, id: Id, whose: &Whose, sentence: impl Into<String>) {
        self.answers.push(AnswerAbout { id, whose: whose.clone(), sentence: sentence.into(), confirms: true });
    }

    /// AWS's answer fits what was found of these keys, and does not make it certain.
    pub(super) fn corroborate(&mut self, id: Id, whose: &Whose, sentence: impl Into<String>) {
        self.answers.push(AnswerAbout { id, whose: whose.clone(), sentence: sentence.into(), confirms: false });
    }

    /// Whether this rule found something of the kind.
    pub(super) fn has(&self, id: Id) -> bool {
        self.found.iter().any(|finding| finding.id == id)
    }

    /// What this rule found.
    pub(super) fn found(self) -> Vec<Finding> {
        self.found
    }
}

/// The findings of all rules, and what is known of the other causes.
#[derive(Debug, Default)]
pub(super) struct Checked {
    /// The findings in the order in which to deal with them.
    pub(super) findings: Vec<Finding>,
    /// The causes that were found or ruled out.
    pub(super) checked: Vec<Id>,
    /// The causes that are open, and why.
    pub(super) not_checked: BTreeMap<Id, String>,
}

/// Runs rules. The number of a rule is its place in the list of all of them, whatever runs first.
pub(super) fn run<'r>(case: &Case<'_>, rules: impl IntoIterator<Item = (usize, &'r Rule)>) -> Checked {
    let mut results: Vec<(usize, Findings)> = Vec::new();
    let mut decided: BTreeSet<Id> = BTreeSet::new();
    for (number, rule) in rules {
        let mut findings = Findings::default();
        (rule.look)(case, &mut findings);
        debug_assert!(findings.found.iter().all(|finding| rule.decides.contains(&finding.id)), "{findings:?}");
        decided.extend(rule.decides);
        results.push((number, findings));
    }
    results.sort_by_key(|(number, _)| *number);
    let (mut all, mut answers, mut left_open) = (Findings::default(), Vec::new(), BTreeMap::new());
    for (_, findings) in results {
        all.add_all(findings.found);
        answers.extend(findings.answers);
        for (id, why) in findings.open {
            left_open.entry(id).or_insert(why);
        }
    }
    let mut findings = all.found;
    answers.into_iter().for_each(|answer| join(&mut findings, answer));
    findings.sort_by_key(|finding| (finding.severity, precedence(finding.id), finding.certainty));
    let is_found = |id: Id| findings.iter().any(|finding| finding.id == id);
    let (mut checked, mut not_checked) = (Vec::new(), BTreeMap::new());
    for id in Id::ALL.iter().copied().filter(|id| decided.contains(id)) {
        match left_open.remove(&id).or_else(|| open::why(case, id)).filter(|_| !is_found(id)) {
            Some(why) => _ = not_checked.insert(id, why),
            None => checked.push(id),
        }
    }
    Checked { findings, checked, not_checked }
}

/// Adds AWS's answer to the finding about the same keys.
fn join(findings: &mut [Finding], answer: AnswerAbout) {
    let of_keys = |finding: &&mut Finding| finding.id == answer.id && finding.about.as_ref() == Some(&answer.whose);
    let Some(finding) = findings.iter_mut().find(of_keys) else { return };
    finding.evidence.push(answer.sentence);
    if answer.confirms {
        finding.certainty = Certainty::Confirmed;
        finding.severity = Severity::Error;
    }
}

/// What has to be fixed before anything else can be checked comes first.
fn precedence(id: Id) -> u8 {
    match id {
        Id::NetworkUnreachable => 0,
        Id::ClockSkewed | Id::ClockZone => 1,
        Id::ProfileBroken | Id::FilePermissions | Id::CredentialsMissing => 2,
        _ => 3,
    }
}
