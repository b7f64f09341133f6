//! The scanner: marks the secrets in a text, in one pass by names and one by form.

use super::letters::Letter;

/// The maximum distance, in letters, of a search for a value or the end of a sentence. It keeps the work linear.
pub(super) const REACH: usize = 256;

/// The kind of text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum What {
    /// Output of a server or a program, or the text of a file.
    Text,
    /// A command line: a value follows its option, and other words are not names.
    Command,
}

/// Marks the secrets of a text.
pub(super) struct Scan<'a> {
    pub(super) letters: &'a [Letter],
    pub(super) what: What,
    /// The secrets, as ranges of letters.
    pub(super) hidden: Vec<(usize, usize)>,
    /// The ARNs, as ranges of letters.
    pub(super) arns: Vec<(usize, usize)>,
    /// The end of the last URL.
    pub(super) url_end: usize,
    /// Whether the line so far, or the text after the quotation mark, has only words that may come before a name.
    pub(super) begins_line: bool,
    /// The word before, in small letters.
    pub(super) before: String,
    /// The current quotation: its mark, and how many times the mark is escaped.
    pub(super) quote: Option<(char, u8)>,
    /// The number of letters visited by searches.
    #[cfg(test)]
    pub(super) work: std::rc::Rc<std::cell::Cell<usize>>,
}

impl<'a> Scan<'a> {
    pub(super) fn new(letters: &'a [Letter], what: What) -> Self {
        Self {
            letters,
            what,
            hidden: Vec::new(),
            arns: Vec::new(),
            url_end: 0,
            begins_line: true,
            before: String::new(),
            quote: None,
            #[cfg(test)]
            work: std::rc::Rc::default(),
        }
    }

    /// The secret ranges of letters, in order.
    pub(super) fn run(mut self) -> Vec<(usize, usize)> {
        self.keys();
        self.named();
        self.formed();
        self.wrapped();
        merge(&mut self.hidden);
        self.carried_on();
        merge(&mut self.hidden);
        self.hidden
    }

    pub(super) fn c(&self, at: usize) -> Option<char> {
        self.letters.get(at).map(|letter| letter.c)
    }

    pub(super) fn before_of(&self, at: usize) -> Option<char> {
        self.c(at.checked_sub(1)?)
    }

    pub(super) fn level(&self, at: usize) -> u8 {
        self.letters.get(at).map_or(0, |letter| letter.level)
    }

    pub(super) fn text(&self, from: usize, to: usize) -> String {
        self.letters.get(from..to.min(self.letters.len())).unwrap_or_default().iter().map(|letter| letter.c).collect()
    }

    /// The first letter from here on that passes a test, or the end. Only for text that is not searched again.
    pub(super) fn find(&self, from: usize, test: impl Fn(&Letter) -> bool) -> usize {
        self.find_before(self.letters.len(), from, test)
    }

    /// Like `find`, within [`REACH`].
    pub(super) fn near(&self, from: usize, test: impl Fn(&Letter) -> bool) -> usize {
        self.find_before((from + REACH).min(self.letters.len()), from, test)
    }

    pub(super) fn find_before(&self, limit: usize, from: usize, test: impl Fn(&Letter) -> bool) -> usize {
        let rest = self.letters.get(from..limit).unwrap_or_default();
        let found = rest.iter().position(test);
        #[cfg(test)]
        self.work.set(self.work.get() + found.unwrap_or(rest.len()) + 1);
        found.map_or(limit.max(from), |at| from + at)
    }

    pub(super) fn hide(&mut self, from: usize, to: usize) -> usize {
        if from < to {
            self.hidden.push((from, to));
        }
        to
    }
}

pub(super) fn is_of_word(c: char) -> bool {
    c.is_alphanumeric()
        || matches!(c, '_' | '-' | '.' | '$' | '@' | '/' | '+' | '~' | '#' | '*' | '!' | '^' | '\\' | '%')
}

/// Sorts ranges and joins those that touch.
fn merge(ranges: &mut Vec<(usize, usize)>) {
    ranges.sort_unstable();
    let mut merged: Vec<(usize, usize)> = Vec::with_capacity(ranges.len());
    for (from, to) in ranges.drain(..) {
        match merged.last_mut() {
            Some((_, end)) if from <= *end => *end = to.max(*end),
            _ => merged.push((from, to)),
        }
    }
    *ranges = merged;
}
