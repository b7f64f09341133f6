//! One AWS file as a table of lines over its original bytes.

use std::ops::Range;

use super::header::words;
use super::settings::is_setting;
use super::{is_blank, is_invisible};

/// A parsed file: every byte belongs to exactly one line, so that an edit of one value leaves the other bytes unchanged.
/// It borrows the bytes and keeps no copy, as they contain secrets.
pub struct Document<'a> {
    bytes: &'a [u8],
    lines: Vec<Line>,
}

/// One line: its kind, and its bytes in the file.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    /// The whole line with its line ending.
    pub bytes: Range<usize>,
    /// What it is.
    pub kind: LineKind,
}

/// The kind of a line. Ranges are byte ranges of the whole file.
#[derive(Debug, PartialEq, Eq)]
pub enum LineKind {
    /// White space only.
    Blank,
    /// Begins with `#` or `;`, at any indentation.
    Comment,
    /// `[…]`, with any text behind it.
    Section {
        /// The text between the brackets, not trimmed.
        name: Range<usize>,
        /// It is indented below a property; some programs read it as part of that property's value.
        below_value: bool,
    },
    /// `key = value`.
    Property {
        /// The key as it is written.
        key: Range<usize>,
        /// The value without a comment behind it; may be empty.
        value: Range<usize>,
        /// How it is written.
        written: Written,
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
    /// An unreadable line.
    Broken(Fault),
}

/// How a property is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written {
    /// `key = value`, or with a colon before the first equals sign.
    Equals,
    /// `key: value`, and no equals sign in the line.
    Colon,
    /// `region = x`, indented below a property with a value: a setting for some programs, part of the value above for others.
    BelowValue,
}

/// Why a line is unreadable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// It is above the first section header.
    NoSection,
    /// `[` without `]`: the section of the lines below is unknown.
    HeaderWithoutEnd,
    /// `profile x]`, or an invisible character before `[`: the same.
    HeaderWithoutStart,
    /// No equals sign and no colon.
    NoEquals,
    /// The same, with a colon behind text that is not a setting's name.
    NoEqualsButColon,
    /// Nothing before the equals sign.
    NoName,
    /// An indented line without an equals sign directly below a section header.
    LooseContinuation,
    /// A nested setting without an equals sign.
    NestedNoEquals,
    /// A nested setting with nothing before the equals sign.
    NestedNoName,
    /// It is not valid UTF-8.
    NotUtf8,
    /// The same, in a section header.
    HeaderNotUtf8,
    /// The same, in a comment: no setting is lost.
    CommentNotUtf8,
    /// `[]`.
    HeaderEmpty,
}

impl Fault {
    /// Whether the line may be the header of a section.
    pub fn is_header(self) -> bool {
        matches!(self, Self::HeaderWithoutEnd | Self::HeaderWithoutStart | Self::HeaderNotUtf8 | Self::HeaderEmpty)
    }
}

impl<'a> Document<'a> {
    /// Parses a file. It never fails: an unreadable line becomes [`LineKind::Broken`].
    pub fn parse(bytes: &'a [u8]) -> Self {
        let mut context = Context { in_section: false, property: None, indent: 0 };
        let mut lines = Vec::new();
        let (mut start, mut lone_until) = (0, 0);
        while start < bytes.len() {
            let (end, mut content) = line_at(bytes, start, &mut lone_until);
            // A byte order mark is written by some Windows editors; it is not part of the first line's content.
            if start == 0 && bytes.starts_with(BYTE_ORDER_MARK) {
                content.start += BYTE_ORDER_MARK.len();
            }
            let kind = context.classify(bytes, content);
            lines.push(Line { bytes: start..end, kind });
            start = end;
        }
        Self { bytes, lines }
    }

    /// The lines in order.
    pub fn lines(&self) -> &[Line] {
        &self.lines
    }

    /// The whole file.
    pub(super) fn bytes(&self) -> &'a [u8] {
        self.bytes
    }

    /// The text of a range of a line that is not broken.
    pub fn slice(&self, range: &Range<usize>) -> &'a str {
        self.bytes.get(range.clone()).and_then(|bytes| std::str::from_utf8(bytes).ok()).unwrap_or_default()
    }

    /// Whether the file begins with a byte order mark.
    pub fn has_byte_order_mark(&self) -> bool {
        self.bytes.starts_with(BYTE_ORDER_MARK)
    }
}

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// The end of the line that begins at `start`, and its content. `\n`, `\r\n`, `\r\r\n` (a text file that was converted twice) and
/// a `\r` alone end a line. `lone_until` is the position up to which carriage returns were checked.
fn line_at(bytes: &[u8], start: usize, lone_until: &mut usize) -> (usize, Range<usize>) {
    let Some(found) = bytes[start..].iter().position(|byte| matches!(byte, b'\n' | b'\r')) else {
        return (bytes.len(), start..bytes.len());
    };
    let at = start + found;
    if bytes[at] == b'\r' && at >= *lone_until {
        let run = bytes[at..].iter().take_while(|byte| **byte == b'\r').count();
        if bytes.get(at + run) == Some(&b'\n') {
            return (at + run + 1, start..at);
        }
        *lone_until = at + run;
    }
    (at + 1, start..at)
}

/// The state after the lines above. The rules of indentation are those of Python's `configparser`: a line that is indented deeper
/// than the property above it belongs to that property's value, at any indentation of the property.
struct Context {
    in_section: bool,
    property: Option<Open>,
    indent: usize,
}

/// The property that an indented line would belong to.
#[derive(Clone, Copy)]
struct Open {
    /// It has no value: the lines below it are nested settings.
    nested: bool,
}

impl Context {
    fn classify(&mut self, bytes: &[u8], line: Range<usize>) -> LineKind {
        let Ok(content) = std::str::from_utf8(&bytes[line.clone()]) else {
            let line = &bytes[line];
            // A byte order mark of another encoding may be before the bracket.
            if line.iter().find(|byte| byte.is_ascii_graphic()) == Some(&b'[') {
                return self.lost_header(Fault::HeaderNotUtf8);
            }
            return match line.iter().find(|byte| !matches!(byte, b' ' | b'\t')) {
                Some(b'#' | b';') => LineKind::Broken(Fault::CommentNotUtf8),
                _ if self.in_section => LineKind::Broken(Fault::NotUtf8),
                _ => LineKind::Broken(Fault::NoSection),
            };
        };
        let text = Text { content, offset: line.start };
        let trimmed = text.trim(0..content.len());
        let shown = &content[trimmed.clone()];
        if shown.is_empty() {
            return LineKind::Blank;
        }
        if shown.starts_with(['#', ';']) {
            return LineKind::Comment;
        }
        let indent = content[..trimmed.start].chars().count();
        let below = self.property.filter(|_| indent > self.indent);
        if shown.starts_with('[') {
            if let Some(name) = header(shown) {
                if name.is_empty() {
                    return self.lost_header(Fault::HeaderEmpty);
                }
                *self = Self { in_section: true, property: None, indent };
                let name = text.whole(trimmed.start + name.start..trimmed.start + name.end);
                return LineKind::Section { name, below_value: below.is_some() };
            }
            if below.is_none() {
                return self.lost_header(Fault::HeaderWithoutEnd);
            }
        }
        if below.is_none() && shown.starts_with(is_invisible) && shown.trim_start_matches(is_invisible).starts_with('[')
        {
            return self.lost_header(Fault::HeaderWithoutStart);
        }
        if !self.in_section {
            return LineKind::Broken(Fault::NoSection);
        }
        match below {
            Some(Open { nested: true }) => nested(&text, &trimmed),
            Some(Open { nested: false }) => match property(&text, &trimmed) {
                Ok((key, value, Written::Equals)) if is_setting(&content[key.clone()]) => {
                    self.open(&value, indent);
                    LineKind::Property { key: text.whole(key), value: text.whole(value), written: Written::BelowValue }
                }
                _ => LineKind::Continuation { text: text.whole(trimmed) },
            },
            None => match property(&text, &trimmed) {
                Ok((key, value, written)) => {
                    self.open(&value, indent);
                    LineKind::Property { key: text.whole(key), value: text.whole(value), written }
                }
                Err(_) if is_header_without_start(shown) => self.lost_header(Fault::HeaderWithoutStart),
                Err(Fault::NoEquals) if indent > 0 && self.property.is_none() => {
                    LineKind::Broken(Fault::LooseContinuation)
                }
                Err(fault) => LineKind::Broken(fault),
            },
        }
    }

    fn open(&mut self, value: &Range<usize>, indent: usize) {
        self.property = Some(Open { nested: value.is_empty() });
        self.indent = indent;
    }

    /// An unreadable header also ends the section before it.
    fn lost_header(&mut self, fault: Fault) -> LineKind {
        *self = Self { in_section: true, property: None, indent: 0 };
        LineKind::Broken(fault)
    }
}

/// One line, whose ranges are relative to it.
struct Text<'a> {
    content: &'a str,
    offset: usize,
}

impl Text<'_> {
    fn trim(&self, range: Range<usize>) -> Range<usize> {
        let whole = &self.content[range.clone()];
        let left = whole.trim_start_matches(is_blank);
        let start = range.start + (whole.len() - left.len());
        start..start + left.trim_end_matches(is_blank).len()
    }

    fn whole(&self, range: Range<usize>) -> Range<usize> {
        self.offset + range.start..self.offset + range.end
    }
}

/// The range between the brackets of a line that begins with `[`. botocore reads up to the last `]`; a comment or
/// other text behind the header is ignored if a header of at most two words remains.
fn header(line: &str) -> Option<Range<usize>> {
    let without_comment = &line[..comment(line, false, true).unwrap_or(line.len())];
    for text in [without_comment, line] {
        let ends = [text.rfind(']'), text.find(']')];
        let is_plain = |end: &usize| words(&text[1..*end]).is_some_and(|words| words.len() <= 2);
        if let Some(end) = ends.into_iter().flatten().find(is_plain).or(ends[0]) {
            return Some(1..end);
        }
    }
    None
}

/// A header without its first bracket.
fn is_header_without_start(line: &str) -> bool {
    line.ends_with(']') && ["profile", "sso-session", "services", "default"].iter().any(|word| line.starts_with(word))
}

type Parts = (Range<usize>, Range<usize>, Written);

/// Key and value of a property.
fn property(text: &Text<'_>, line: &Range<usize>) -> Result<Parts, Fault> {
    let content = &text.content[line.clone()];
    let cut = comment(content, true, false).unwrap_or(content.len());
    let delimiter = content[..cut].find(['=', ':']).ok_or(Fault::NoEquals)?;
    let key = text.trim(line.start..line.start + delimiter);
    if key.is_empty() {
        return Err(Fault::NoName);
    }
    let written = if content[..cut].contains('=') { Written::Equals } else { Written::Colon };
    let after = delimiter + 1;
    // Quoted text belongs to the command.
    let is_command = text.content[key.clone()].to_ascii_lowercase().ends_with("credential_process");
    let end = if is_command {
        // With the text before the value: a comment needs a blank before it.
        comment(&content[delimiter..], true, true).map_or(content.len(), |at| delimiter + at)
    } else {
        cut
    };
    Ok((key, text.trim(line.start + after..line.start + end.max(after)), written))
}

/// A nested setting, in which a colon has no meaning.
fn nested(text: &Text<'_>, line: &Range<usize>) -> LineKind {
    let content = &text.content[line.clone()];
    let cut = comment(content, true, false).unwrap_or(content.len());
    let Some(equals) = content[..cut].find('=') else { return LineKind::Broken(Fault::NestedNoEquals) };
    let key = text.trim(line.start..line.start + equals);
    if key.is_empty() {
        return LineKind::Broken(Fault::NestedNoName);
    }
    let value = text.trim(line.start + equals + 1..line.start + cut);
    LineKind::Nested { text: text.whole(line.clone()), key: text.whole(key), value: text.whole(value) }
}

/// Where a comment begins. In a value it needs a blank before it; behind a section header it does not. With `quotes` what is
/// quoted as for a shell is left alone.
fn comment(text: &str, needs_blank: bool, quotes: bool) -> Option<usize> {
    let (mut after_blank, mut quote, mut escaped) = (false, None, false);
    for (at, c) in text.char_indices() {
        if std::mem::take(&mut escaped) {
            after_blank = false;
            continue;
        }
        match (quote, c) {
            (None | Some('"'), '\\') if quotes => escaped = true,
            (None, '"' | '\'') if quotes => quote = Some(c),
            (Some(open), _) if open == c => quote = None,
            (None, '#' | ';') if after_blank || !needs_blank => return Some(at),
            _ => {}
        }
        after_blank = is_blank(c);
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn kinds(text: &str) -> Vec<LineKind> {
        Document::parse(text.as_bytes()).lines.into_iter().map(|line| line.kind).collect()
    }

    /// Each property as `key=value`.
    fn properties(text: &str) -> Vec<String> {
        let document = Document::parse(text.as_bytes());
        let lines = document.lines().iter().filter_map(|line| match &line.kind {
            LineKind::Property { key, value, .. } => Some(format!("{}={}", document.slice(key), document.slice(value))),
            _ => None,
        });
        lines.collect()
    }

    fn name(line: &str) -> String {
        let document = Document::parse(line.as_bytes());
        let LineKind::Section { name, .. } = &document.lines()[0].kind else { panic!("{line}: no header") };
        document.slice(name).to_owned()
    }

    #[test]
    fn a_byte_order_mark_does_not_hide_the_first_header() {
        assert!(matches!(kinds("\u{feff}[a]\n")[0], LineKind::Section { .. }));
    }

    #[test]
    fn a_lone_bracket_is_a_broken_header_and_no_panic() {
        assert_eq!(kinds("[")[0], LineKind::Broken(Fault::HeaderWithoutEnd));
        for line in ["[]", "[#]", "[\"", "[']"] {
            let _ = kinds(line);
        }
    }

    #[test]
    fn whole_sections_may_be_indented() {
        let text = "  [profile a]\n    role_arn = R\n    # why\n    source_profile = b\n  [profile b]\n  region = x\n";
        assert_eq!(properties(text), ["role_arn=R", "source_profile=b", "region=x"]);
        assert_eq!(properties("[profile a]\n role_arn = R\nregion = x\n"), ["role_arn=R", "region=x"]);
    }

    #[test]
    fn a_setting_that_is_indented_below_a_value_is_a_setting_and_any_other_text_is_not() {
        let text = "[profile a]\nrole_arn = R\n  source_profile = b\n";
        assert_eq!(properties(text), ["role_arn=R", "source_profile=b"]);
        let text = "[profile a]\ncredential_process = c\n  --of=d\n";
        assert_eq!(properties(text), ["credential_process=c"]);
        assert!(matches!(kinds(text)[2], LineKind::Continuation { .. }));
    }

    #[test]
    fn unicode_blanks_are_blanks() {
        let text = "[profile a]\n\u{a0}\nregion\u{a0}=\u{2009}x\u{a0}\n\u{3000}# c\n";
        assert_eq!(properties(text), ["region=x"]);
        assert_eq!(kinds(text)[1], LineKind::Blank);
        assert_eq!(kinds(text)[3], LineKind::Comment);
    }

    #[test]
    fn lines_may_end_in_any_way() {
        for end in ["\n", "\r\n", "\r\r\n", "\r"] {
            let text = format!("[profile a]{end}{end}region = x{end}");
            assert_eq!(properties(&text), ["region=x"]);
            assert_eq!(kinds(&text).len(), 3, "{end:?}");
        }
    }

    #[test]
    fn a_comment_is_none_inside_the_quotes_of_a_command() {
        let value = |line: &str| properties(&format!("[profile a]\n{line}"))[0].split_once('=').unwrap().1.to_owned();
        assert_eq!(value("credential_process = sh -c 'a ; b # c' # d"), "sh -c 'a ; b # c'");
        assert_eq!(value(r#"credential_process: sh -c "a \" ; b" ; d"#), r#"sh -c "a \" ; b""#);
        assert_eq!(value("credential_process = # c"), "");
        assert_eq!(value("region = 'x ; y'"), "'x");
    }

    #[test]
    fn text_behind_a_header_is_left_out_and_a_bracket_in_a_name_is_not() {
        assert_eq!(name("[profile x] /* [old] */"), "profile x");
        assert_eq!(name("[profile x] # [old]"), "profile x");
        assert_eq!(name("[profile x];y"), "profile x");
        assert_eq!(name("[profile x#y]"), "profile x#y");
        assert_eq!(name("[profile 'x # y'] # z"), "profile 'x # y'");
        assert_eq!(name("[profile a]b]"), "profile a]b");
    }

    #[test]
    fn bytes_that_are_no_text_cost_their_line_alone() {
        let document = Document::parse(b"[profile a]\nregion = \xe9\noutput = json\n[profile \xe9]\n");
        let kinds: Vec<&LineKind> = document.lines().iter().map(|line| &line.kind).collect();
        assert_eq!(*kinds[1], LineKind::Broken(Fault::NotUtf8));
        assert!(matches!(kinds[2], LineKind::Property { .. }));
        assert_eq!(*kinds[3], LineKind::Broken(Fault::HeaderNotUtf8));
    }

    #[test]
    fn a_file_of_carriage_returns_is_read_in_one_pass() {
        let text = "\r".repeat(300_000);
        assert_eq!(kinds(&text).len(), 300_000);
    }

    proptest! {
        #[test]
        fn every_byte_belongs_to_exactly_one_line(
            bytes in prop_oneof![
                prop::collection::vec(any::<u8>(), 0..80),
                "([\\[\\]=:#; \t\r\n'\"\\\\a-c\u{feff}\u{a0}é]|profile|region|\\PC){0,80}".prop_map(String::into_bytes),
            ],
        ) {
            let document = Document::parse(&bytes);
            let joined: Vec<u8> = document.lines().iter().flat_map(|line| bytes[line.bytes.clone()].to_vec()).collect();
            prop_assert_eq!(joined, bytes.clone());
            for line in document.lines() {
                if let LineKind::Property { key, value, .. } = &line.kind {
                    prop_assert!(line.bytes.start <= key.start && value.end <= line.bytes.end && key.end <= value.start);
                    prop_assert!(!document.slice(key).is_empty());
                }
            }
        }
    }
}
