//! An explanation for people.

use std::collections::HashSet;

use super::causes::RankedCause;
use super::correlate::{Explained, Explanation, Likelihood};
use crate::core::fix;

/// The number of causes shown without `--verbose`.
const MOST_CAUSES: usize = 3;
/// The number of errors shown without `--verbose`.
const MOST_ERRORS: usize = 3;

/// The explanation as text: the checked profile, then each error with its causes. Each sentence is shown once.
pub fn render(explanation: &Explanation, all: bool) -> String {
    let mut screen = Screen { all, left: if all { usize::MAX } else { MOST_CAUSES }, said: HashSet::new() };
    let looked_at = format!("{}\n{}", explanation.looked_at, fix::lines(explanation.fix.as_slice(), 0));
    let mut parts: Vec<String> = Vec::new();
    let most = if all { explanation.errors.len() } else { MOST_ERRORS };
    for error in explanation.errors.iter().take(most) {
        parts.push(screen.error(error));
    }
    let more = explanation.errors.len().saturating_sub(most);
    if more > 0 {
        parts.push(format!("{more} more {} (--verbose)\n", if more == 1 { "error" } else { "errors" }));
    }
    // Nothing was checked for errors of other servers.
    if explanation.errors.iter().any(|error| error.mention.server.is_none()) {
        parts.insert(0, looked_at);
    }
    parts.join("\n")
}

/// The sentences that were shown, and the number of causes that may follow.
struct Screen {
    all: bool,
    /// How many more causes may be shown.
    left: usize,
    said: HashSet<String>,
}

impl Screen {
    fn error(&mut self, error: &Explained) -> String {
        let mention = &error.mention;
        let of = match (&mention.operation, &mention.service) {
            (Some(operation), Some(service)) => format!(" from {service}, {operation}"),
            (Some(name), None) | (None, Some(name)) => format!(" from {name}"),
            (None, None) => String::new(),
        };
        let often = if mention.times > 1 { format!(" ({} times)", mention.times) } else { String::new() };
        let mut text = match &mention.server {
            Some(_) => format!("{}{often}\n", error.meaning),
            None => format!("{}{of}{often}: {}\n", mention.code, error.meaning),
        };
        self.sentences(&mut text, &error.says, 2);
        // A likely cause has its own fix below it.
        let is_likely = |cause: &&RankedCause| cause.likelihood <= Likelihood::Likely && !cause.fix.is_empty();
        if !error.causes.iter().any(|cause| is_likely(&cause)) {
            text.push_str(&fix::lines(&error.fix, 2));
        }
        let (ruled_out, causes): (Vec<&RankedCause>, Vec<&RankedCause>) =
            error.causes.iter().partition(|cause| cause.likelihood == Likelihood::RuledOut);
        let (shown, others) = causes.split_at(causes.len().min(self.left));
        self.left -= shown.len();
        shown.iter().for_each(|cause| self.cause(&mut text, cause));
        // An error before may have named the same ones.
        let names = others.iter().map(|cause| cause.id.name());
        let ids: Vec<&str> = names.filter(|name| self.said.insert((*name).to_owned())).collect();
        if !ids.is_empty() {
            text.push_str(&format!("  other possible causes (--verbose): {}\n", ids.join(", ")));
        }
        if !ruled_out.is_empty() && self.all {
            let sentences: Vec<&str> =
                ruled_out.iter().flat_map(|cause| cause.evidence.iter().map(String::as_str)).collect();
            text.push_str(&format!("  ruled out here: {}\n", sentences.join("; ")));
        } else if !ruled_out.is_empty() {
            let causes = if ruled_out.len() == 1 { "cause" } else { "causes" };
            text.push_str(&format!("  {} {causes} ruled out here (--verbose)\n", ruled_out.len()));
        }
        text
    }

    fn cause(&mut self, text: &mut String, cause: &RankedCause) {
        let word = match cause.likelihood {
            Likelihood::Confirmed => "confirmed",
            Likelihood::Likely => "likely",
            Likelihood::Possible | Likelihood::RuledOut => "possible",
        };
        text.push_str(&format!("  {word}: {}\n", cause.id));
        self.said.insert(cause.id.name().to_owned());
        self.sentences(text, &cause.evidence, 4);
        text.push_str(&fix::lines(&cause.fix, 4));
        // The same command may show more of several causes.
        for see in cause.see.iter().filter(|see| self.said.insert((*see).clone())) {
            text.push_str(&format!("    see: {see}\n"));
        }
    }

    fn sentences(&mut self, text: &mut String, sentences: &[String], indent: usize) {
        for sentence in sentences {
            if self.said.insert(sentence.clone()) {
                text.push_str(&format!("{:indent$}{sentence}\n", ""));
            }
        }
    }
}
