//! An explanation for people.

use super::join::{Cause, Explained, Explanation, Likelihood};
use crate::core::fix;

/// The number of causes shown per error without `--verbose`.
const MOST_CAUSES: usize = 3;

/// As text.
pub fn render(explanation: &Explanation, all_causes: bool) -> String {
    explanation.errors.iter().map(|error| one(error, all_causes)).collect::<Vec<_>>().join("\n")
}

fn one(error: &Explained, all_causes: bool) -> String {
    let mention = &error.mention;
    let of = match (&mention.operation, &mention.service) {
        (Some(operation), Some(service)) => format!(" from {service}, {operation}"),
        (Some(name), None) | (None, Some(name)) => format!(" from {name}"),
        (None, None) => String::new(),
    };
    let often = if mention.times > 1 { format!(" ({} times)", mention.times) } else { String::new() };
    let mut text = format!("{}{of}{often}: {}\n", mention.code, error.meaning);
    for sentence in &error.says {
        text.push_str(&format!("  {sentence}\n"));
    }
    // Where a cause is likely, its own fix stands below it.
    let is_likely = |cause: &&Cause| cause.likelihood <= Likelihood::Likely && !cause.fix.is_empty();
    if !error.causes.iter().any(|cause| is_likely(&cause)) {
        text.push_str(&fix::lines(&error.fix, 2));
    }
    let causes: Vec<&Cause> = error.causes.iter().filter(|cause| cause.likelihood != Likelihood::RuledOut).collect();
    let shown = if all_causes { causes.len() } else { causes.len().min(MOST_CAUSES) };
    let (shown, others) = causes.split_at(shown);
    for cause in shown {
        let word = match cause.likelihood {
            Likelihood::Confirmed => "confirmed",
            Likelihood::Likely => "likely",
            Likelihood::Possible | Likelihood::RuledOut => "possible",
        };
        text.push_str(&format!("  {word}: {}\n", cause.id));
        for sentence in &cause.evidence {
            text.push_str(&format!("    {sentence}\n"));
        }
        text.push_str(&fix::lines(&cause.fix, 4));
    }
    if !others.is_empty() {
        let ids: Vec<&str> = others.iter().map(|cause| cause.id.name()).collect();
        text.push_str(&format!("  other possible causes (--verbose shows them): {}\n", ids.join(", ")));
    }
    let ruled_out: Vec<&str> = error
        .causes
        .iter()
        .filter(|cause| cause.likelihood == Likelihood::RuledOut)
        .flat_map(|cause| cause.evidence.iter().map(String::as_str))
        .collect();
    if !ruled_out.is_empty() {
        text.push_str(&format!("  ruled out here: {}\n", ruled_out.join("; ")));
    }
    text
}
