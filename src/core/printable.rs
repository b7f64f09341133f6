//! Makes text from servers, programs and files safe for terminals, logs, errors and the user's files. Such text is cleaned
//! where it enters the program, and the output functions clean it again.

/// The longest line that is shown of a text.
const LONGEST_LINE: usize = 4_000;
/// The longest text that becomes a part of a sentence.
const LONGEST: usize = 500;

/// One line of visible characters, cut to a length for terminals and messages.
pub fn printable(text: &str) -> String {
    let words: Vec<&str> =
        text.split(|c: char| c.is_whitespace() || is_harmful(c)).filter(|word| !word.is_empty()).collect();
    cut(&words.join(" "), LONGEST)
}

/// Text of several lines: characters that control a terminal are shown as code points, and long lines are cut.
pub fn lines(text: &str) -> String {
    let visible = |c: char| if is_harmful(c) && c != '\t' { c.escape_unicode().to_string() } else { c.to_string() };
    let line = |line: &str| -> String { cut(line, LONGEST_LINE).chars().map(visible).collect() };
    text.split('\n').map(line).collect::<Vec<_>>().join("\n")
}

/// The same on one line.
pub fn line(text: &str) -> String {
    lines(&text.replace(['\n', '\t'], " "))
}

/// The name of a profile as the user wrote it: a name with blanks around it is another name, so it is quoted.
pub fn name(text: &str) -> String {
    let shown = line(text);
    if shown.trim() == shown && !shown.is_empty() { shown } else { format!("\"{shown}\"") }
}

/// JSON text with every character that could control a terminal written as `\u`. `serde_json` escapes only those below
/// U+0020; they occur only in strings.
pub fn json(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for c in text.chars() {
        if is_harmful(c) && !matches!(c, '\n' | '\t' | '\r') {
            let mut units = [0; 2];
            escaped.extend(c.encode_utf16(&mut units).iter().map(|unit| format!("\\u{unit:04x}")));
        } else {
            escaped.push(c);
        }
    }
    escaped
}

/// Whether a text has a character that could control a terminal, or is invisible there.
pub fn has_harmful(text: &str) -> bool {
    text.contains(is_harmful)
}

/// Characters without a width, and those that turn the direction of what follows (Unicode's Bidi_Control).
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}'
        | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}')
}

/// Control characters (C0, DEL and C1), line and paragraph separators, and invisible characters.
fn is_harmful(c: char) -> bool {
    c.is_control() || matches!(c, '\u{2028}' | '\u{2029}') || is_invisible(c)
}

fn cut(text: &str, longest: usize) -> String {
    match text.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// One character of each harmful kind.
    const HARMFUL: &str = "\u{0}\u{7}\u{1b}\u{7f}\u{85}\u{9b}\u{ad}\u{202e}\u{2028}\u{2029}\u{2066}\u{feff}\u{e0041}";

    #[test]
    fn a_servers_words_are_one_bounded_visible_line() {
        assert_eq!(printable("a\u{1b}[31mb\n\tc\u{0}"), "a [31mb c");
        assert_eq!(printable("to\u{202e}txt.exe\u{200b}"), "to txt.exe");
        assert_eq!(printable(HARMFUL), "");
        assert_eq!(printable(&"x".repeat(9_000)).chars().count(), LONGEST + 1);
    }

    #[test]
    fn in_text_of_several_lines_what_acts_on_a_terminal_is_seen_as_its_code_point() {
        assert_eq!(lines("a\u{1b}b\n\tc\u{9b}"), "a\\u{1b}b\n\tc\\u{9b}");
        assert_eq!(line("a\u{1b}b\n\tc\u{9b}"), "a\\u{1b}b  c\\u{9b}");
        assert!(!has_harmful(&lines(&HARMFUL.repeat(3))), "{}", lines(HARMFUL));
        assert_eq!(
            lines(&format!("a\n{}\nb", "é".repeat(9_000))).lines().map(|line| line.chars().count()).max(),
            Some(4_001)
        );
    }

    #[test]
    fn json_says_the_same_without_what_acts_on_a_terminal() {
        let document = serde_json::json!({HARMFUL: [HARMFUL, "é\n\"\\"]});
        for text in [document.to_string(), format!("{document:#}")] {
            let escaped = json(&text);
            assert!(!has_harmful(&escaped.replace('\n', "")), "{escaped}");
            assert_eq!(serde_json::from_str::<serde_json::Value>(&escaped).unwrap(), document);
        }
    }
}
