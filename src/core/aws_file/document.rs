//! One AWS file as a table of lines over its original bytes.

use std::ops::Range;

use super::WHITESPACE;

/// A parsed file: every byte of the text belongs to exactly one line, so that whoever edits one value can leave all the
/// others as they are. It borrows the text and keeps no copy of it, as it holds secrets.
pub struct Document<'a> {
    text: &'a str,
    lines: Vec<Line>,
}

/// One line: its kind, and its bytes in the text.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The whole line with its line ending.
    pub bytes: Range<usize>,
    /// What it is.
    pub kind: LineKind,
}

/// What a line is. Ranges are byte ranges of the whole text.
#[derive(Debug, PartialEq, Eq)]
pub enum LineKind {
    /// White space only.
    Blank,
    /// Begins with `#` or `;` in the first column.
    Comment,
    /// `[…]`: what stands between the brackets, trimmed.
    Section {
        /// The text between the brackets.
        name: Range<usize>,
    },
    /// `key = value`.
    Property {
        /// The key as it is written.
        key: Range<usize>,
        /// The value without a comment behind it; may be empty.
        value: Range<usize>,
    },
    /// An indented line that continues a plain value.
    Continuation {
        /// The trimmed line; comments are not recognised here.
        text: Range<usize>,
    },
    /// An indented `key = value` below a property without a value.
    Nested {
        /// The trimmed line.
        text: Range<usize>,
        /// The key as it is written.
        key: Range<usize>,
        /// The value.
        value: Range<usize>,
    },
    /// The SDKs refuse the whole file for this line; the message is theirs.
    Broken(&'static str),
}

impl<'a> Document<'a> {
    /// Reads a text. Nothing is lost and nothing fails: what the SDKs refuse becomes [`LineKind::Broken`].
    pub fn parse(text: &'a str) -> Self {
        let mut context = Context::Starting;
        let mut lines = Vec::new();
        let mut start = 0;
        for piece in text.split_inclusive('\n') {
            let end = start + piece.len();
            let mut content = start..end - usize::from(piece.ends_with('\n'));
            if text[content.clone()].ends_with('\r') {
                content.end -= 1;
            }
            // A byte order mark is written by some Windows editors; it is not part of the first line's content.
            if start == 0 && piece.starts_with('\u{feff}') {
                content.start += '\u{feff}'.len_utf8();
            }
            let kind = classify(text, content, &mut context);
            lines.push(Line { bytes: start..end, kind });
            start = end;
        }
        Self { text, lines }
    }

    /// The lines in order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The bytes of a range.
    pub fn slice(&self, range: &Range<usize>) -> &'a str {
        &self.text[range.clone()]
    }
}

/// What an indented line would belong to.
#[derive(Clone, Copy)]
enum Context {
    Starting,
    InSection,
    InProperty { nested: bool },
}

fn classify(text: &str, line: Range<usize>, context: &mut Context) -> LineKind {
    let content = &text[line.clone()];
    if content.trim_matches(WHITESPACE).is_empty() {
        return LineKind::Blank;
    }
    if content.starts_with(['#', ';']) {
        return LineKind::Comment;
    }
    if content.starts_with('[') {
        let header = trim(text, without_comment(text, line, false));
        // A header ends the property before it even where it is broken.
        *context = Context::InSection;
        let inner = header.start + 1..header.end - 1;
        return if inner.start <= inner.end && text[header].ends_with(']') {
            LineKind::Section { name: trim(text, inner) }
        } else {
            LineKind::Broken("Profile definition must end with ']'")
        };
    }
    let indented = content.starts_with(WHITESPACE);
    match (indented, *context) {
        (_, Context::Starting) => LineKind::Broken("Expected a profile definition"),
        (true, Context::InSection) => LineKind::Broken("Expected a property definition, found continuation"),
        (true, Context::InProperty { nested: false }) => LineKind::Continuation { text: trim(text, line) },
        (true, Context::InProperty { nested: true }) => match property(text, line.clone()) {
            Ok((key, value)) => LineKind::Nested { text: trim(text, line), key, value },
            Err(PropertyError::NoEquals) => LineKind::Broken("Expected an '=' sign defining a sub-property"),
            Err(PropertyError::NoName) => LineKind::Broken("Sub-property did not have a name"),
        },
        (false, _) => match property(text, line) {
            Ok((key, value)) => {
                *context = Context::InProperty { nested: value.is_empty() };
                LineKind::Property { key, value }
            }
            Err(PropertyError::NoEquals) => LineKind::Broken("Expected an '=' sign defining a property"),
            Err(PropertyError::NoName) => LineKind::Broken("Property did not have a name"),
        },
    }
}

enum PropertyError {
    NoEquals,
    NoName,
}

fn property(text: &str, line: Range<usize>) -> Result<(Range<usize>, Range<usize>), PropertyError> {
    let line = without_comment(text, line, true);
    let equals = text[line.clone()].find('=').ok_or(PropertyError::NoEquals)?;
    let key = trim(text, line.start..line.start + equals);
    if key.is_empty() {
        return Err(PropertyError::NoName);
    }
    Ok((key, trim(text, line.start + equals + 1..line.end)))
}

/// Up to the comment. In a value a comment needs white space before it; behind a section header it does not.
fn without_comment(text: &str, line: Range<usize>, needs_whitespace: bool) -> Range<usize> {
    let mut after_whitespace = false;
    for (at, c) in text[line.clone()].char_indices() {
        if matches!(c, '#' | ';') && (after_whitespace || !needs_whitespace) {
            return line.start..line.start + at;
        }
        after_whitespace = c.is_whitespace();
    }
    line
}

fn trim(text: &str, range: Range<usize>) -> Range<usize> {
    let whole = &text[range.clone()];
    let left = whole.trim_start_matches(WHITESPACE);
    let start = range.start + (whole.len() - left.len());
    start..start + left.trim_end_matches(WHITESPACE).len()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds(text: &str) -> Vec<LineKind> {
        Document::parse(text).lines.into_iter().map(|line| line.kind).collect()
    }

    #[test]
    fn a_byte_order_mark_does_not_hide_the_first_header() {
        assert!(matches!(kinds("\u{feff}[a]\n")[0], LineKind::Section { .. }));
    }

    #[test]
    fn a_lone_bracket_is_a_broken_header_and_no_panic() {
        assert!(matches!(kinds("[")[0], LineKind::Broken(_)));
        assert!(matches!(kinds("[#]")[0], LineKind::Broken(_)));
        assert!(matches!(kinds("[]")[0], LineKind::Section { .. }));
    }

    proptest! {
        #[test]
        fn every_byte_belongs_to_exactly_one_line(text in "([\\[\\]=#; \t\r\na-c\u{feff}é]|\\PC){0,80}") {
            let document = Document::parse(&text);
            let joined: String = document.lines().iter().map(|line| document.slice(&line.bytes)).collect();
            prop_assert_eq!(joined, text.clone());
            for line in document.lines() {
                if let LineKind::Property { key, value } = &line.kind {
                    prop_assert!(line.bytes.start <= key.start && value.end <= line.bytes.end);
                }
            }
        }
    }
}
