//! Finds the beginning and the end of the value of a name, and decides whether it is a value.

use super::forms::holds_secret;
use super::names::{self, Kind};
use super::scan::{REACH, Scan, What, is_of_word};
use super::words::{PUNCTUATION, is_harmless, is_plain};

/// The beginning of a possible value, and the evidence that it is one.
pub(super) struct Candidate {
    pub(super) at: usize,
    /// `=` or `:`, and how many times it is escaped.
    pub(super) sign: Option<(char, u8)>,
    /// Whether there are blanks before the value.
    pub(super) spaced: bool,
    /// Whether it is on the next line.
    pub(super) below: bool,
    /// Whether "is" or "was" comes before it.
    pub(super) is_told: bool,
}

impl Scan<'_> {
    /// The possible value of a name: after signs, other columns and the word "value".
    pub(super) fn candidate(&self, name_end: usize) -> Option<Candidate> {
        let mut at = name_end;
        let mut value = Candidate { at, sign: None, spaced: false, below: false, is_told: false };
        // The quotation mark of the name.
        let is_quoted = self.c(at).is_some_and(|c| matches!(c, '"' | '\'' | '`'));
        at += usize::from(is_quoted);
        if self.c(at) == Some('(') {
            return None;
        }
        let mut words = 0;
        while at < name_end + REACH {
            let c = self.c(at)?;
            let sign = match (c, self.c(at + 1)) {
                ('=', Some('>')) => Some(2),
                ('-', Some('>')) if self.before_of(at) != Some('-') => Some(2),
                (':', Some('=')) | ('=', Some('=')) => Some(2),
                ('=' | ':' | '→' | '⇒', _) => Some(1),
                _ => None,
            };
            if let Some(length) = sign {
                if c == ':' && self.c(at + 1) == Some('/') && self.c(at + 2) == Some('/') {
                    return None;
                }
                let sign = if c == ':' && length == 1 { ':' } else { '=' };
                value.sign = match value.sign {
                    Some(before @ ('=', _)) => Some(before),
                    _ => Some((sign, self.level(at))),
                };
                at += length;
                value.spaced = self.c(at).is_some_and(char::is_whitespace);
            } else if c == '\n' {
                // At most one line further; without a sign, only to a line with nothing but the value.
                if value.below {
                    return None;
                }
                value.below = true;
                at += 1;
            } else if c.is_whitespace() {
                value.spaced = true;
                at += 1;
            } else if c == ',' && !is_quoted && value.sign.is_none() && self.c(at + 1).is_some_and(char::is_whitespace)
            {
                return None;
            } else if matches!(c, ',' | '|' | ')' | ']' | '}' | '>') && value.sign.is_none() && words == 0 {
                at += 1;
            } else if matches!(c, '|' | '>') && self.near(at, |letter| letter.c == '\n') <= at + 2 {
                // A block of YAML.
                at += 1;
            } else if c == '<' && value.sign.is_none() {
                let close = self.near(at, |letter| letter.c == '>' || letter.c == '\n');
                if self.c(close) != Some('>') || close - at > 64 {
                    break;
                }
                at = close + 1;
            } else {
                // "Value": "…"
                let from = at + usize::from(matches!(c, '"' | '\''));
                let end = self.near(from, |letter| !is_of_word(letter.c));
                if words < 2 && value.sign.is_none() && end - from < 8 && names::leads_to_value(&self.text(from, end)) {
                    words += 1;
                    let is_verb = matches!(self.c(from), Some('i' | 'w' | 'I' | 'W'));
                    value.is_told |= is_verb;
                    at = end + usize::from(end > from && from > at && !is_verb);
                    continue;
                }
                break;
            }
        }
        value.at = at;
        if value.below && value.sign.is_none() {
            let end = self.near(at, |letter| letter.c.is_whitespace());
            let is_alone = self.c(end).is_none_or(|c| c == '\n') && !is_plain(&self.text(at, end.min(at + REACH)));
            if !is_alone {
                return None;
            }
        }
        self.c(at).map(|_| value)
    }

    /// The closing quotation mark and the length of an opening one (`b'`, `@"`).
    pub(super) fn opening(&self, at: usize) -> Option<char> {
        match self.c(at)? {
            c @ ('"' | '\'' | '`') => Some(c),
            '“' | '„' | '”' => Some('”'),
            '‘' => Some('’'),
            '«' => Some('»'),
            'b' | 'u' | 'r' | 'f' | '@' | '$' => self.c(at + 1).filter(|c| matches!(c, '"' | '\'')),
            _ => None,
        }
    }

    /// The end of a value.
    pub(super) fn value_end(&self, value: &Candidate, name_end: usize) -> usize {
        if let Some(quote) = self.opening(value.at) {
            let mark = if self.c(value.at) == Some(quote)
                || !self.c(value.at).is_some_and(|c| c.is_ascii_alphanumeric() || matches!(c, '@' | '$'))
            {
                value.at
            } else {
                value.at + 1
            };
            let level = self.level(mark);
            let close = self.find(mark + 1, |letter| letter.c == quote && letter.level <= level);
            // Up to the end of the word: `'it'\''s'`.
            return self.find((close + 1).min(self.letters.len()), |letter| {
                letter.c.is_whitespace()
                    || matches!(letter.c, ',' | '}' | ']' | ')' | '<' | '>' | ';' | '&' | '|' | '"' | '\'')
            });
        }
        if let (Some(open @ ('[' | '{')), Some(_)) = (self.c(value.at), value.sign) {
            return self.bracket_end(value.at, open, if open == '[' { ']' } else { '}' });
        }
        let level = value.sign.map_or_else(|| self.level(name_end), |(_, level)| level);
        let mut at = value.at;
        while self.c(at).is_some_and(|c| !(c.is_whitespace() && self.level(at) <= level)) && !self.closes(at) {
            at += 1;
        }
        at
    }

    pub(super) fn bracket_end(&self, at: usize, open: char, close: char) -> usize {
        let mut depth = 0_usize;
        for (n, letter) in self.letters.get(at..).unwrap_or_default().iter().enumerate() {
            if letter.c == open {
                depth += 1;
            } else if letter.c == close {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at + n + 1;
                }
            }
        }
        self.letters.len()
    }

    /// The end of the line, or of the quotation around the name.
    pub(super) fn line_end(&self, name_at: usize, value: &Candidate) -> usize {
        let quote = self.before_of(name_at).filter(|c| matches!(c, '"' | '\'' | '`'));
        let level = self.level(name_at.saturating_sub(1));
        let of_sign = value.sign.map_or(0, |(_, level)| level);
        self.find(value.at, |letter| {
            (letter.c == '\n' && letter.level <= of_sign)
                || quote.is_some_and(|q| letter.c == q && letter.level <= level)
        })
    }

    pub(super) fn is_plain_at(&self, at: usize) -> bool {
        let end = self.near(at, |letter| letter.c.is_whitespace());
        let word = self.text(at, end);
        is_plain(&word) || word.trim_matches(PUNCTUATION).split('-').all(is_plain)
    }

    /// Whether the text continues a sentence or is harmless. `strictly`: the name before it is not an English word.
    pub(super) fn is_said(&self, value: &Candidate, strictly: bool) -> bool {
        let quoted = self.opening(value.at).is_some();
        let from = value.at + usize::from(quoted || matches!(self.c(value.at), Some('(' | '[' | '{')));
        let quote = self.opening(value.at);
        let to = self.near(from, |letter| if quoted { Some(letter.c) == quote } else { letter.c.is_whitespace() });
        if to.saturating_sub(from) >= REACH {
            return false;
        }
        let text = self.text(from, to);
        let whole = text.trim_matches(PUNCTUATION);
        if whole.is_empty() {
            return true;
        }
        if self.is_name(from) {
            return true;
        }
        if strictly {
            return !quoted && (names::goes_on(whole) || whole.starts_with("arn:"));
        }
        whole.split(' ').all(is_harmless)
    }

    /// Whether there is an identifier at this position, quoted or not.
    pub(super) fn is_identifier(&self, at: usize) -> bool {
        let from = at + usize::from(self.opening(at).is_some());
        let end = self.near(from, |letter| letter.c.is_whitespace() || matches!(letter.c, '"' | '\''));
        let text = self.text(from, end);
        text.trim_matches(PUNCTUATION).chars().all(|c| c.is_ascii_alphabetic() || matches!(c, '_' | '-' | '.' | '\\'))
    }

    /// Whether another name with its own value begins at this position.
    pub(super) fn is_name(&self, at: usize) -> bool {
        let end = self.near(at, |letter| !is_of_word(letter.c));
        let word = self.text(at, end);
        let is_assigned = self.c(end) == Some('=') && names::kind(&word) != Kind::None;
        is_assigned || names::is_of_aws(&word)
    }

    /// Whether the rest of the line is a sentence.
    pub(super) fn is_sentence(&self, at: usize) -> bool {
        let end = self.near(at, |letter| letter.c == '\n');
        let text = self.text(at, end);
        let words: Vec<&str> = text.split_whitespace().collect();
        words.len() > 1 && words.iter().take(3).all(|word| is_harmless(word.trim_matches(PUNCTUATION)))
    }

    /// A value in the form of an access key id, and of nothing else.
    pub(super) fn is_shown_id(&self, from: usize) -> bool {
        let text = self.text(from, from + 64);
        let id = text.trim_start_matches(|c: char| c.is_whitespace() || PUNCTUATION.contains(&c));
        let id = id.split(|c: char| c.is_whitespace() || "\"'`,&;})]<".contains(c)).next().unwrap_or(id);
        crate::core::access_key::shown(id) == id
    }

    /// A word for a missing value.
    pub(super) fn is_nothing(&self, from: usize, to: usize) -> bool {
        let text = self.text(from, to.min(from + 32)).to_ascii_lowercase();
        let bare = text.trim_matches(|c: char| !c.is_ascii_alphanumeric() && c != '$');
        let is_variable = self.what == What::Command
            && bare.strip_prefix('$').is_some_and(|name| {
                name.trim_matches(['{', '}']).bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
                    || name.starts_with('(')
            });
        let is_file = self.what == What::Command
            && (bare.starts_with("file:") || text.starts_with(['/', '~', '@']) || text.starts_with("./"))
            && !holds_secret(&self.text(from, to), false);
        is_variable
            || is_file
            || matches!(
                bare,
                "" | "null" | "none" | "nil" | "true" | "false" | "undefined" | "hidden" | "redacted" | "value"
            )
    }
}
