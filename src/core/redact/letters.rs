//! Text as the scanner reads it: without terminal escapes, and with escapes of URLs, JSON, shells and XML decoded.

use crate::core::printable::is_invisible;

/// A text longer than this is cut: the scanner needs a multiple of its memory.
const LONGEST: usize = 1024 * 1024;
/// The maximum number of nested escapes: JSON in JSON in a URL.
const MOST_LEVELS: u8 = 4;

/// One character of a text.
#[derive(Clone, Copy, Debug)]
pub(super) struct Letter {
    pub(super) c: char,
    /// How many times it was escaped.
    pub(super) level: u8,
    /// Its first byte in the text.
    pub(super) at: usize,
    /// The byte after its last one.
    pub(super) end: usize,
}

/// Removes terminal escape sequences and invisible characters, which would separate a name from its value or split a
/// secret. Full-width letters become their ASCII forms.
pub(super) fn without_escapes(text: &str) -> String {
    let mut clean = String::with_capacity(text.len().min(LONGEST));
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if clean.len() > LONGEST {
            clean.push('…');
            break;
        }
        match c {
            '\u{1b}' => match chars.next_if(|c| matches!(c, '[' | ']' | 'P' | '^' | '_' | 'X')) {
                Some('[') => skip_control_sequence(&mut chars),
                Some(_) => skip_string(&mut chars),
                None => {}
            },
            '\u{9b}' => skip_control_sequence(&mut chars),
            '\u{90}' | '\u{98}' | '\u{9d}' | '\u{9e}' | '\u{9f}' => skip_string(&mut chars),
            '\r' if chars.peek() == Some(&'\n') => {}
            '\r' => clean.push('\n'),
            '\n' | '\t' => clean.push(c),
            '\u{85}' | '\u{2028}' | '\u{2029}' => clean.push('\n'),
            '\u{ff01}'..='\u{ff5e}' => clean.extend(char::from_u32(u32::from(c) - 0xfee0)),
            c if c.is_control() || is_invisible(c) || c == '\u{fffd}' => {}
            c => clean.push(c),
        }
    }
    clean
}

type Chars<'a> = std::iter::Peekable<std::str::Chars<'a>>;

/// ECMA-48, section 5.4: a control sequence ends with a letter or one of a few signs.
fn skip_control_sequence(chars: &mut Chars<'_>) {
    while chars.next_if(|c| matches!(c, '\u{20}'..='\u{3f}')).is_some() {}
    chars.next_if(|c| matches!(c, '\u{40}'..='\u{7e}'));
}

/// ECMA-48, section 5.6: control strings, such as an operating system command, end with ST. Terminals accept BEL, too.
/// A string ends at the end of its line at the latest.
fn skip_string(chars: &mut Chars<'_>) {
    while chars.next_if(|c| !matches!(c, '\u{7}' | '\u{9c}' | '\u{1b}' | '\n')).is_some() {}
    match chars.peek() {
        Some('\u{7}' | '\u{9c}') => {
            chars.next();
        }
        Some('\u{1b}') => {
            chars.next();
            chars.next_if_eq(&'\\');
        }
        _ => {}
    }
}

/// The characters of a text, each with the place of its escaped form.
pub(super) fn letters(text: &str) -> Vec<Letter> {
    let mut letters: Vec<Letter> =
        text.char_indices().map(|(at, c)| Letter { c, level: 0, at, end: at + c.len_utf8() }).collect();
    for _ in 0..MOST_LEVELS {
        if !letters.iter().any(|letter| matches!(letter.c, '%' | '\\' | '&')) {
            break;
        }
        let before = letters.len();
        letters = decoded(&letters);
        if letters.len() == before {
            break;
        }
    }
    letters
}

fn decoded(letters: &[Letter]) -> Vec<Letter> {
    let mut clear = Vec::with_capacity(letters.len());
    let mut at = 0;
    while let Some(letter) = letters.get(at) {
        let escape = match letter.c {
            '%' => hex(letters, at + 1, 2).map(|c| (c, 3)),
            '\\' => escaped(letters, at),
            '&' => entity(letters, at),
            _ => None,
        };
        match escape.and_then(|(c, length)| Some((c, length, letters.get(at + length - 1)?))) {
            Some((c, length, last)) => {
                clear.push(Letter { c, level: letter.level + 1, at: letter.at, end: last.end });
                at += length;
            }
            None => {
                clear.push(*letter);
                at += 1;
            }
        }
    }
    clear
}

/// An ASCII character by its number in hexadecimal digits.
fn hex(letters: &[Letter], at: usize, digits: usize) -> Option<char> {
    let mut number = 0;
    for letter in letters.get(at..at + digits)? {
        number = number * 16 + letter.c.to_digit(16)?;
    }
    char::from_u32(number).filter(char::is_ascii)
}

/// The character and length of an escape of JSON or a shell.
fn escaped(letters: &[Letter], at: usize) -> Option<(char, usize)> {
    Some(match letters.get(at + 1)?.c {
        'n' | 'r' => ('\n', 2),
        't' => ('\t', 2),
        'u' => (hex(letters, at + 2, 4)?, 6),
        'x' => (hex(letters, at + 2, 2)?, 4),
        c @ ('"' | '\'' | '`' | '\\' | '/' | '=' | ':' | '&' | '$' | ' ') => (c, 2),
        _ => return None,
    })
}

const ENTITIES: [(&str, char); 9] = [
    ("&quot;", '"'),
    ("&#34;", '"'),
    ("&#x22;", '"'),
    ("&apos;", '\''),
    ("&#39;", '\''),
    ("&lt;", '<'),
    ("&gt;", '>'),
    ("&#61;", '='),
    ("&amp;", '&'),
];

fn entity(letters: &[Letter], at: usize) -> Option<(char, usize)> {
    ENTITIES.into_iter().find_map(|(name, c)| {
        let is_here = name.chars().enumerate().all(|(n, c)| letters.get(at + n).is_some_and(|letter| letter.c == c));
        is_here.then_some((c, name.len()))
    })
}
