//! Marks secrets by their form: keys and tokens, also if a terminal has wrapped them, and the user information of URLs.

use super::forms::{Mix, begins_as_token, is_of_secret, is_random, looks_secret};
use super::letters::Letter;
use super::scan::{REACH, Scan};
use super::words::{is_harmless, is_plain};

/// The minimum length of a token.
const SHORTEST: usize = 10;
/// The length of a secret access key.
const KEY: usize = 40;

impl Scan<'_> {
    /// RFC 7468: "-----BEGIN PRIVATE KEY-----" up to the end of the line with its "-----END".
    pub(super) fn keys(&mut self) {
        let begins = |at: usize, mark: &str| mark.chars().enumerate().all(|(n, c)| self.c(at + n) == Some(c));
        let mut at = 0;
        let mut blocks = Vec::new();
        while at < self.letters.len() {
            if self.c(at) == Some('-') && begins(at, "-----BEGIN") {
                let mut end = at + 1;
                while end < self.letters.len() && !begins(end, "-----END") {
                    end += 1;
                }
                let end = self.find(end.saturating_add(8).min(self.letters.len()), |letter| letter.c == '-');
                let end = self.find(end, |letter| letter.c != '-');
                blocks.push((at, end));
                at = end;
            }
            at += 1;
        }
        self.hidden.append(&mut blocks);
    }

    /// Marks secrets by their form.
    pub(super) fn formed(&mut self) {
        let letters = self.letters;
        let arns = std::mem::take(&mut self.arns);
        arns.iter().for_each(|(from, end)| self.in_names(*from, *end));
        let mut arns = arns.into_iter().peekable();
        let mut at = 0;
        while at < letters.len() {
            if arns.next_if(|(_, end)| *end <= at).is_some() {
                continue;
            }
            let is_arn = arns.peek().is_some_and(|(from, end)| (*from..*end).contains(&at));
            let is_of_run = |c: char| if is_arn { c.is_ascii_alphanumeric() || c == '+' } else { is_of_secret(c) };
            if !self.c(at).is_some_and(is_of_run) {
                at += 1;
                continue;
            }
            let end = self.find(at, |letter| !is_of_run(letter.c));
            if end - at < SHORTEST && self.c(end) != Some('.') {
                self.user_of_url(end);
                at = end;
                continue;
            }
            let run = self.text(at, end);
            let is_of_file =
                self.before_of(at) == Some('/') || run.starts_with('/') && !looks_secret(run.trim_start_matches('/'));
            let with_dots = self.text(at, self.near(at, |letter| !(is_of_run(letter.c) || letter.c == '.')));
            if !is_of_file && (looks_secret(&run) || run.split('=').any(looks_secret) || begins_as_token(&with_dots))
                || (is_of_file && run.len() >= 100)
            {
                let dotted = self.find(at, |letter| !(is_of_secret(letter.c) || letter.c == '.'));
                at = self.hide(at, dotted.max(end));
                continue;
            }
            // After a name: `x=ghp_…` is one run.
            let pieces = with_dots.match_indices(['=', '/', '-']).take(8).map(|(n, _)| n + 1);
            if let Some(n) = pieces.into_iter().find(|n| with_dots.get(*n..).is_some_and(begins_as_token)) {
                let from = at + with_dots.get(..n).map_or(0, |before| before.chars().count());
                at = self.hide(from, self.find(from, |letter| !(is_of_secret(letter.c) || letter.c == '.')));
                continue;
            }
            self.user_of_url(end);
            at = end;
        }
    }

    /// Secrets in the place of a name in an ARN or a URL. A secret access key may contain slashes, which also separate names.
    fn in_names(&mut self, from: usize, end: usize) {
        let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '+' | '=');
        let mut names: Vec<(usize, usize)> = Vec::new();
        let mut at = from;
        while at < end {
            let to = self.find_before(end, at, |letter| !is_of_name(letter.c));
            let is_start = to > at && self.before_of(at).is_some_and(|c| !is_of_secret(c) || c == '/');
            if is_start && begins_as_token(&self.text(at, end.min(at + REACH))) {
                at = self.hide(at, self.find_before(end, at, |letter| !(is_of_secret(letter.c) || letter.c == '.')));
                continue;
            }
            if to > at {
                // Only a slash continues a key.
                if self.before_of(at) != Some('/') {
                    names.clear();
                }
                names.push((at, to));
                names.retain(|(first, _)| to - first <= KEY);
                let key = names.iter().find(|(first, _)| to - first == KEY && is_random(&self.text(*first, to)));
                if let Some((first, _)) = key {
                    self.hide(*first, to);
                } else if is_random(&self.text(at, to)) {
                    self.hide(at, to);
                }
            }
            at = to + 1;
        }
    }

    /// The user information of a URL (RFC 3986, section 3.2.1), also with characters that should be escaped.
    pub(super) fn user_of_url(&mut self, end: usize) {
        let from = if self.c(end) == Some(':') && self.c(end + 1) == Some('/') && self.c(end + 2) == Some('/') {
            end + 3
        } else {
            return;
        };
        let limit = (from + 4 * REACH).min(self.letters.len());
        // One URL may be a parameter of another.
        if from >= self.url_end {
            self.url_end = self.find_before(limit, from, |letter| letter.c.is_whitespace() || letter.c == '"');
            self.in_names(from, self.url_end);
        }
        let is_end = |letter: &Letter| letter.c.is_whitespace() || matches!(letter.c, '"' | '\'' | '<' | '>' | '`');
        let to = self.find_before(limit, from, is_end);
        let authority_end = self.find_before(to, from, |letter| matches!(letter.c, '/' | '?' | '#'));
        let last_at = |from: usize, to: usize| (from..to).rev().find(|at| self.c(*at) == Some('@'));
        let mut found = last_at(from, authority_end);
        if found.is_none() {
            // Not a port: a password with a slash in it.
            let authority = self.text(from, authority_end);
            let is_port = authority
                .rsplit_once(':')
                .is_none_or(|(_, port)| port.trim_end_matches(']').bytes().all(|byte| byte.is_ascii_digit()));
            found = if is_port { None } else { last_at(from, to) };
        }
        if let Some(found) = found {
            self.hide(from, found);
        }
    }

    /// Marks secrets that a terminal has wrapped: the last word of a line and the first of the next one.
    pub(super) fn wrapped(&mut self) {
        let mut chain: Vec<(usize, usize)> = Vec::new();
        let mut at = 0;
        while at < self.letters.len() {
            let end = self.find(at, |letter| letter.c == '\n');
            let first = self.find(at, |letter| !letter.c.is_whitespace() || letter.c == '\n').min(end);
            let first_end = self.find(first, |letter| !is_of_secret(letter.c)).min(end);
            let mut last = end;
            while last > first && self.c(last - 1).is_some_and(char::is_whitespace) {
                last -= 1;
            }
            let last_end = last;
            while last > first && self.c(last - 1).is_some_and(is_of_secret) {
                last -= 1;
            }
            let is_one = first == last && first_end == last_end;
            if first_end - first >= 4 && !is_plain(&self.text(first, first_end.min(first + 32))) {
                chain.push((first, first_end));
            } else {
                chain.clear();
            }
            if !is_one {
                self.join(&mut chain);
                chain.clear();
                if last_end - last >= 4 && !is_plain(&self.text(last, last_end.min(last + 32))) {
                    chain.push((last, last_end));
                }
            }
            at = end + 1;
        }
        self.join(&mut chain);
    }

    pub(super) fn join(&mut self, chain: &mut Vec<(usize, usize)>) {
        if chain.len() < 2 {
            return;
        }
        let pieces: Vec<String> = chain.iter().map(|(from, to)| self.text(*from, *to)).collect();
        let joined = pieces.concat();
        let mix = Mix::of(&joined);
        let are_mixed = pieces.iter().all(|piece| {
            let mix = Mix::of(piece);
            piece.len() < 16 || (mix.changes * 4 >= piece.len() && !piece.contains("//"))
        });
        let is_random = joined.len() >= 32 && mix.has_upper && mix.has_lower && mix.changes * 4 >= joined.len();
        if (is_random && are_mixed) || begins_as_token(&joined) {
            self.hidden.append(chain);
        }
    }

    /// Whether the next line is a single word that is not an English word.
    pub(super) fn has_rest_below(&self, at: usize) -> bool {
        let from = self.near(at, |letter| !letter.c.is_whitespace());
        let to = self.near(from, |letter| letter.c.is_whitespace());
        let is_alone = self.c(to).is_none_or(|c| c == '\n');
        is_alone && from < to && !is_plain(&self.text(from, to))
    }

    /// A value at the end of its line continues if the next line does not begin with an English word.
    pub(super) fn carried_on(&mut self) {
        let mut more = Vec::new();
        for (from, to) in &self.hidden {
            let mut length = to - from;
            let mut pieces = 0;
            let mut end = *to;
            loop {
                let line_end = self.find(end, |letter| letter.c == '\n' || !letter.c.is_whitespace());
                if self.c(line_end) != Some('\n') {
                    break;
                }
                let next = self.find(line_end + 1, |letter| letter.c == '\n' || !letter.c.is_whitespace());
                let next_end = self.find(next, |letter| letter.c.is_whitespace());
                let word = self.text(next, next_end);
                let is_alone = self.c(next_end).is_none_or(|c| c == '\n');
                let mix = Mix::of(&word);
                let is_value =
                    word.chars().all(|c| is_of_secret(c) || matches!(c, '.' | '"' | '\'' | ',' | '}' | '\\'));
                let is_rest = if is_alone {
                    !word.is_empty()
                        && is_value
                        && (!is_plain(&word)
                            || word.len() >= 15
                            || self.has_rest_below(next_end)
                            || (pieces > 0 && word.len() >= 8))
                } else {
                    let is_mixed = mix.has_upper
                        && mix.has_lower
                        && (mix.changes * 4 >= word.len() || mix.has_digit && word.len() >= 12);
                    let is_small = mix.has_digit && !mix.has_upper && word.len() >= 8;
                    let is_part = is_mixed || is_small || word.len() >= 15;
                    length >= 12 && word.len() >= 6 && is_value && is_part && (!is_harmless(&word) || word.len() >= 15)
                };
                if !is_rest || more.last().is_some_and(|(from, _)| *from >= next) {
                    break;
                }
                more.push((next, next_end));
                length += next_end - next;
                pieces += 1;
                end = next_end;
            }
        }
        self.hidden.append(&mut more);
    }
}
