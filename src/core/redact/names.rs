//! The names whose values are secrets.

/// The meaning of a name for the value after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Kind {
    /// The value is not a secret.
    None,
    /// The name of an access key id, which is not a secret, unless id and secret are swapped.
    Id,
    /// An error code or an operation that contains a secret name: `ExpiredToken`, `GetSessionToken`.
    Other,
    /// An English word: `token`. A sentence may continue after it.
    Word,
    /// A word for a password: a colon after it is enough.
    Password,
    /// An identifier: `aws_secret_access_key`, `apiKey`.
    Setting,
}

/// A name is secret if one of these is anywhere in it.
const ANYWHERE: [&str; 17] = [
    "secret",
    "token",
    "password",
    "passwd",
    "passphrase",
    "passcode",
    "credential",
    "cookie",
    "bearer",
    "signature",
    "stringtosign",
    "apikey",
    "privatekey",
    "authorization",
    "sessionid",
    "sessid",
    "devicecode",
];
/// A name is secret if one of these is a part of it.
const PARTS: [&str; 17] = [
    "key", "keys", "pass", "pwd", "pw", "auth", "oauth", "sig", "sid", "jwt", "otp", "totp", "psk", "pin", "passin",
    "passout", "verifier",
];
/// Every secret name contains one of these.
const STEMS: [&str; 19] = [
    "psk", "pin", "verif", "key", "token", "secret", "pass", "pwd", "pw", "auth", "cred", "sig", "cook", "bearer",
    "sid", "sess", "jwt", "otp", "devi",
];
/// A name with one of these endings is about a secret; its value is not a secret.
const ABOUT: [&str; 49] = [
    "sock",
    "socket",
    "pid",
    "file",
    "path",
    "url",
    "uri",
    "endpoint",
    "arn",
    "name",
    "type",
    "source",
    "process",
    "manager",
    "expiry",
    "expiration",
    "expires",
    "expired",
    "at",
    "in",
    "age",
    "length",
    "len",
    "size",
    "count",
    "version",
    "algorithm",
    "alg",
    "status",
    "state",
    "service",
    "server",
    "host",
    "region",
    "stdin",
    "prompt",
    "env",
    "fd",
    "scheme",
    "preference",
    "mode",
    "chain",
    "store",
    "timeout",
    "usage",
    "method",
    "helper",
    "cache",
    "directory",
];
/// Parts of error codes.
const OF_ERRORS: [&str; 22] = [
    "invalid",
    "expired",
    "missing",
    "unrecognized",
    "incorrect",
    "wrong",
    "bad",
    "malformed",
    "unknown",
    "exception",
    "error",
    "failure",
    "failed",
    "fault",
    "mismatch",
    "match",
    "denied",
    "refused",
    "required",
    "provider",
    "providers",
    "incomplete",
];
/// First parts of operations, programs and switches.
const VERBS: [&str; 24] = [
    "get", "list", "create", "put", "describe", "update", "delete", "assume", "decode", "fetch", "show", "read",
    "lookup", "revoke", "generate", "retrieve", "use", "with", "no", "ask", "find", "need", "needs", "not",
];
const PASSWORDS: [&str; 6] = ["password", "passphrase", "passwd", "passcode", "pwd", "pin"];
/// English words that a secret may follow without a sign between them.
const SPOKEN: [&str; 11] =
    ["password", "passphrase", "passwd", "passcode", "pwd", "secret", "token", "key", "bearer", "basic", "apikey"];
/// AWS services, as in actions and host names.
const SERVICES: [&str; 3] = ["secretsmanager", "sso-oauth", "sso_oauth"];

/// The meaning of a name for the value after it.
pub(super) fn kind(word: &str) -> Kind {
    // `me:pw@localhost:4566`
    let word = word.rsplit('@').next().unwrap_or(word);
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric());
    let lower = word.to_ascii_lowercase();
    // Most words end here.
    if !STEMS.iter().any(|stem| lower.contains(stem)) {
        return Kind::None;
    }
    if word.is_empty() || lower.contains("amazonaws") || SERVICES.contains(&lower.as_str()) {
        return Kind::None;
    }
    let parts = parts(word);
    let joined: String = parts.concat();
    let is_secret = ANYWHERE.iter().any(|name| joined.contains(name))
        || parts.iter().any(|part| PARTS.contains(&part.as_str()))
        || lower.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| part == "passphrase" || PARTS.contains(&part));
    let has = |words: &[&str]| parts.iter().any(|part| words.contains(&part.as_str()));
    let is_last = |words: &[&str]| parts.last().is_some_and(|part| words.contains(&part.as_str()));
    if !is_secret || has(&["public"]) || (parts.len() > 1 && is_last(&ABOUT)) {
        return Kind::None;
    }
    let is_operation = parts.len() > 1 && parts.first().is_some_and(|part| VERBS.contains(&part.as_str()));
    if is_operation || (parts.len() > 1 && has(&OF_ERRORS)) {
        return Kind::Other;
    }
    if joined.ends_with("keyid") || joined.ends_with("accesskey") && !joined.contains("secret") {
        return Kind::Id;
    }
    if PASSWORDS.contains(&lower.as_str()) {
        return Kind::Password;
    }
    // A path is not an identifier.
    if parts.len() > 1 && !word.contains('/') { Kind::Setting } else { Kind::Word }
}

/// Whether it is a name in AWS's own files, variables or documents.
pub(super) fn is_of_aws(word: &str) -> bool {
    const NAMES: [&str; 5] = ["accesskeyid", "secretaccesskey", "sessiontoken", "securitytoken", "accesskey"];
    let lower = word.to_ascii_lowercase();
    let is_of_name = |c: char| c.is_ascii_lowercase() || c == '_';
    (lower.starts_with("aws_") && lower.chars().all(is_of_name)) || NAMES.contains(&parts(word).concat().as_str())
}

/// Whether an element or a field of this name holds another name.
pub(super) fn is_column(lower: &str) -> bool {
    ["key", "name"].contains(&lower)
}

/// Whether a secret may follow directly after this word in a sentence.
pub(super) fn is_spoken(word: &str) -> bool {
    SPOKEN.contains(&word.to_ascii_lowercase().as_str())
}

/// The parts of an identifier, in small letters: `AWSSecretKey2` is `aws`, `secret`, `key`.
fn parts(word: &str) -> Vec<String> {
    let chars: Vec<char> = word.chars().collect();
    let mut parts: Vec<String> = Vec::new();
    let mut part = String::new();
    for (at, c) in chars.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| chars.get(at));
        let after = chars.get(at + 1);
        let begins = c.is_ascii_uppercase()
            && (before.is_some_and(char::is_ascii_lowercase) || after.is_some_and(char::is_ascii_lowercase));
        if begins || !c.is_ascii_alphanumeric() {
            parts.push(std::mem::take(&mut part));
        }
        if c.is_ascii_alphanumeric() {
            part.push(c.to_ascii_lowercase());
        }
    }
    parts.push(part);
    let without_number = |part: String| part.trim_end_matches(|c: char| c.is_ascii_digit()).to_owned();
    parts.into_iter().map(without_number).filter(|part| !part.is_empty()).collect()
}

/// Words that continue a sentence after the name of a setting or an option.
const GOES_ON: &str = "a about absent active already also an and are as at available be being but by can cannot changed correct corrupt corrupted denied disabled does empty enabled encrypted entry environment expired expires failed field file flag for found from \
    given had has have if in inactive incorrect instead into invalid is isn it its key kept known locked long longer malformed may might missing must name need needs never new \
    no nor not of off old on only option or over parameter present presented protected provided rejected refused required requires reset revoked set setting short should stale still stored than that the \
    then this to token too unknown unset unavailable unlocked use used using valid value values variable variables via was weak were when which while will with \
    without wrong would you your";

/// Whether this word continues a sentence.
pub(super) fn goes_on(word: &str) -> bool {
    let word = word.to_ascii_lowercase();
    GOES_ON.split_whitespace().any(|known| known == word)
}

/// Words between a name and its value.
pub(super) fn leads_to_value(word: &str) -> bool {
    ["value", "val", "string", "header", "headers", "is", "was"].contains(&word.to_ascii_lowercase().as_str())
}

/// Words that may come before a name at the beginning of a line.
pub(super) fn leads_to_name(word: &str) -> bool {
    const WORDS: &str = "export set setx env declare global x gx access secret session private security client auth refresh pass \
        api ssh service enter your the old new current temporary id";
    let word = word.trim_matches(|c: char| !c.is_ascii_alphanumeric()).to_ascii_lowercase();
    word.is_empty() || WORDS.split_whitespace().any(|known| known == word)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_known_in_every_spelling() {
        for name in [
            "aws_secret_access_key",
            "AWS_SECRET_ACCESS_KEY",
            "SecretAccessKey",
            "secretaccesskey",
            "secret-access-key",
            "X-Amz-Security-Token",
            "apiKey",
            "api_key2",
            "clientSecret",
            "refresh_token",
            "DB_PWD",
            "pass_phrase",
            "private_key",
            "sessionId",
        ] {
            assert!(matches!(kind(name), Kind::Setting | Kind::Word), "{name}: {:?}", kind(name));
        }
        for (name, expected) in [
            ("AccessKeyId", Kind::Id),
            ("aws_access_key_id", Kind::Id),
            ("ExpiredTokenException", Kind::Other),
            ("InvalidClientToken", Kind::Other),
            ("GetSessionToken", Kind::Other),
            ("token", Kind::Word),
            ("Password", Kind::Password),
        ] {
            assert_eq!(kind(name), expected, "{name}");
        }
    }

    #[test]
    fn settings_of_the_aws_files_that_hold_no_secret_are_no_such_names() {
        for name in [
            "web_identity_token_file",
            "credential_process",
            "credential_source",
            "auth_scheme_preference",
            "signature_version",
            "sigv4a_signing_region_set",
            "sso_start_url",
            "sso_session",
            "mfa_serial",
            "role_session_name",
            "external_id",
            "tcp_keepalive",
            "keyboard",
            "monkey",
            "passed",
            "author",
            "public_key",
            "secretsmanager",
        ] {
            assert_eq!(kind(name), Kind::None, "{name}");
        }
    }
}
