//! Joins the lines of a text that a console broke.
//!
//! A console breaks lines that are longer than its width, in the middle of a word or at a blank. The lines don't show
//! which of the two it was, or whether a short line was broken at all. So the text is read in each way, and the most
//! informative reading counts.

use crate::core::redact::{HIDDEN, without_secrets};

/// How lines were broken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Breaks {
    /// Lines break at the last column, also inside words; otherwise at a blank.
    inside_words: bool,
    /// The whole text has one width; otherwise each paragraph has its own.
    same_width: bool,
}

/// Every way to break lines, the most usual first.
pub(super) const WAYS: [Breaks; 4] = [
    Breaks { inside_words: true, same_width: true },
    Breaks { inside_words: false, same_width: true },
    Breaks { inside_words: true, same_width: false },
    Breaks { inside_words: false, same_width: false },
];

/// The minimum width of a console.
const NARROWEST: usize = 24;
/// Characters of boxes around a text, and of quotations.
const BORDERS: [char; 5] = ['|', '>', '│', '┃', '║'];
/// The last column at which such a character is expected: the name of a container or a time may come before it.
const FURTHEST_BORDER: usize = 40;

/// The text with its lines joined; `None` if there are no lines to join.
pub(super) fn joined(text: &str, breaks: Breaks) -> Option<String> {
    let lines: Vec<&str> = text.split('\n').map(|line| if is_frame(line) { "" } else { line.trim_end() }).collect();
    let paragraphs: Vec<Vec<&str>> =
        lines.split(|line| line.is_empty()).map(without_borders).filter(|lines| !lines.is_empty()).collect();
    // A word that is longer than the width of the console has no blank at which to break.
    let is_broken = |line: &&&str| breaks.inside_words || line.trim().contains(' ');
    let widest = |lines: &[&str]| lines.iter().filter(is_broken).map(|line| line.chars().count()).max().unwrap_or(0);
    let width_of_all = paragraphs.iter().map(|lines| widest(lines)).max().unwrap_or(0);
    let (mut out, mut joins) = (String::with_capacity(text.len()), 0);
    for lines in &paragraphs {
        let width = if breaks.same_width { width_of_all } else { widest(lines) };
        let mut before = None;
        for line in lines {
            match before.and_then(|before| separator(before, line, width, breaks)) {
                Some("") => out.push_str(line),
                Some(separator) => {
                    out.push_str(separator);
                    out.push_str(line.trim_start());
                }
                None => {
                    out.push('\n');
                    out.push_str(line);
                }
            }
            joins += usize::from(before.is_some_and(|before| separator(before, line, width, breaks).is_some()));
            before = Some(line);
        }
        out.push('\n');
    }
    (joins > 0).then_some(out)
}

/// The text between two parts of a broken line; `None` if they are separate lines.
fn separator(before: &str, line: &str, width: usize, breaks: Breaks) -> Option<&'static str> {
    if width < NARROWEST {
        return None;
    }
    let length = before.chars().count();
    if breaks.inside_words {
        // A blank in the last column is lost if the text was trimmed.
        return match width.saturating_sub(length) {
            0 => Some(""),
            1 => Some(" "),
            _ => None,
        };
    }
    let word = line.trim_start().split(char::is_whitespace).next().unwrap_or_default();
    let is_broken = length + 1 + word.chars().count() > width;
    // The rest of a secret may be on the next line.
    let last = before.trim_end().rsplit(char::is_whitespace).next().unwrap_or_default();
    let may_continue = last.contains(|c: char| !(c.is_ascii_lowercase() || c == '-'));
    let is_secret = || may_continue && without_secrets(before).trim_end().ends_with(HIDDEN);
    is_broken.then(|| if is_secret() { "" } else { " " })
}

/// A line with only the characters of a box.
fn is_frame(line: &str) -> bool {
    line.chars().all(|c| c == ' ' || ('\u{2500}'..='\u{257f}').contains(&c) || BORDERS.contains(&c))
}

/// The lines without the text up to a border in the same column, and without a border at the end.
fn without_borders<'a>(lines: &[&'a str]) -> Vec<&'a str> {
    let mut lines = lines.to_vec();
    // The right border first: if it is in one column, it looks like a left one.
    let ends = |line: &&str| line.ends_with(['│', '┃', '║', '|']);
    if lines.len() > 1 && lines.iter().all(ends) {
        lines.iter_mut().for_each(|line| *line = line.trim_end_matches(['│', '┃', '║', '|']).trim_end());
    }
    while let Some(shorter) = without_left_border(&lines) {
        lines = shorter;
    }
    // A page or a message may have a margin.
    let margin = lines.iter().map(|line| line.len() - line.trim_start_matches(' ').len()).min().unwrap_or(0);
    lines.iter().map(|line| line.get(margin..).unwrap_or_default()).collect()
}

fn without_left_border<'a>(lines: &[&'a str]) -> Option<Vec<&'a str>> {
    let border = |line: &'a str| line.char_indices().take(FURTHEST_BORDER).find(|(_, c)| BORDERS.contains(c));
    let (at, sign) = border(lines.first()?)?;
    if lines.len() < 2 || !lines.iter().all(|line| border(line) == Some((at, sign))) {
        return None;
    }
    let rest = |line: &'a str| line.get(at + sign.len_utf8()..).unwrap_or_default();
    let has_blank = lines.iter().all(|line| rest(line).is_empty() || rest(line).starts_with(' '));
    Some(
        lines.iter().map(|line| if has_blank { rest(line).get(1..).unwrap_or_default() } else { rest(line) }).collect(),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ways(text: &str) -> Vec<Option<String>> {
        WAYS.iter().map(|breaks| joined(text, *breaks).map(|text| text.trim().to_owned())).collect()
    }

    #[test]
    fn words_continue_where_a_console_broke_them() {
        let hard = "The security token included in the request is inval\nid.\n        status code: 403\n";
        let one = "The security token included in the request is invalid.\n        status code: 403";
        assert_eq!(ways(hard)[0].as_deref(), Some(one));
        let soft = "The security token included in the\nrequest is invalid.\n";
        assert_eq!(ways(soft)[1].as_deref(), Some("The security token included in the request is invalid."));
        assert_eq!(ways("short\nlines\n"), vec![None; 4]);
    }

    #[test]
    fn borders_and_quotes_are_no_part_of_the_lines() {
        for quoted in [
            "> The security token included in the\n> request is invalid.",
            "│ The security token included in the │\n│ request is invalid.                │",
            "web-1  | The security token included in the\nweb-1  | request is invalid.",
            "> > The security token included in the\n> > request is invalid.",
        ] {
            let said = ways(quoted)[1].clone().unwrap();
            assert_eq!(said, "The security token included in the request is invalid.", "{quoted}");
        }
    }
}
