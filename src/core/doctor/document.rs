//! The report as a document, and as people read it.

use serde_json::{Value, json};

use super::{Cause, Certainty, Report, Severity};
use crate::core::fix;

impl Report {
    /// `evercred.doctor/1`.
    pub fn document(&self) -> Value {
        let not_checked: Vec<Value> = self.not_checked.iter().map(|(id, why)| json!({"id": id, "why": why})).collect();
        let choices: Vec<Value> =
            self.choices.iter().map(|(client, uses)| json!({"client": client.label(), "uses": uses.label()})).collect();
        json!({
            "schema": "evercred.doctor/1",
            "profile": self.profile,
            "verdict": self.verdict.document(),
            "identity": self.identity,
            "choices": choices,
            "findings": self.findings,
            "checked": self.checked,
            "not_checked": not_checked,
        })
    }

    /// Whether a finding is an error.
    pub fn has_errors(&self) -> bool {
        self.findings.iter().any(|finding| finding.severity == Severity::Error)
    }

    /// The report as text: the verdict, the findings, and the number of causes that were ruled out. `verbose` lists
    /// those too.
    pub fn text(&self, verbose: bool) -> String {
        let mut text = format!("{}\n", self.verdict.line(self.identity.as_ref(), self.region.as_deref()));
        for finding in &self.findings {
            text.push_str(&format!("\n{} {}", label(finding.severity), finding.id));
            // The verdict has the title of the first error.
            if !self.verdict.gives(&finding.title) {
                text.push_str(&format!(": {}", finding.title));
            }
            text.push('\n');
            if let Some(sure) = how_sure(finding.certainty) {
                text.push_str(&format!("    {sure}\n"));
            }
            for sentence in &finding.evidence {
                text.push_str(&format!("    - {sentence}\n"));
            }
            text.push_str(&fix::lines(&finding.fix, 4));
        }
        let is_found = |id: &&Cause| self.findings.iter().any(|finding| finding.id == **id);
        let ruled_out: Vec<&Cause> = self.checked.iter().filter(|id| !is_found(id)).collect();
        let counts = format!("{} causes ruled out, {} not checked", ruled_out.len(), self.not_checked.len());
        if !verbose {
            text.push_str(&format!("\n{counts} (--verbose)\n"));
            return text;
        }
        if let Some((_, first)) = self.choices.first()
            && self.choices.iter().all(|(_, uses)| uses == first)
        {
            text.push_str(&format!("\nprograms here use {}\n", first.label()));
        }
        text.push_str(&format!("\n{counts}:\n"));
        for id in ruled_out {
            text.push_str(&format!("    ok {id}: {}\n", id.ruled_out()));
        }
        for (id, why) in &self.not_checked {
            text.push_str(&format!("    ?  {id}: {why}\n"));
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
