//! From bytes of a log to text: escapes of terminals go, wrapped boxes are one line again, and secrets never come through.

use crate::core::printable::{is_invisible, printable};
use crate::core::redact::without_secrets;

/// Turns bytes into clean text, whatever the size of the pieces in which they come.
#[derive(Debug, Default)]
pub(super) struct Cleaner {
    /// The beginning of a character that is not complete yet.
    pending: Vec<u8>,
    escape: Escape,
    inside_line: bool,
    in_box: bool,
    /// Whether blanks and boxes at the beginning of lines stay.
    keeps_layout: bool,
}

#[derive(Clone, Copy, Debug, Default)]
enum Escape {
    #[default]
    None,
    Begun,
    /// A control sequence, up to a letter (ECMA-48 section 5.4).
    Control,
    /// An operating system command, up to BEL or ST; given up after so many characters, as it may be no escape at all.
    Command(u16),
}

const LONGEST_COMMAND: u16 = 2_000;

impl Cleaner {
    /// The text keeps the blanks and boxes at the beginning of its lines.
    pub(super) fn with_layout() -> Self {
        Self { keeps_layout: true, ..Self::default() }
    }

    /// The next bytes; what is clean of them goes behind `out`.
    pub(super) fn feed(&mut self, bytes: &[u8], out: &mut String) {
        let mut all = std::mem::take(&mut self.pending);
        all.extend_from_slice(bytes);
        let mut rest: &[u8] = &all;
        loop {
            match std::str::from_utf8(rest) {
                Ok(text) => {
                    self.take_all(text, out);
                    break;
                }
                Err(error) => {
                    let (good, bad) = rest.split_at(error.valid_up_to());
                    self.take_all(std::str::from_utf8(good).unwrap_or_default(), out);
                    let Some(length) = error.error_len() else {
                        self.pending = bad.to_vec();
                        break;
                    };
                    self.take(' ', out);
                    rest = bad.get(length..).unwrap_or_default();
                }
            }
        }
    }

    /// Nearly all of a log is plain letters in lines, which are taken at once.
    fn take_all(&mut self, text: &str, out: &mut String) {
        let is_plain = |byte: u8| (b' '..=b'~').contains(&byte);
        let mut rest = text;
        while let Some(first) = rest.chars().next() {
            let plain = if self.inside_line && matches!(self.escape, Escape::None) {
                rest.bytes().position(|byte| !is_plain(byte)).unwrap_or(rest.len())
            } else {
                0
            };
            if plain == 0 {
                self.take(first, out);
                rest = rest.get(first.len_utf8()..).unwrap_or_default();
            } else {
                out.push_str(rest.get(..plain).unwrap_or_default());
                rest = rest.get(plain..).unwrap_or_default();
            }
        }
    }

    fn take(&mut self, c: char, out: &mut String) {
        self.escape = match (self.escape, c) {
            (Escape::None, '\u{1b}') => Escape::Begun,
            (Escape::None, _) => return self.put(c, out),
            (Escape::Begun, '[') => Escape::Control,
            (Escape::Begun, ']') => Escape::Command(0),
            (Escape::Begun, _) => Escape::None,
            (Escape::Control, '\u{20}'..='\u{3f}') => Escape::Control,
            (Escape::Control, _) => Escape::None,
            (Escape::Command(_), '\u{7}' | '\n') => Escape::None,
            (Escape::Command(_), '\u{1b}') => Escape::Begun,
            (Escape::Command(LONGEST_COMMAND..), _) => Escape::None,
            (Escape::Command(length), _) => Escape::Command(length + 1),
        };
    }

    fn put(&mut self, c: char, out: &mut String) {
        match c {
            // Between every two letters where PowerShell has redirected the text (UTF-16).
            '\0' => {}
            '\n' if self.keeps_layout => out.push('\n'),
            c if self.keeps_layout && !is_invisible(c) => {
                self.inside_line = true;
                out.push(if c.is_whitespace() || c.is_control() { ' ' } else { c });
            }
            '\n' => {
                if !self.inside_line {
                    out.push('\n');
                }
                self.inside_line = false;
                self.in_box = false;
            }
            // Terraform wraps its errors in a box: what follows belongs to the line before.
            '│' | '╷' | '╵' if !self.inside_line => self.in_box = true,
            c if is_invisible(c) => {}
            c if c.is_whitespace() || c.is_control() => {
                if self.inside_line {
                    out.push(' ');
                }
            }
            c => {
                if !self.inside_line {
                    out.push(if self.in_box { ' ' } else { '\n' });
                    self.inside_line = true;
                }
                out.push(c);
            }
        }
    }
}

/// A piece of a text for display: printable, bounded, without possible secrets.
pub(super) fn shown(text: &str) -> String {
    printable(&without_secrets(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaned(bytes: &[u8]) -> String {
        let mut text = String::new();
        Cleaner::default().feed(bytes, &mut text);
        text
    }

    #[test]
    fn escapes_nuls_and_broken_characters_leave_the_text() {
        assert_eq!(cleaned(b"a\x1b[31mb\x1b[0m \x1b]0;title\x07c"), "\nab c");
        assert_eq!(cleaned(b"E\0r\0r\0\xff!"), "\nErr !");
    }

    #[test]
    fn a_box_of_terraforms_is_one_line_again() {
        let boxed = "│ Error: the security\n│ token is\n│ \n│ with x\n";
        assert_eq!(cleaned(boxed.as_bytes()), " Error: the security token is\n with x");
    }

    #[test]
    fn secrets_do_not_come_through() {
        for text in [
            "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
            "key wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY is wrong",
            "X-Amz-Security-Token=wJalrXUtnFEMI more",
            "\"SessionToken\": \"wJalrXUtnFEMI\" more",
            "'wJalrXUtnFEMI' not a valid key=value pair in Authorization header: 'AWS4-HMAC-SHA256 Credential=wJalrXUtnFEMI/x'",
        ] {
            assert!(!shown(text).contains("wJalrXUtnFEMI"), "{}", shown(text));
        }
        for text in [
            "check your key. aws_secret_access_key = hunter2hunter2",
            "aws_secret_access_key hunter2hunter2 was used",
            "mc --secret-key hunter2hunter2 ls",
            "password: hunter2hunter2",
            "aws_session_token : hunter2hunter2",
            "aws_secret_access_key  =  hunter2hunter2",
            "fetch https://user:hunter2hunter2@proxy.example:3128/ failed",
            "the key 0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0 failed",
        ] {
            let shown = shown(text);
            assert!(!shown.contains("hunter2") && !shown.contains("0f1e2d3c"), "{shown}");
        }
        let url = "URL: \"https://b.s3.amazonaws.com/?AWSAccessKeyId=wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY&x-amz-security-token=abc\"";
        let with_user = "https://me:hunter2hunter2@sts.example/?X-Amz-Security-Token=abc";
        for text in [url, with_user] {
            assert!(!shown(text).contains("wJalr") && !shown(text).contains("hunter2"), "{}", shown(text));
        }
        for said in [
            "perform: secretsmanager:GetSecretValue on resource",
            "missing: aws_secret_access_key and region",
            "https://sts.amazonaws.com/?x=a@b says no",
        ] {
            assert_eq!(shown(said), said);
        }
        let said = "User: arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_AdministratorAccess_0123456789abcdef/me is not";
        assert_eq!(shown(said), said);
    }
}
