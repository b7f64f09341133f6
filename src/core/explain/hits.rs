//! Finds the places in a text where a code or a sentence may begin.

use super::hit::Hit;
use super::patterns::{self, is_of_word};

/// Every match of a pattern.
pub(super) fn hits(text: &str) -> Vec<Hit> {
    let bytes = text.as_bytes();
    let is_of_word = |at: usize| bytes.get(at).is_some_and(|byte| is_of_word(char::from(*byte)));
    let mut hits: Vec<Hit> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let begin = at;
        while is_of_word(at) {
            at += 1;
        }
        if at == begin {
            at += 1;
        } else if at - begin >= 2
            && let (Some(word), Some(rest)) = (text.get(begin..at), text.get(begin..))
        {
            let found = patterns::beginning_with(word).iter().find_map(|pattern| {
                Some(Hit { at: begin, end: begin + matches(rest, pattern.text)?, pattern: *pattern })
            });
            let found = found.or_else(|| respelt(rest, begin, word)).or_else(|| glued(begin, word));
            hits.extend(found.or_else(|| in_other_letters(rest, begin, word)));
        }
    }
    hits
}

/// An AWS code without a blank before the message: "InvalidClientTokenIdThe security token …".
fn glued(at: usize, word: &str) -> Option<Hit> {
    let code = word.strip_suffix("The")?;
    let pattern = patterns::beginning_with(code).iter().find(|pattern| pattern.text == code)?;
    Some(Hit { at, end: at + code.len(), pattern: *pattern })
}

/// An AWS code in other letters, such as `InvalidClientTokenID`; in small ones, also with hyphens.
fn respelt(rest: &str, at: usize, word: &str) -> Option<Hit> {
    if !word.starts_with(|c: char| c.is_ascii_lowercase()) && !word.contains('_') {
        return Some(Hit { at, end: at + word.len(), pattern: patterns::respelt(word)? });
    }
    let end = rest.find(|c: char| !is_of_word(c) && c != '-').unwrap_or(rest.len());
    let [hyphened, bare] = [rest.get(..end)?, word].map(|word| (word, patterns::respelt(word)));
    [bare, hyphened].into_iter().find_map(|(word, found)| Some(Hit { at, end: at + word.len(), pattern: found? }))
}

/// One of AWS's sentences in small or capital letters only.
fn in_other_letters(rest: &str, at: usize, word: &str) -> Option<Hit> {
    let sentences = patterns::sentences_in_other_letters(word);
    let is_small = word.starts_with(|c: char| c.is_ascii_lowercase());
    sentences.iter().find_map(|pattern| {
        let text = rest.get(..pattern.text.len())?;
        let fits = text.eq_ignore_ascii_case(pattern.text)
            && (is_small || text.bytes().all(|byte| !byte.is_ascii_lowercase()));
        fits.then_some(Hit { at, end: at + pattern.text.len(), pattern: *pattern })
    })
}

/// The length of the match of `pattern` at the start of `text`; all white space is equal.
fn matches(text: &str, pattern: &str) -> Option<usize> {
    let mut rest = text;
    for c in pattern.chars() {
        rest = if c == ' ' {
            let trimmed = rest.trim_start();
            if trimmed.len() == rest.len() {
                return None;
            }
            if rest.starts_with('\n') { without_prefix(trimmed) } else { trimmed }
        } else {
            rest.strip_prefix(c)?
        };
    }
    Some(text.len() - rest.len())
}

/// A line without the prefix of `docker compose` and similar tools: `web-1  | `.
fn without_prefix(line: &str) -> &str {
    const LONGEST: usize = 40;
    let beginning = line.get(..line.floor_char_boundary(LONGEST)).unwrap_or(line);
    if let Some(rest) = line.strip_prefix(['|', '>']) {
        return rest.trim_start();
    }
    match beginning.split_once(" | ") {
        Some((prefix, _)) if !prefix.contains('\n') => line.get(prefix.len() + 3..).unwrap_or(line).trim_start(),
        _ => line,
    }
}
