//! What goes wrong with AWS: one table of error codes with class, meaning and fix, read by keeper, status and doctor.

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

/// Our code for a `credential_process` whose program is nowhere on the daemon's PATH.
pub const PROCESS_NOT_FOUND: &str = "ProcessNotFound";

/// What a failure means for the next try.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorClass {
    /// The next try may succeed by itself: network, throttling, 5xx, a clock that is being corrected.
    Retryable,
    /// A person must do something first: log in, type a code.
    NeedsLogin,
    /// Trying again soon would not help: a refusal, a wrong key, no such role.
    Permanent,
}

/// A failed call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// What it means for the next try.
    pub class: ErrorClass,
    /// AWS's error code as it came, or one of ours (`Timeout`, `Network`, `Tls`, `InvalidResponse`, …).
    pub code: String,
    /// A sentence: what was asked of whom, and what came back.
    pub message: String,
    /// What to do about it.
    pub fix: Option<String>,
    /// The server asked not to be asked again before this (`Retry-After`).
    pub retry_after: Option<TimeDelta>,
    /// The answer says that the request's time was off: the estimate of AWS's time is wrong.
    pub skewed: bool,
}

/// One error code.
#[derive(Debug)]
pub struct Entry {
    /// AWS's code, or ours.
    pub code: &'static str,
    /// What it means for the next try.
    pub class: ErrorClass,
    /// Whether it is the signing credentials that were refused, rather than what was asked for.
    pub refuses_signer: bool,
    /// What it means, as a sentence.
    pub meaning: &'static str,
    /// What to do, as a sentence.
    pub fix: &'static str,
}

/// The entry of a code.
pub fn lookup(code: &str) -> Option<&'static Entry> {
    TABLE.iter().find(|entry| entry.code == code)
}

/// A fault from what came back. `what` says what was asked: `AssumeRole of arn:… for profile "dev"`.
pub fn fault(what: &str, status: Option<u16>, code: Option<&str>, message: Option<&str>) -> Fault {
    let message = message.map(printable).filter(|message| !message.is_empty());
    let code = code.unwrap_or("InvalidResponse");
    let skewed = is_skew(code, message.as_deref());
    let entry = lookup(code);
    let wrong_code = message.as_deref().is_some_and(|message| message.contains("MultiFactorAuthentication failed"));
    let class = match (skewed, wrong_code) {
        (true, _) => ErrorClass::Retryable,
        (false, true) => ErrorClass::NeedsLogin,
        (false, false) => class(status, entry),
    };
    let fix = if wrong_code {
        Some("type the code that the device shows next: each is good once".to_owned())
    } else if skewed {
        Some("the next request is signed with AWS's own time; nothing needs to be done".to_owned())
    } else if code == "AccessDenied" && what.starts_with("AssumeRole") {
        Some(ASSUME_ROLE_DENIED.to_owned())
    } else {
        entry.map(|entry| entry.fix.to_owned())
    };
    let said = match (&message, entry) {
        (Some(message), _) => format!("{code}: {message}"),
        (None, Some(entry)) => format!("{code}: {}", entry.meaning),
        (None, None) => status.map_or_else(|| code.to_owned(), |status| format!("{code} (HTTP status {status})")),
    };
    Fault { class, code: code.to_owned(), message: format!("{what} failed: {said}"), fix, retry_after: None, skewed }
}

/// Whether a code says that the signing credentials themselves were refused.
pub fn refuses_signer(fault: &Fault) -> bool {
    !fault.skewed && lookup(&fault.code).is_some_and(|entry| entry.refuses_signer)
}

/// Whether no answer of AWS came at all: it is the network that fails, or what answers in AWS's place.
pub fn is_unreached(fault: &Fault) -> bool {
    is_unreached_code(&fault.code)
}

/// Whether a code is one of ours for a call that AWS did not answer.
pub fn is_unreached_code(code: &str) -> bool {
    matches!(code, "Timeout" | "Network" | "Tls" | "TlsClock" | "InvalidResponse")
}

fn class(status: Option<u16>, entry: Option<&Entry>) -> ErrorClass {
    match (entry, status) {
        (Some(entry), _) => entry.class,
        (None, Some(408 | 425 | 429 | 500..)) => ErrorClass::Retryable,
        (None, Some(400..=499)) => ErrorClass::Permanent,
        // Neither an answer nor an error of AWS: a proxy, a captive portal, half an answer.
        (None, _) => ErrorClass::Retryable,
    }
}

/// STS has no code of its own for a request whose time is off: the text tells.
fn is_skew(code: &str, message: Option<&str>) -> bool {
    let text = message.unwrap_or_default();
    match code {
        "RequestTimeTooSkewed" | "RequestInTheFuture" | "RequestExpired" => true,
        "SignatureDoesNotMatch" | "InvalidSignatureException" => {
            text.contains("Signature expired") || text.contains("Signature not yet current")
        }
        _ => false,
    }
}

/// One line of characters that show, of a length that a terminal bears: what a server says is not trusted.
pub fn printable(text: &str) -> String {
    const LONGEST: usize = 500;
    let words: Vec<&str> = text
        .split(|c: char| c.is_whitespace() || c.is_control() || is_invisible(c))
        .filter(|word| !word.is_empty())
        .collect();
    let line = words.join(" ");
    match line.char_indices().nth(LONGEST) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// Characters without a width, and those that turn the direction of what follows (Unicode's Bidi_Control).
pub fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

const ASSUME_ROLE_DENIED: &str = "ask an administrator of the role's account whether the role exists, whether its trust policy \
     names this caller (and which external id or MFA it wants), and whether this caller's own policies and the \
     organisation's allow sts:AssumeRole on it; AWS does not say which of them it was";

const fn entry(code: &'static str, class: ErrorClass, meaning: &'static str, fix: &'static str) -> Entry {
    Entry { code, class, refuses_signer: false, meaning, fix }
}

const fn signer(code: &'static str, meaning: &'static str, fix: &'static str) -> Entry {
    Entry { code, class: ErrorClass::Permanent, refuses_signer: true, meaning, fix }
}

const CHECK_KEY: &str = "check the access key id and secret access key of the source profile; a key made a moment ago works \
     within seconds, a deleted or inactive one has to be replaced in IAM";
const NEW_SESSION: &str = "get new temporary credentials from the tool that wrote these, with their own session token";
const LOG_IN: &str = "sign in again: evercred login";
const WAIT: &str = "nothing: it is tried again by itself";
const NETWORK: &str =
    "check the network, and the proxy settings in [environment] of evercred.toml; it is tried again by itself";

static TABLE: &[Entry] = &[
    signer(
        "InvalidClientTokenId",
        "AWS does not know the access key id, or its session token is missing or another's",
        CHECK_KEY,
    ),
    signer("UnrecognizedClientException", "AWS does not know the access key id or session token", CHECK_KEY),
    signer("AuthFailure", "AWS could not validate the credentials", CHECK_KEY),
    signer("InvalidAccessKeyId", "AWS does not know the access key id", CHECK_KEY),
    signer("InvalidToken", "the session token is malformed or not that of the key", NEW_SESSION),
    signer(
        "SignatureDoesNotMatch",
        "the secret access key is not the one that belongs to the access key id",
        "copy the secret access key again, or make a new key in IAM: AWS shows a secret only once",
    ),
    signer(
        "InvalidSignatureException",
        "the secret access key is not the one that belongs to the access key id",
        "copy the secret access key again, or make a new key in IAM: AWS shows a secret only once",
    ),
    signer("IncompleteSignature", "the signature is malformed: the key has characters that no key has", CHECK_KEY),
    signer("MissingAuthenticationToken", "the request was not signed", CHECK_KEY),
    signer("ExpiredToken", "the temporary credentials that signed the request have expired", NEW_SESSION),
    signer("ExpiredTokenException", "the temporary credentials that signed the request have expired", NEW_SESSION),
    entry(
        "AccessDenied",
        ErrorClass::Permanent,
        "the caller may not do this",
        "ask an administrator for the permission that the message names",
    ),
    entry(
        "AccessDeniedException",
        ErrorClass::Permanent,
        "the caller may not do this",
        "ask an administrator for the permission that the message names",
    ),
    entry(
        "ValidationError",
        ErrorClass::Permanent,
        "AWS does not accept one of the values",
        "correct the setting that the message names; a role's longest session is set on the role, and a role assumed \
         from another role's session lives one hour at most (duration_seconds)",
    ),
    entry(
        "MalformedPolicyDocument",
        ErrorClass::Permanent,
        "the session policy is malformed",
        "correct the session policy",
    ),
    entry("PackedPolicyTooLarge", ErrorClass::Permanent, "session policy and tags are too large", "make them smaller"),
    entry("NoSuchEntity", ErrorClass::Permanent, "there is no such thing in IAM", "check the name in the settings"),
    entry(
        "RegionDisabledException",
        ErrorClass::Permanent,
        "STS is not activated in this region for this account",
        "set another region for the profile, or have an administrator enable the region for the account",
    ),
    entry(
        "OptInRequired",
        ErrorClass::Permanent,
        "the account is not signed up for the service or has not enabled the region",
        "set another region for the profile, or have an administrator enable the region for the account",
    ),
    entry("RequestExpired", ErrorClass::Retryable, "the request's time was too far in the past", WAIT),
    entry("RequestInTheFuture", ErrorClass::Retryable, "the request's time was too far in the future", WAIT),
    entry("RequestTimeTooSkewed", ErrorClass::Retryable, "the request's time was too far off", WAIT),
    entry("Throttling", ErrorClass::Retryable, "too many requests", WAIT),
    entry("ThrottlingException", ErrorClass::Retryable, "too many requests", WAIT),
    entry("ThrottledException", ErrorClass::Retryable, "too many requests", WAIT),
    entry("TooManyRequestsException", ErrorClass::Retryable, "too many requests", WAIT),
    entry("RequestLimitExceeded", ErrorClass::Retryable, "too many requests", WAIT),
    entry("SlowDown", ErrorClass::Retryable, "too many requests", WAIT),
    entry("ServiceUnavailable", ErrorClass::Retryable, "the service is not available now", WAIT),
    entry("InternalFailure", ErrorClass::Retryable, "the service failed", WAIT),
    entry("InternalError", ErrorClass::Retryable, "the service failed", WAIT),
    entry("IDPCommunicationError", ErrorClass::Retryable, "AWS could not reach the identity provider", WAIT),
    entry("Timeout", ErrorClass::Retryable, "no answer came in time", NETWORK),
    entry("Network", ErrorClass::Retryable, "the connection could not be made, or broke", NETWORK),
    entry(
        "Tls",
        ErrorClass::Retryable,
        "the server's certificate was not accepted",
        "behind a proxy that opens TLS, set AWS_CA_BUNDLE in [environment] of evercred.toml to its certificate",
    ),
    entry(
        "TlsClock",
        ErrorClass::Retryable,
        "the server's certificate is not valid at the time that this machine's clock shows",
        "set this machine's clock right",
    ),
    entry(
        "InvalidResponse",
        ErrorClass::Retryable,
        "what came back is no answer of AWS",
        "a proxy or a login page of the network may have answered instead; it is tried again by itself",
    ),
    entry(
        "InvalidIdentityToken",
        ErrorClass::Permanent,
        "AWS does not accept the web identity token: it is no JWT, or of an issuer that the account does not trust",
        "have the token file written anew by whoever writes it, and check the account's identity provider",
    ),
    entry(
        "IDPRejectedClaim",
        ErrorClass::Permanent,
        "the identity provider did not vouch for the web identity token",
        "have the token file written anew by whoever writes it",
    ),
    entry(
        "TokenFile",
        ErrorClass::Permanent,
        "the web identity token can't be read",
        "have the token file written anew by whoever writes it, or correct web_identity_token_file",
    ),
    entry("CodeUsed", ErrorClass::Retryable, "the device still shows the code that was used", WAIT),
    entry(
        "MetadataUnavailable",
        ErrorClass::Retryable,
        "the place where the daemon runs gives no credentials",
        "credential_source = Ec2InstanceMetadata and EcsContainer work on an EC2 instance or in a container, with a role given to \
         it: elsewhere name a source_profile",
    ),
    entry(
        "ProcessFailed",
        ErrorClass::Permanent,
        "another program's credential_process gave no credentials",
        "run the profile's credential_process in a terminal, and do what it wants",
    ),
    entry(
        PROCESS_NOT_FOUND,
        ErrorClass::Permanent,
        "the program of a credential_process was not found",
        "name it with its whole path, or set PATH in [environment] of evercred.toml",
    ),
    // IAM Identity Center's portal.
    Entry {
        code: "UnauthorizedException",
        class: ErrorClass::NeedsLogin,
        refuses_signer: true,
        meaning: "the SSO access token is not accepted: it has expired, or the session was ended",
        fix: LOG_IN,
    },
    entry(
        "ForbiddenException",
        ErrorClass::Permanent,
        "the person who is signed in does not have this role in this account",
        "check sso_account_id and sso_role_name (evercred profiles --sso SESSION lists what there is), or ask an administrator \
         of IAM Identity Center for the assignment",
    ),
    entry(
        "ResourceNotFoundException",
        ErrorClass::Permanent,
        "IAM Identity Center does not know this account or role",
        "check sso_account_id and sso_role_name: evercred profiles --sso SESSION lists what there is",
    ),
    // IAM Identity Center's tokens (RFC 6749 section 5.2, RFC 8628 section 3.5).
    entry(
        "InvalidGrantException",
        ErrorClass::NeedsLogin,
        "the refresh token or code is not accepted: the session is over, was ended, or the token was used by somebody else",
        LOG_IN,
    ),
    entry(
        "InvalidClientException",
        ErrorClass::NeedsLogin,
        "the registration of the client that signed in is not accepted any more",
        LOG_IN,
    ),
    entry("UnauthorizedClientException", ErrorClass::NeedsLogin, "the client that signed in may not do this", LOG_IN),
    entry("SignInExpired", ErrorClass::NeedsLogin, "nobody has signed in before the code expired", LOG_IN),
    entry(
        "SignInRefused",
        ErrorClass::NeedsLogin,
        "the person, or AWS, said no",
        "sign in again, and allow it on the page",
    ),
    entry(
        "InvalidRequestException",
        ErrorClass::Permanent,
        "AWS does not accept one of the values",
        "correct the setting that the message names",
    ),
    entry(
        "StartUrlUnknown",
        ErrorClass::Permanent,
        "AWS knows no such start URL in this region",
        "check sso_start_url (the address of the access portal) and sso_region (where IAM Identity Center was set up)",
    ),
    entry(
        "InvalidScopeException",
        ErrorClass::Permanent,
        "AWS does not know one of the scopes",
        "correct sso_registration_scopes; sso:account:access is enough for accounts and roles",
    ),
    entry("SlowDownException", ErrorClass::Retryable, "too many requests", WAIT),
    entry("InternalServerException", ErrorClass::Retryable, "the service failed", WAIT),
    // AWS Sign-In.
    entry("TOKEN_EXPIRED", ErrorClass::NeedsLogin, "the login session is over", LOG_IN),
    entry("AUTHCODE_EXPIRED", ErrorClass::NeedsLogin, "the sign-in took too long: its code has expired", LOG_IN),
    entry(
        "USER_CREDENTIALS_CHANGED",
        ErrorClass::NeedsLogin,
        "the password or the credentials of who signed in have changed since",
        LOG_IN,
    ),
    entry(
        "INSUFFICIENT_PERMISSIONS",
        ErrorClass::Permanent,
        "who signed in may not get credentials for local development",
        "ask an administrator for the policy SignInLocalDevelopmentAccess",
    ),
    entry(
        "INVALID_REQUEST",
        ErrorClass::NeedsLogin,
        "AWS Sign-In does not accept the request: the key or the token in the cache is not what the session was begun with",
        LOG_IN,
    ),
    entry("server_error", ErrorClass::Retryable, "the service failed", WAIT),
    entry("TooManyRequestsError", ErrorClass::Retryable, "too many requests", WAIT),
    entry(
        "NotSupported",
        ErrorClass::Permanent,
        "a daemon can't get credentials of this kind",
        "name a source_profile",
    ),
    entry(
        "CacheFailed",
        ErrorClass::Retryable,
        "the cache of the AWS tools can't be used",
        "check the owner and the permissions of ~/.aws/sso/cache and ~/.aws/login/cache",
    ),
    entry(
        "SsoCacheUnusable",
        ErrorClass::NeedsLogin,
        "the session's file in the cache of the AWS tools is not one of this session",
        LOG_IN,
    ),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_says_what_it_means_and_what_to_do() {
        for entry in TABLE {
            assert!(entry.meaning.len() > 10 && entry.fix.len() > 3, "{}", entry.code);
            assert_eq!(TABLE.iter().filter(|other| other.code == entry.code).count(), 1, "{}", entry.code);
        }
    }

    #[test]
    fn what_was_not_in_the_table_is_classed_by_its_status() {
        let class = |status| fault("x", status, Some("Unheard"), None).class;
        assert_eq!(class(Some(500)), ErrorClass::Retryable);
        assert_eq!(class(Some(429)), ErrorClass::Retryable);
        assert_eq!(class(Some(400)), ErrorClass::Permanent);
        assert_eq!(fault("x", Some(200), None, None).class, ErrorClass::Retryable);
        // A login page of the network, whatever its status.
        assert_eq!(fault("x", Some(403), None, None).class, ErrorClass::Retryable);
    }

    #[test]
    fn a_signature_that_is_only_late_is_not_a_wrong_secret() {
        let late =
            fault("x", Some(403), Some("SignatureDoesNotMatch"), Some("Signature expired: 2026… is now earlier"));
        assert!(late.skewed && late.class == ErrorClass::Retryable && !refuses_signer(&late));
        let wrong = fault("x", Some(403), Some("SignatureDoesNotMatch"), Some("The request signature we calculated …"));
        assert!(!wrong.skewed && wrong.class == ErrorClass::Permanent && refuses_signer(&wrong));
    }

    #[test]
    fn a_servers_words_are_one_bounded_printable_line() {
        assert_eq!(printable("a\u{1b}[31mb\n\tc\u{0}"), "a [31mb c");
        assert_eq!(printable("to\u{202e}txt.exe\u{200b}"), "to txt.exe");
        assert_eq!(printable(&"x".repeat(9_000)).chars().count(), 501);
    }

    #[test]
    fn a_refused_role_keeps_every_cause_possible() {
        let denied =
            fault("AssumeRole of r for profile \"a\"", Some(403), Some("AccessDenied"), Some("User: arn is not …"));
        assert!(denied.message.contains("User: arn"));
        assert!(denied.fix.unwrap().contains("trust policy"));
    }
}
