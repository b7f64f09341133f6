//! Finds secrets in text from other programs, by their form and by the names before them.

use crate::core::printable::is_invisible;

/// Whether it has the form of an access key id. AWS itself logs those (CloudTrail), and users identify a key by it.
pub fn is_access_key_id(word: &str) -> bool {
    (word.starts_with("AKIA") || word.starts_with("ASIA"))
        && (16..=32).contains(&word.len())
        && word.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit())
}

const HIDDEN: &str = "(hidden)";

/// What is secret by the name that stands before it.
const NAMES: [&str; 9] =
    ["secret", "token", "password", "authorization", "signature", "credential", "stringtosign", "cookie", "bearer"];

/// Redacts a line of a program's output for an error, a log or a status: a failing helper may print its whole document,
/// its environment or a request. It hides too much rather than too little.
pub fn of_program(line: &str) -> String {
    of_line(line, Value::None).0
}

/// The last line of a program's output. A secret may begin on an earlier line: after its name, or wrapped by a terminal.
pub fn last_line_of_program(text: &str) -> Option<String> {
    let (mut last, mut next, mut is_broken, mut in_key) = (None, Value::None, false, false);
    for line in text.lines().map(str::trim).filter(|line| !line.is_empty()) {
        // RFC 7468: "-----BEGIN PRIVATE KEY-----".
        in_key |= line.contains("-----BEGIN");
        let is_rest = is_broken && !line.contains(char::is_whitespace) && !is_plain(line);
        // A word of a sentence before may be a name, or end it.
        let begun = if next == Value::Perhaps && line.contains(char::is_whitespace) { Value::None } else { next };
        let (shown, then) = of_line(line, begun);
        let hides_its_end = shown.ends_with(HIDDEN) || line.split_whitespace().last().is_some_and(holds_any_secret);
        last = Some(if in_key || is_rest { HIDDEN.to_owned() } else { shown });
        in_key &= !line.contains("-----END");
        is_broken = is_rest || hides_its_end;
        next = then;
    }
    last
}

fn of_line(line: &str, mut next: Value) -> (String, Value) {
    let line = without_escapes(line);
    let mut clean = String::with_capacity(line.len());
    for word in line.split_inclusive(char::is_whitespace) {
        let bare = word.trim_end();
        let (shown, then) = match next {
            _ if bare.is_empty() => (None, next),
            Value::Quoted(quote) => (Some(HIDDEN.to_owned()), if closes(bare, quote) { Value::None } else { next }),
            Value::Next | Value::Perhaps if matches!(bare, "=" | ":" | "=>" | "->") => (None, Value::Next),
            Value::Perhaps
                if is_plain(bare) || bare.starts_with("arn:") || is_access_key_id(bare.trim_matches(PUNCTUATION)) =>
            {
                (None, begun(bare))
            }
            Value::Next | Value::Perhaps => (Some(HIDDEN.to_owned()), opened(bare)),
            Value::None => hidden(bare),
        };
        match shown {
            Some(shown) => {
                clean.push_str(&shown);
                clean.push(' ');
            }
            None => clean.push_str(word),
        }
        next = then;
    }
    (without_secrets(clean.trim_end()).trim_end().to_owned(), next)
}

/// Whether the next words are secret.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Value {
    /// No.
    None,
    /// The next one is.
    Next,
    /// The next one is, unless it is a word of a sentence.
    Perhaps,
    /// All words up to this quotation mark are.
    Quoted(char),
}

/// The replacement of a word, if it can't be shown as it is, and its effect on the next words.
fn hidden(bare: &str) -> (Option<String>, Value) {
    let lower = bare.to_ascii_lowercase();
    let is_arn = lower.trim_start_matches(['"', '\'', '(']).starts_with("arn:");
    let separator = lower
        .char_indices()
        .filter(|(at, c)| {
            matches!(c, '=' | '>') || (*c == ':' && !lower.get(at + 1..).unwrap_or_default().starts_with("//"))
        })
        .find(|(at, _)| is_secret_name(lower.get(..*at).unwrap_or_default()));
    if let Some((at, c)) = separator.filter(|_| !is_arn && !is_action(bare)) {
        let (name, value) = bare.split_at(at + 1);
        if value.trim_matches(['"', '\'', ',']).is_empty() {
            let is_sure = c != ':' || value.is_empty() && name.contains(['"', '\'', '_', '-']);
            return (
                None,
                if !value.is_empty() {
                    opened(value)
                } else if is_sure {
                    Value::Next
                } else {
                    Value::Perhaps
                },
            );
        }
        let name = if holds_any_secret(name) || name.contains('@') { HIDDEN } else { name };
        return (Some(format!("{name}{HIDDEN}")), opened(value).only_quoted());
    }
    // The rest of a word with an access key id may be its secret.
    let is_pair = || bare.split(|c: char| !c.is_ascii_alphanumeric()).any(is_access_key_id);
    if !is_arn && (holds_any_secret(bare) || (!is_access_key_id(bare.trim_matches(PUNCTUATION)) && is_pair())) {
        return (Some(HIDDEN.to_owned()), Value::None);
    }
    (None, begun(bare))
}

/// The effect of a visible word on the next words.
fn begun(bare: &str) -> Value {
    let word = bare.trim_matches(PUNCTUATION);
    let is_name = ["password", "passphrase", "secret", "token", "key", "bearer", "basic"]
        .contains(&word.to_ascii_lowercase().as_str());
    if is_name || is_access_key_id(word) || is_setting(&word.to_ascii_lowercase()) {
        Value::Perhaps
    } else {
        Value::None
    }
}

impl Value {
    fn only_quoted(self) -> Self {
        if matches!(self, Self::Quoted(_)) { self } else { Self::None }
    }
}

/// The effect of a value on the next words: a quoted value may contain blanks.
fn opened(value: &str) -> Value {
    let Some(quote) = value.chars().next().filter(|c| matches!(c, '"' | '\'')) else { return Value::None };
    if closes(value.get(1..).unwrap_or_default(), quote) { Value::None } else { Value::Quoted(quote) }
}

fn closes(text: &str, quote: char) -> bool {
    text.contains(quote)
}

const PUNCTUATION: [char; 11] = ['"', '\'', '`', '.', ',', ';', ':', '(', ')', '[', ']'];

fn is_secret_name(lower: &str) -> bool {
    NAMES.iter().chain(&["key", "passphrase", "passwd", "pwd", "auth"]).any(|name| lower.contains(name))
}

/// A word of a sentence.
fn is_plain(bare: &str) -> bool {
    let word = bare.trim_matches(PUNCTUATION);
    let rest = word.get(1..).unwrap_or_default();
    (1..=20).contains(&word.len())
        && word.starts_with(|c: char| c.is_ascii_alphabetic())
        && rest.bytes().all(|byte| byte.is_ascii_lowercase())
}

/// Any run of letters as long as a secret access key, and any JSON web token; paths and names with dashes are mixed less.
fn holds_any_secret(word: &str) -> bool {
    let is_long = |run: &str| {
        let has = |test: fn(&u8) -> bool| run.as_bytes().iter().any(test);
        let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
        run.len() >= 40 && (is_mixed || !run.contains(['/', '-', '_']))
    };
    let is_token = |run: &str| run.len() >= 16 && run.starts_with("eyJ");
    word.split(|c: char| !is_of_secret(c)).any(|run| is_long(run) || is_token(run) || looks_secret(run))
}

/// Removes terminal escape sequences, which would separate a name from its value or split a secret.
fn without_escapes(text: &str) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if c == '\u{1b}' {
            // ECMA-48: a control sequence ends with a letter or one of a few signs.
            if chars.next_if_eq(&'[').is_some() {
                while chars.next_if(|c| matches!(c, '\u{20}'..='\u{3f}')).is_some() {}
                chars.next();
            }
        } else if c == '\t' || !(c.is_control() || is_invisible(c)) {
            clean.push(c);
        }
    }
    clean
}

/// The text without secrets, by their form or name.
pub fn without_secrets(text: &str) -> String {
    // The message of IncompleteSignature repeats the header and a piece of it, with the text in place of the
    // key id, which may be part of the secret.
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
            // The text before the name may contain another secret: `?AWSAccessKeyId=…&X-Amz-Security-Token=…`.
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

/// The treatment of the next word.
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

/// A URL without its user information (RFC 3986, section 3.2.1).
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
pub fn holds_secret(word: &str, is_arn: bool) -> bool {
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

    #[test]
    fn a_secret_that_began_on_a_line_before_is_not_shown() {
        for text in [
            "SessionToken:\nhunter2ABC",
            "aws_session_token =\n  hunter2",
            "\"SessionToken\": \"IQoJ\nhunter2 hunter2\"",
            "token IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQDx4Kq1\nhunter2Zz",
            "token IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQDx4Kq1\nQoJb3JpZ2x\nhunter2Zz==",
            "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nhunter2",
            "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
        ] {
            let shown = last_line_of_program(text).unwrap();
            assert!(!shown.contains("hunter2"), "{text}: {shown}");
        }
        for (text, last) in [
            ("reading the token\nthe vault is locked\n\n", "the vault is locked"),
            ("invalid token\n1Password CLI: not signed in", "1Password CLI: not signed in"),
            ("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\nit has expired", "it has expired"),
        ] {
            assert_eq!(last_line_of_program(text).as_deref(), Some(last));
        }
        assert_eq!(last_line_of_program(" \n"), None);
    }

    #[test]
    fn secrets_are_known_wherever_helpers_print_them() {
        const TOKEN: &str = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQDx4Kq1";
        const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        for line in [
            format!("export AWS_SESSION_TOKEN={TOKEN}"),
            format!("set -gx AWS_SESSION_TOKEN {TOKEN}"),
            format!("$Env:AWS_SECRET_ACCESS_KEY = '{SECRET}'"),
            format!("> x-amz-security-token: {TOKEN}"),
            format!("X-Amz-Security-Token={}", TOKEN.replace('/', "%2F")),
            format!("GET https://sts.amazonaws.com/?X-Amz-Security-Token={TOKEN}&X-Amz-Signature=abc"),
            format!("x-amz-sso_bearer_token: aoaAAAAAGabcDEF123{TOKEN}"),
            format!("token aoaAAAAAGNzYxZ{SECRET}:MGQCMA"),
            format!("Authorization: Bearer {TOKEN}"),
            format!("Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/x, Signature={SECRET}"),
            format!("{{\"a\":{{\"accessToken\":\"{TOKEN}\",\"clientSecret\":\"{SECRET}\"}}}}"),
            format!("b'{SECRET}'"),
            format!("[{SECRET}]"),
            format!("(AKIAIOSFODNN7EXAMPLE,{SECRET})"),
            format!("eyJraWQiOiJrZXkiLCJhbGciOiJFUzM4NCJ9.eyJwbGFpbnRleHQiOiJ4In0.{SECRET}"),
            format!("curl -u me:{SECRET} https://vault.example"),
            format!("Set-Cookie: sid={TOKEN}; Path=/"),
        ] {
            let shown = of_program(&line);
            for part in [TOKEN, SECRET] {
                let is_part = |run: &[u8]| shown.contains(std::str::from_utf8(run).unwrap());
                assert!(!part.as_bytes().windows(9).any(is_part), "{line}\n{shown}");
            }
        }
    }

    #[test]
    fn nothing_secret_of_a_programs_line_is_shown() {
        for line in [
            r#"{"Version":1,"AccessKeyId":"ASIAIOSFODNN7EXAMPLE","SecretAccessKey":"hunter2","SessionToken":"hunter2"}"#,
            r#"{"Version": 1, "AccessKeyId": "ASIAIOSFODNN7EXAMPLE", "SecretAccessKey": "hunter2", "SessionToken": "hunter2"}"#,
            "{'SecretAccessKey': 'hunter2', 'Expiration': 'x'}",
            "aws_secret_access_key=hunter2",
            "aws_secret_access_key = hunter2",
            "export AWS_SESSION_TOKEN='hunter2 hunter2 hunter2' # x",
            "password=\"hunter2 and hunter2\" was refused",
            "password = \"hunter2 and hunter2\" was refused",
            "SecretAccessKey: hunter2",
            "api_key=hunter2",
            "--api-key=hunter2 --region x",
            "key: hunter2",
            "Password: hunter2",
            "the password hunter2 is wrong",
            "<SecretAccessKey>hunter2</SecretAccessKey>",
            "> Authorization: Bearer hunter2",
            "authorization: basic hunter2",
            "sent Bearer hunter2 to the server",
            "x-amz-security-token: hunter2",
            "Cookie: session=hunter2",
            "GET https://me:hunter2@vault.example/v1/aws?x=1",
            "https://vault.example/?token=hunter2&x=1",
            "eyJhbGciOiJIUzI1NiJ9.eyJodW50ZXIyIjoxfQ.hunter2 was refused",
            "AKIAIOSFODNN7EXAMPLE:hunter2",
            "AKIAIOSFODNN7EXAMPLE hunter2",
            "\u{1b}[31mSecretAccess\u{1b}[0mKey\u{1b}[1m:\u{1b}[0m hunter2",
            "secret\u{200b}_key=hunter2",
            "DB_PWD=hunter2",
            "token=>hunter2",
            "token => hunter2",
        ] {
            let shown = of_program(line);
            assert!(!shown.contains("hunter2"), "{line}\n{shown}");
        }
        let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
        for line in [
            key.to_owned(),
            format!("got {key}, expected less"),
            "x".repeat(60),
            "0".repeat(44) + "=",
            format!("a.{key}.b"),
        ] {
            let shown = of_program(&line);
            assert!(!shown.contains("wJalr") && !shown.contains("xxxxx") && !shown.contains("00000"), "{shown}");
        }
    }

    #[test]
    fn what_a_program_says_of_its_failure_is_shown() {
        for line in [
            "the vault is locked",
            "error: no such vault: /home/someone/.local/share/vaults/with-a-long-name-of-its-own-to-tell",
            "An error occurred (ExpiredToken) when calling the AssumeRole operation: The security token is over",
            "ExpiredTokenException: The security token has expired",
            "invalid token: The request was refused",
            "User: arn:aws:iam::111122223333:user/me is not authorized to perform: sts:AssumeRole",
            "perform: secretsmanager:GetSecretValue on resource",
            "the key AKIAIOSFODNN7EXAMPLE is inactive",
            "/usr/bin/sh: 1: no-such-helper: not found",
        ] {
            assert_eq!(of_program(line), line);
        }
    }
}
