//! The report as a document, and as people read it.

use serde_json::{Value, json};

use super::{Certainty, Id, Report, Severity};
use crate::core::fix;
use crate::core::printable::printable;

impl Report {
    /// `evercred.doctor/1`.
    pub fn document(&self) -> Value {
        let not_checked: Vec<Value> = self.not_checked.iter().map(|(id, why)| json!({"id": id, "why": why})).collect();
        let choices: Vec<Value> =
            self.choices.iter().map(|(client, uses)| json!({"client": client.called(), "uses": uses.said()})).collect();
        json!({
            "schema": "evercred.doctor/1",
            "profile": self.profile,
            "identity": self.identity,
            "choices": choices,
            "findings": self.findings,
            "checked": self.checked,
            "not_checked": not_checked,
        })
    }

    /// Whether something is wrong that AWS refuses for.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The report as text, what to deal with first on top.
    pub fn text(&self) -> String {
        let mut text = match &self.profile {
            Some(profile) => format!("profile {}\n", printable(profile)),
            None => "no profile: what the variables of this shell choose\n".to_owned(),
        };
        if let Some((_, first)) = self.choices.first()
            && self.choices.iter().all(|(_, uses)| uses == first)
        {
            text.push_str(&format!("programs here use {}\n", first.said()));
        }
        if let Some(identity) = &self.identity {
            text.push_str(&format!("AWS identifies them as {}\n", identity.arn));
        }
        for finding in &self.findings {
            text.push_str(&format!("\n{} {}: {}\n", label(finding.severity), finding.id, finding.title));
            if let Some(sure) = how_sure(finding.certainty) {
                text.push_str(&format!("    {sure}\n"));
            }
            for sentence in &finding.evidence {
                text.push_str(&format!("    - {sentence}\n"));
            }
            text.push_str(&fix::lines(&finding.fix, 4));
        }
        let good: Vec<&Id> =
            self.checked.iter().filter(|id| !self.findings.iter().any(|finding| finding.id == **id)).collect();
        if self.findings.is_empty() {
            text.push_str("\nnothing was found that AWS would refuse\n");
        }
        text.push_str(&format!("\nlooked for and not found ({}):\n", good.len()));
        for id in good {
            text.push_str(&format!("    ok {id}: {}\n", id.ruled_out()));
        }
        if !self.not_checked.is_empty() {
            text.push_str("\nnot looked at:\n");
            for (id, why) in &self.not_checked {
                text.push_str(&format!("    ?  {id}: {why}\n"));
            }
        }
        text
    }
}

fn label(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "ERROR",
        Severity::Warning => "WARNING",
        Severity::Info => "INFO",
    }
}

fn how_sure(certainty: Certainty) -> Option<&'static str> {
    match certainty {
        Certainty::Confirmed => None,
        Certainty::Likely => Some("this is likely, not certain"),
        Certainty::Possible => Some("this is possible, and not certain"),
    }
}
