//! What is looked for: codes of AWS's, AWS's sentences where an SDK leaves the code out, and the SDKs' own sentences.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::pattern::{Kind, Pattern};
use super::sentences::SENTENCES;
use crate::core::aws_error::{self, Origin};

/// Everything that begins with `word`; codes come before sentences.
pub(super) fn beginning_with(word: &str) -> &'static [Pattern] {
    INDEX.get(word)
}

/// The code that `word` is in another spelling: `invalidclienttokenid`, `invalid-client-token-id`, `INVALID_CLIENT_TOKEN_ID`.
pub(super) fn respelt(word: &str) -> Option<Pattern> {
    if word.len() < LONG || word.len() > 64 {
        return None;
    }
    let letters = word.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase());
    INDEX.small.get(&letters.collect::<String>()).copied()
}

/// AWS's own sentences that begin with `word`, in small or capital letters.
pub(super) fn sentences_in_other_letters(word: &str) -> &'static [Pattern] {
    let first = word.get(..2).unwrap_or_default().to_ascii_lowercase();
    if word.len() > 12 || !INDEX.may_begin(&first) {
        return &[];
    }
    let is_one_case =
        word.bytes().all(|byte| byte.is_ascii_lowercase()) || word.bytes().all(|byte| byte.is_ascii_uppercase());
    if !is_one_case {
        return &[];
    }
    INDEX.small_sentences.get(&word.to_ascii_lowercase()).map(Vec::as_slice).unwrap_or_default()
}

/// The minimum length of a code that can't be another program's word.
const LONG: usize = 16;

static INDEX: LazyLock<Index> = LazyLock::new(Index::new);

/// Every word of a log is looked up: most are none by their first two letters alone.
struct Index {
    by_word: HashMap<&'static str, Vec<Pattern>>,
    /// Codes that only AWS uses, in small letters, as some tools print them.
    small: HashMap<String, Pattern>,
    /// AWS's own sentences by their first word in small letters.
    small_sentences: HashMap<String, Vec<Pattern>>,
    by_letters: Vec<bool>,
}

impl Index {
    fn new() -> Self {
        let mut by_word: HashMap<&str, Vec<Pattern>> = HashMap::new();
        let mut by_letters = vec![false; 1 << 16];
        let mut small_sentences: HashMap<String, Vec<Pattern>> = HashMap::new();
        for pattern in codes().chain(SENTENCES.iter().copied()) {
            let first = pattern.text.split(|c: char| !is_of_word(c)).next().unwrap_or_default();
            by_word.entry(first).or_default().push(pattern);
            if pattern.kind == Kind::Message {
                small_sentences.entry(first.to_ascii_lowercase()).or_default().push(pattern);
            }
            for first in [first, first.to_ascii_lowercase().as_str()] {
                if let Some(is_there) = letters(first).and_then(|letters| by_letters.get_mut(letters)) {
                    *is_there = true;
                }
            }
        }
        let of_aws = codes().filter(|pattern| pattern.kind == Kind::Code && pattern.code.len() >= LONG);
        let small = of_aws.map(|pattern| (pattern.code.to_ascii_lowercase(), pattern)).collect();
        Self { by_word, small, small_sentences, by_letters }
    }

    fn may_begin(&self, word: &str) -> bool {
        letters(word).and_then(|letters| self.by_letters.get(letters)).is_some_and(|is_there| *is_there)
    }

    fn get(&self, word: &str) -> &[Pattern] {
        if self.may_begin(word) { self.by_word.get(word).map(Vec::as_slice).unwrap_or_default() } else { &[] }
    }
}

/// The first two letters of a word as a number; no shorter word begins a pattern.
fn letters(word: &str) -> Option<usize> {
    let [first, second, ..] = word.as_bytes() else { return None };
    Some(usize::from(*first) << 8 | usize::from(*second))
}

fn codes() -> impl Iterator<Item = Pattern> {
    aws_error::entries().filter(|entry| entry.is_about_credentials()).map(|entry| {
        let kind = if entry.origin == Origin::Shared { Kind::CommonCode } else { Kind::Code };
        Pattern { text: entry.code, code: entry.code, means: entry.code, kind, beside: &[] }
    })
}

/// What words are made of.
pub(super) fn is_of_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_'
}
