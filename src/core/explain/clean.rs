//! From bytes of a log to text: escapes of terminals go, wrapped boxes are one line again, and secrets never come through.

use crate::core::printable::{is_invisible, printable};

/// Turns bytes into clean text, whatever the size of the pieces in which they come.
#[derive(Debug, Default)]
pub(super) struct Cleaner {
    /// The beginning of a character that is not complete yet.
    pending: Vec<u8>,
    escape: Escape,
    inside_line: bool,
    in_box: bool,
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

/// Whether it has the form of an access key id: AWS itself logs those (CloudTrail), and a person finds the key by it.
pub(super) fn is_access_key_id(word: &str) -> bool {
    (word.starts_with("AKIA") || word.starts_with("ASIA"))
        && (16..=32).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

/// A piece of somebody's text, fit to be shown: printable, bounded, without what may be a secret.
pub(super) fn shown(text: &str) -> String {
    printable(&without_secrets(text))
}

const HIDDEN: &str = "(hidden)";

/// What is secret by the name that stands before it.
const NAMES: [&str; 9] =
    ["secret", "token", "password", "authorization", "signature", "credential", "stringtosign", "cookie", "bearer"];

fn without_secrets(text: &str) -> String {
    // The message of IncompleteSignature repeats the header and a piece of it in front, and with them whatever stands where the
    // key id should be, which may be a part of the secret.
    if text.contains("not a valid key=value pair") {
        return format!("{HIDDEN} not a valid key=value pair in the Authorization header");
    }
    // Not a header: "Your authorization token has expired", which ECR says of its own tokens.
    let is_header = |rest: &str| !rest.to_ascii_lowercase().starts_with(" token has expired");
    let header = |name: &&str| {
        text.match_indices(*name).find(|(at, _)| text.get(at + name.len()..).is_some_and(is_header)).map(|(at, _)| at)
    };
    let text = ["Authorization", "authorization", "AWS4-HMAC"].iter().filter_map(header).min().map_or_else(
        || text.to_owned(),
        |at| {
            let before = text.get(..at).unwrap_or_default();
            let quoted = before.find(['\'', '"']).map_or(before, |quote| before.get(..quote).unwrap_or_default());
            format!("{quoted} {HIDDEN}")
        },
    );
    let mut clean = String::with_capacity(text.len());
    let mut next = Next::Shown;
    for word in text.split_inclusive(char::is_whitespace) {
        let bare = word.trim();
        let is_separator = matches!(bare, "=" | ":") && next != Next::Shown;
        if bare.is_empty() || is_separator {
            clean.push_str(word);
            next = if is_separator { Next::Hidden } else { next };
            continue;
        }
        let lower = bare.to_ascii_lowercase();
        let is_name = |text: &str| NAMES.iter().any(|name| text.contains(name));
        // The first separator that has a value behind it: `token=abc`, `"token":"abc"`.
        let assigned = lower
            .char_indices()
            .filter(|(_, c)| matches!(c, '=' | ':' | '>'))
            .find(|(at, _)| is_name(lower.get(..*at).unwrap_or_default()))
            .map(|(at, _)| at + 1);
        let is_arn = lower.trim_start_matches(['"', '\'', '(']).starts_with("arn:");
        let is_hidden = match std::mem::replace(&mut next, Next::Shown) {
            Next::Shown => false,
            Next::Hidden => true,
            Next::HiddenUnlessAWord => !bare.bytes().all(|byte| byte.is_ascii_lowercase() || b".,;:".contains(&byte)),
        };
        if is_hidden {
            clean.push_str(HIDDEN);
            clean.push(' ');
        } else if let Some(at) = assigned.filter(|_| !is_arn && !is_action(bare)) {
            let before = bare.get(..at).unwrap_or_default();
            // What stands in front of the name may hold another secret: `?AWSAccessKeyId=…&X-Amz-Security-Token=…`.
            clean.push_str(if holds_secret(before, false) || before.contains('@') { HIDDEN } else { before });
            if bare.get(at..).is_some_and(|value| value.trim_matches(['"', '\'', ',']).is_empty()) {
                if !word.ends_with('\n') && is_assignment(bare, &lower) {
                    next = Next::Hidden;
                }
                clean.push_str(word.get(at..).unwrap_or_default());
            } else {
                clean.push_str(HIDDEN);
                clean.push(' ');
            }
        } else if holds_secret(bare, is_arn) {
            clean.push_str(HIDDEN);
            clean.push(' ');
        } else {
            if is_setting(&lower) && !word.ends_with('\n') {
                next = Next::HiddenUnlessAWord;
            }
            clean.push_str(&without_password(word));
        }
    }
    clean
}

/// An action of IAM's: `secretsmanager:GetSecretValue`.
fn is_action(word: &str) -> bool {
    let word = word.trim_matches(['"', '\'', '.', ',', '(', ')']);
    word.split_once(':').is_some_and(|(service, action)| {
        service.bytes().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'-')
            && ["secretsmanager", "sts", "cognito-identity", "cognito-idp"].contains(&service)
            && action.starts_with(|c: char| c.is_ascii_uppercase())
            && action.bytes().all(|c| c.is_ascii_alphabetic())
    })
}

/// What becomes of the next word.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Next {
    Shown,
    /// It is the value of something secret.
    Hidden,
    /// It may be, or the sentence goes on: "missing: aws_secret_access_key and …".
    HiddenUnlessAWord,
}

/// The name of a setting, a variable or an option that holds a secret, alone: `aws_secret_access_key`, `--secret-key`.
fn is_setting(lower: &str) -> bool {
    let name = lower.trim_matches(['"', '\'', '`']);
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    (name.contains(['_', '-']))
        && name.chars().all(is_of_name)
        && ["secret", "token", "password"].iter().any(|part| name.contains(part))
}

/// A URL without who is named in it (RFC 3986, section 3.2.1).
fn without_password(word: &str) -> String {
    let Some((scheme, rest)) = word.split_once("://") else { return word.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((_, host)) => format!("{scheme}://{HIDDEN}@{host}{path}"),
        None => word.to_owned(),
    }
}

/// `aws_session_token:`, `Token =` or `password:`, but not the end of a sentence's part: "invalid token: The …".
fn is_assignment(bare: &str, lower: &str) -> bool {
    lower.contains('_')
        || lower.contains('-')
        || bare.contains(['"', '\'', '='])
        || ["password:", "secret:"].iter().any(|name| lower.ends_with(name))
}

fn is_of_secret(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '/' | '+' | '=' | '_' | '-' | '%')
}

/// The names in an ARN are long, but neither keys nor tokens have underscores and dashes in them as those have.
pub(super) fn holds_secret(word: &str, is_arn: bool) -> bool {
    let separates = |c: char| if is_arn { !(c.is_ascii_alphanumeric() || c == '+') } else { !is_of_secret(c) };
    word.split(separates).any(looks_secret)
}

/// Forty characters of a secret access key, or the many of a token; a request id is shorter, or has dashes.
fn looks_secret(run: &str) -> bool {
    let has = |test: fn(&u8) -> bool| run.as_bytes().iter().any(test);
    let is_hex = run.bytes().all(|byte| byte.is_ascii_hexdigit());
    // Other makers' secrets are forty or sixty-four hexadecimal digits.
    run.len() >= 100
        || (run.len() >= 40 && is_hex)
        || (run.len() >= 32
            && has(u8::is_ascii_uppercase)
            && has(u8::is_ascii_lowercase)
            && (has(u8::is_ascii_digit) || run.contains('+')))
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
