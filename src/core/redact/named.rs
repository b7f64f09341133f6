//! Marks values by the names before them.

use super::forms::is_access_key_id;
use super::names::{self, Kind};
use super::scan::{REACH, Scan, What, is_of_word};
use super::value::Candidate;
use super::words::PUNCTUATION;

impl Scan<'_> {
    /// Marks values by the names before them.
    pub(super) fn named(&mut self) {
        let mut at = 0;
        while let Some(c) = self.c(at) {
            if is_of_word(c) {
                let end = self.find(at, |letter| !is_of_word(letter.c));
                at = self.word(at, end).max(at + 1);
            } else {
                if c == '\n' {
                    (self.begins_line, self.quote) = (true, None);
                    self.before.clear();
                } else if matches!(c, '"' | '\'') {
                    self.begins_line = true;
                    self.mark(at, c);
                } else if matches!(c, ':' | '=' | ';' | '.') {
                    self.begins_line = false;
                }
                at += 1;
            }
        }
    }

    /// A quotation mark opens or closes a quotation; an apostrophe does neither.
    pub(super) fn mark(&mut self, at: usize, c: char) {
        let level = self.level(at);
        self.quote = match self.quote {
            Some((mark, of_mark)) if mark == c && level <= of_mark => None,
            Some(open) => Some(open),
            None if self.before_of(at).is_some_and(char::is_alphanumeric) => None,
            None => Some((c, level)),
        };
    }

    /// Whether a quotation mark at the end of a value closes the quotation around it.
    pub(super) fn closes(&self, at: usize) -> bool {
        let is_mark = self.quote.is_some_and(|(mark, level)| self.c(at) == Some(mark) && self.level(at) <= level);
        is_mark && self.c(at + 1).is_none_or(|c| c.is_whitespace() || ",;:&|<>)]}\"'`\\".contains(c))
    }

    /// Checks a word; returns the position of the next one.
    pub(super) fn word(&mut self, at: usize, end: usize) -> usize {
        let word = self.text(at, end);
        let lower = word.to_ascii_lowercase();
        if lower.ends_with("arn") && self.c(end) == Some(':') && !self.c(end + 1).is_none_or(char::is_whitespace) {
            let end = self.find(end, |letter| {
                letter.c.is_whitespace() || matches!(letter.c, '"' | '\'' | '<' | '>' | ',' | ')' | '}' | ']' | '`')
            });
            self.arns.push((at, end));
            self.begins_line = false;
            return end;
        }
        let begins_line = self.begins_line;
        self.begins_line &= names::leads_to_name(&word) || is_log_prefix(&word);
        let before = std::mem::replace(&mut self.before, lower.clone());
        if let Some(to) = self.header(at, end, &lower) {
            return to;
        }
        if let Some(to) = self.login(at, end, &word) {
            return to;
        }
        if is_access_key_id(word.trim_matches(PUNCTUATION)) {
            return self.behind_id(end);
        }
        let mut kind = names::kind(&word);
        let is_of_url = matches!(self.before_of(at), Some('?' | '&'));
        if matches!(lower.as_str(), "phrase" | "word") && before == "pass" {
            kind = Kind::Password;
        } else if lower == "code" && is_of_url && self.c(end) == Some('=') {
            kind = Kind::Setting;
        }
        if kind == Kind::None {
            return end;
        }
        if let Some(from) = self.element(at, end) {
            // `<key>SecretAccessKey</key>` has its value in the next element.
            let text = self.text(from, self.near(from, |letter| letter.c == '<'));
            let is_shown = kind == Kind::Id && self.is_shown_id(from)
                || names::kind(text.trim()) != Kind::None && names::is_column(&lower);
            return if is_shown { from } else { self.hide(from, self.find(from, |letter| letter.c == '<')) };
        }
        let Some(value) = self.candidate(end) else { return end };
        // The place in a file: `credentials.js:80:11`.
        let is_place = word.contains(['.', '/']) && value.sign.is_some_and(|(c, _)| c == ':') && !value.spaced;
        if is_place && self.c(value.at).is_some_and(|c| c.is_ascii_digit()) {
            let to = self.near(value.at, |letter| !(letter.c.is_ascii_digit() || letter.c == ':'));
            if self.c(to).is_none_or(|c| c.is_whitespace() || matches!(c, ')' | ',' | '.')) {
                return end;
            }
        }
        // Without a sign, only the last part of a path or of an expression is the name.
        if value.sign.is_none() && !matches!(kind, Kind::Id) {
            let last = word.trim_end_matches(PUNCTUATION).rsplit(['.', '/']).next().unwrap_or_default();
            kind = if before == "pass" { kind } else { names::kind(last) };
        }
        let is_option = word.starts_with('-');
        let is_sure = match (kind, value.sign) {
            (Kind::None, _) => return end,
            (Kind::Id, _) => {
                let is_shown = self.is_shown_id(value.at) || (value.sign.is_none() && self.is_said(&value, true));
                return if is_shown { end } else { self.hide(value.at, self.value_end(&value, end)) };
            }
            (Kind::Other, None) => return end,
            (Kind::Other, Some(_)) => false,
            (_, Some(('=', _))) => true,
            (Kind::Setting | Kind::Password, Some(_)) => lower != "pass",
            (Kind::Word, Some(_)) if matches!(self.c(value.at), Some('[' | '{')) => true,
            (Kind::Word, Some(_)) => (begins_line || !value.spaced) && !self.is_sentence(value.at),
            (Kind::Setting | Kind::Password | Kind::Word, None) if is_option && self.what == What::Command => {
                self.c(value.at) != Some('-')
            }
            (_, None) if self.what == What::Command => return end,
            (Kind::Setting, None) if self.is_said(&value, true) => return end,
            (Kind::Setting, None) => true,
            (Kind::Word | Kind::Password, None) if is_option && self.is_said(&value, true) => return end,
            (Kind::Word | Kind::Password, None) if is_option => true,
            (Kind::Word | Kind::Password, None)
                if !names::is_spoken(word.trim_matches(PUNCTUATION)) && before != "pass" =>
            {
                return end;
            }
            (Kind::Word | Kind::Password, None) => {
                let is_strict = kind == Kind::Password || before == "pass";
                return self.spoken(end, value, lower == "bearer", is_strict);
            }
        };
        if !is_sure && (self.is_said(&value, false) || kind == Kind::Other && self.is_identifier(value.at)) {
            return end;
        }
        let is_whole_line = begins_line && value.spaced && value.sign.is_some() && is_sure;
        self.value(&value, end, at, is_whole_line)
    }

    /// Hides a value; returns the position after it.
    pub(super) fn value(&mut self, value: &Candidate, name_end: usize, name_at: usize, is_whole_line: bool) -> usize {
        let mut to = self.value_end(value, name_end);
        let is_quoted = self.opening(value.at).is_some() || matches!(self.c(value.at), Some('[' | '{' | '('));
        if is_whole_line && !is_quoted {
            to = to.max(self.line_end(name_at, value));
        }
        if self.is_nothing(value.at, to) {
            return to;
        }
        self.begins_line = false;
        self.hide(value.at, to)
    }

    /// Header fields with more than one word: credentials with their scheme, and the cookies of a request.
    fn header(&mut self, at: usize, end: usize, lower: &str) -> Option<usize> {
        if lower.starts_with("aws4-hmac") || lower.starts_with("aws4-ecdsa") {
            let is_signed = self.text(end, end + REACH).to_ascii_lowercase().contains("credential");
            let quote = self.before_of(at).filter(|c| matches!(c, '"' | '\''));
            let to = self.find(end, |letter| letter.c == '\n' && letter.level == 0 || Some(letter.c) == quote);
            return is_signed.then(|| self.hide(at, to));
        }
        let is_header = lower.ends_with("authorization") || lower.ends_with("cookie") || lower.ends_with("cookies");
        let value = is_header.then(|| self.candidate(end)).flatten()?;
        value.sign?;
        let is_closed = self.opening(value.at).is_some() || matches!(self.c(value.at), Some('[' | '{'));
        let to = if is_closed { self.value_end(&value, end) } else { self.line_end(at, &value) };
        Some(self.hide(value.at, to))
    }

    /// `-u name:password`, and `-p password`.
    fn login(&mut self, at: usize, end: usize, word: &str) -> Option<usize> {
        if !word.starts_with('-') {
            return None;
        }
        let option = word.trim_start_matches('-');
        if word == "-p" || (word.starts_with("-p") && word.len() > 7) {
            let from = if word == "-p" { self.candidate(end).filter(|value| value.sign.is_none())?.at } else { at + 2 };
            let from = if self.opening(from).is_some() { from + 1 } else { from };
            let to = self.near(from, |letter| letter.c.is_whitespace() || matches!(letter.c, '"' | '\''));
            let value = self.text(from, to);
            let has = |test: fn(&u8) -> bool| value.as_bytes().iter().any(test);
            let program = self.text(0, REACH).to_ascii_lowercase();
            let takes_password = ["mysql", "mariadb", "sshpass"].iter().any(|name| program.contains(name));
            let is_mixed = has(u8::is_ascii_alphabetic) && has(u8::is_ascii_digit) && !value.contains(['/', ':']);
            let is_secret = !value.is_empty() && !value.starts_with('-') && (is_mixed || takes_password);
            return is_secret.then(|| self.hide(from, to));
        }
        if !matches!(option, "u" | "U" | "a" | "user" | "proxy-user" | "userpwd") {
            return None;
        }
        let value = self.candidate(end)?;
        let from = value.at + usize::from(self.opening(value.at).is_some());
        let colon = self.near(from, |letter| letter.c == ':' || letter.c.is_whitespace());
        let quote = self.opening(value.at);
        let to = match quote {
            Some(quote) => self.near(colon, |letter| letter.c == quote),
            None => self.near(colon, |letter| letter.c.is_whitespace()),
        };
        (self.c(colon) == Some(':')).then(|| self.hide(colon + 1, to))
    }

    /// What follows an access key id may be its secret: `AKIA…:wJalr…`.
    fn behind_id(&mut self, end: usize) -> usize {
        let Some(value) = self.candidate(end).filter(|value| !value.below) else { return end };
        let next = self.near(value.at, |letter| !is_of_word(letter.c));
        let from = value.at + usize::from(self.opening(value.at).is_some());
        let is_joined = self.c(end) == Some(':') && !value.spaced;
        if self.what == What::Command
            || (!is_joined && self.is_said(&value, false))
            || self.is_name(from)
            || next == value.at && from == value.at
        {
            return end;
        }
        self.hide(value.at, self.value_end(&value, end))
    }

    /// The beginning of an element's text, if the name is that of an XML element.
    fn element(&self, at: usize, end: usize) -> Option<usize> {
        let mut open = at.checked_sub(1)?;
        if self.c(open) == Some(':') {
            // A namespace.
            while open > 0 && at - open < 32 && self.c(open) != Some('<') && !self.c(open)?.is_whitespace() {
                open -= 1;
            }
        }
        if self.c(open) != Some('<') {
            return None;
        }
        let close = self.near(end, |letter| letter.c == '>' || letter.c == '\n');
        (self.c(close) == Some('>')).then_some(close + 1)
    }

    /// The value after an English word: "the password for the vault is …".
    fn spoken(&mut self, end: usize, value: Candidate, is_scheme: bool, is_password: bool) -> usize {
        let is_said = |scan: &Self, value: &Candidate, is_strict: bool| {
            scan.is_said(value, false) && (!is_strict || scan.is_said(value, true) || !scan.is_plain_at(value.at))
        };
        if value.below || !is_said(self, &value, is_scheme || is_password && value.is_told) {
            let to = self.value_end(&value, end);
            return self.hide(value.at, to);
        }
        let first_end = self.near(value.at, |letter| !is_of_word(letter.c));
        let first = self.text(value.at, first_end.min(value.at + 32)).to_ascii_lowercase();
        if !matches!(first.as_str(), "for" | "of" | "to" | "from" | "on" | "in" | "with") {
            return end;
        }
        let mut at = first_end;
        let limit = end + REACH;
        while at < limit {
            let Some(c) = self.c(at).filter(|c| *c != '\n') else { return end };
            if !is_of_word(c) {
                let is_end = matches!(c, ':' | '=') && self.c(at + 1).is_none_or(char::is_whitespace);
                if is_end {
                    break;
                }
                at += 1;
                continue;
            }
            let word_end = self.near(at, |letter| !is_of_word(letter.c));
            let word = self.text(at, word_end.min(at + 32)).to_ascii_lowercase();
            if word.ends_with(['.', '!']) {
                return end;
            }
            at = word_end;
            if matches!(word.as_str(), "is" | "was") {
                break;
            }
        }
        let Some(value) = self.candidate(at).filter(|_| at < limit) else { return end };
        if is_said(self, &value, is_password) {
            return end;
        }
        let to = self.value_end(&value, at);
        self.hide(value.at, to)
    }
}

/// Text that may come before a name in a line of a log: a time, a level.
fn is_log_prefix(word: &str) -> bool {
    word.starts_with(|c: char| c.is_ascii_digit()) && word.contains(['-', 'T'])
        || matches!(word.to_ascii_lowercase().as_str(), "debug" | "info" | "trace")
}
