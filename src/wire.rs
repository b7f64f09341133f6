//! What daemon and companion say to each other: length-prefixed JSON over the control socket, and the status document.
//!
//! A message is four bytes of length (big endian) and that much JSON, at most 1 MiB. Every request says the version first.
//! `credential-process` of version 1 is frozen: an upgraded companion meets yesterday's daemon, and the other way round.
//! Unknown fields are ignored, unknown requests answered as unsupported.

use std::collections::BTreeMap;
use std::fmt;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::core::aws_error::ErrorClass;
use crate::core::credential::Credentials;
use crate::core::keeper::{Flow, Refusal, RefusalKind, State};
use crate::core::printable::line;

/// The version that both sides speak.
pub const VERSION: u32 = 1;
/// The longest message.
pub const LONGEST: usize = 1024 * 1024;

/// A request of the companion.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Request {
    /// [`VERSION`].
    pub version: u32,
    /// What is asked: `credential-process`, `status`, `renew`, `login`, `login-wait`, `logout`, `sso-roles`, `clock`.
    pub request: String,
    /// The profile, for requests about one; for `login`, `logout` and `sso-roles` it may be a session's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// The code that the user typed for `login` (without it the answer says which code is needed), or pasted for `login-wait`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<Zeroizing<String>>,
    /// How to sign in, for `login`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub flow: Option<Flow>,
    /// For `login`: sign in again even if the user is signed in.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub force: bool,
    /// The sign-in that is waited for, for `login-wait`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sign_in: Option<u64>,
    /// The last profile that the caller has, for the next page of `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
    /// The AWS config file as the companion resolves it. A request without both files means the daemon's own: the caller may be on
    /// another machine.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub config_file: String,
    /// The AWS credentials file as the companion resolves it.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub credentials_file: String,
}

/// `Debug` leaves the code out.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Request")
            .field("request", &self.request)
            .field("profile", &self.profile)
            .finish_non_exhaustive()
    }
}

/// The id of the problem in the status document that a file, or the header of a section, can't be read: a profile that is not listed
/// may be there.
pub const UNREADABLE_FILE: &str = "aws-file-unreadable";

/// Why a request got no answer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct WireError {
    /// What kind of error it is.
    pub kind: ErrorKind,
    /// The error code of the failed operation: AWS's, or one of evercred's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// A sentence.
    pub message: String,
    /// What to do.
    #[serde(default)]
    pub fix: Option<String>,
}

/// The kinds of errors; a kind that a later version adds reads as `failed`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum ErrorKind {
    /// The profile is in no file.
    MissingProfile,
    /// A file, or a line of it, can't be read; the requested profile may be in it.
    UnreadableFile,
    /// A person must log in.
    NeedsLogin,
    /// The daemon keeps other AWS files than the caller's.
    WrongFiles,
    /// The daemon does not know the request or the version.
    Unsupported,
    /// The message was not understood.
    Malformed,
    /// Everything else.
    #[serde(other)]
    Failed,
}

impl From<Refusal> for WireError {
    fn from(refusal: Refusal) -> Self {
        let kind = match refusal.kind {
            RefusalKind::MissingProfile => ErrorKind::MissingProfile,
            RefusalKind::UnreadableFile => ErrorKind::UnreadableFile,
            RefusalKind::NeedsLogin => ErrorKind::NeedsLogin,
            RefusalKind::Failed => ErrorKind::Failed,
        };
        Self { kind, code: refusal.code, message: refusal.message, fix: refusal.fix }
    }
}

/// The answer to a request, as the JSON text that goes over the wire.
pub type Answer = Zeroizing<Vec<u8>>;

/// An answer with what was asked for.
pub fn answer_ok(result: &Value) -> Answer {
    #[derive(Serialize)]
    struct Envelope<'a> {
        version: u32,
        ok: &'a Value,
    }
    encode(&Envelope { version: VERSION, ok: result })
}

/// An answer that says why not.
pub fn answer_error(error: &WireError) -> Answer {
    #[derive(Serialize)]
    struct Envelope<'a> {
        version: u32,
        error: &'a WireError,
    }
    encode(&Envelope { version: VERSION, error })
}

/// The answer to `credential-process`: the SDKs' document. The one place where secrets go onto the wire.
/// `expiration` is the expiry as the reader's clock will show it.
pub fn answer_credentials(credentials: &Credentials, expiration: Option<&str>) -> Answer {
    #[derive(Serialize)]
    struct Envelope<'a> {
        version: u32,
        ok: Document<'a>,
    }
    /// <https://docs.aws.amazon.com/sdkref/latest/guide/feature-process-credentials.html>
    #[derive(Serialize)]
    #[serde(rename_all = "PascalCase")]
    struct Document<'a> {
        version: u32,
        access_key_id: &'a str,
        secret_access_key: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        session_token: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        expiration: Option<&'a str>,
        #[serde(skip_serializing_if = "Option::is_none")]
        account_id: Option<&'a str>,
    }
    encode(&Envelope {
        version: VERSION,
        ok: Document {
            version: 1,
            access_key_id: &credentials.access_key_id,
            secret_access_key: credentials.secret_access_key.expose(),
            session_token: credentials.session_token.as_ref().map(|token| token.expose()),
            expiration,
            account_id: credentials.account_id.as_deref(),
        },
    })
}

/// Reads a request's text.
///
/// # Errors
/// It is not a request of a version that is known here; the message does not quote it.
pub fn parse_request(text: &[u8]) -> Result<Request, WireError> {
    let version: Option<u64> =
        serde_json::from_slice::<Map<String, Value>>(text).ok().and_then(|fields| fields.get("version")?.as_u64());
    match version {
        Some(1) => serde_json::from_slice(text).map_err(|_| malformed()),
        Some(other) => Err(WireError {
            kind: ErrorKind::Unsupported,
            code: None,
            message: format!("this daemon speaks version {VERSION} of its protocol, the request says {other}"),
            fix: Some("restart the daemon, so that both are of one version".to_owned()),
        }),
        None => Err(malformed()),
    }
}

/// Reads an answer's text.
///
/// # Errors
/// What the daemon said was wrong, or that its answer makes no sense.
pub fn parse_answer(text: &[u8]) -> Result<Value, WireError> {
    #[derive(Deserialize)]
    struct Envelope {
        version: u32,
        #[serde(default)]
        ok: Option<Value>,
        #[serde(default)]
        error: Option<WireError>,
    }
    match serde_json::from_slice::<Envelope>(text) {
        // On one line each: the answer may be another program's, and must not add lines to stderr.
        Ok(Envelope { version: VERSION, error: Some(WireError { kind, code, message, fix }), .. }) => Err(WireError {
            kind,
            code: code.map(|code| line(&code)),
            message: line(&message),
            fix: fix.map(|fix| line(&fix)),
        }),
        Ok(Envelope { version: VERSION, ok: Some(value), .. }) => Ok(value),
        Ok(_) | Err(_) => Err(WireError {
            kind: ErrorKind::Malformed,
            code: None,
            message: "the daemon's answer makes no sense".to_owned(),
            fix: Some("restart the daemon: it may be of another version".to_owned()),
        }),
    }
}

/// Writes one message.
///
/// # Errors
/// The connection broke, or the message is too long.
pub fn write_message(to: &mut impl Write, text: &[u8]) -> io::Result<()> {
    let mut frame = Zeroizing::new(Vec::with_capacity(text.len() + 4));
    frame.extend_from_slice(&header(text.len()).ok_or(io::ErrorKind::InvalidInput)?);
    frame.extend_from_slice(text);
    to.write_all(&frame)
}

/// Reads one message.
///
/// # Errors
/// The connection broke, or the message is too long.
pub fn read_message(from: &mut impl Read) -> io::Result<Answer> {
    let mut head = [0; 4];
    from.read_exact(&mut head)?;
    let length = length(head).ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, "the message is too long"))?;
    let mut text = Zeroizing::new(vec![0; length]);
    from.read_exact(&mut text)?;
    Ok(text)
}

/// The four bytes before a message; `None` where it is too long.
pub fn header(length: usize) -> Option<[u8; 4]> {
    (length <= LONGEST).then(|| u32::try_from(length).ok().map(u32::to_be_bytes))?
}

/// The length that four bytes announce; `None` where it is too long.
pub fn length(head: [u8; 4]) -> Option<usize> {
    usize::try_from(u32::from_be_bytes(head)).ok().filter(|length| *length <= LONGEST)
}

fn malformed() -> WireError {
    WireError {
        kind: ErrorKind::Malformed,
        code: None,
        message: "the request was not understood".to_owned(),
        fix: Some("use the evercred program of the same version as the daemon".to_owned()),
    }
}

fn encode(value: &impl Serialize) -> Answer {
    // Maps with string keys, strings, numbers: these always have a JSON form.
    Zeroizing::new(serde_json::to_vec(value).unwrap_or_default())
}

/// The document of `status --json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StatusDocument {
    /// `evercred.status/1`.
    pub schema: String,
    /// AWS's time when this was said, by the best estimate.
    #[serde(default)]
    pub now: Option<String>,
    /// The daemon.
    pub daemon: DaemonStatus,
    /// This machine's clock.
    pub clock: ClockStatus,
    /// The profiles, by name.
    pub profiles: Vec<ProfileEntry>,
    /// The SSO sessions.
    #[serde(default)]
    pub sso_sessions: Vec<SessionEntry>,
    /// The sessions with MFA.
    #[serde(default)]
    pub mfa_sessions: Vec<MfaEntry>,
    /// What a person should know.
    pub problems: Vec<ProblemEntry>,
    /// The last profile of this page, if more follow; the next request sends it as `after`. The joined document has none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// The daemon.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DaemonStatus {
    /// Its version.
    pub version: String,
    /// Its process id.
    pub pid: u32,
    /// When it started, in AWS time.
    pub started_at: String,
    /// What it was started from.
    #[serde(default)]
    pub program: Option<ProgramStatus>,
    /// What it has of the variables that are carried from a shell, fit to be shown.
    #[serde(default)]
    pub environment: BTreeMap<String, String>,
}

/// The file that the daemon was started from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProgramStatus {
    /// Its path, as it was called.
    pub path: String,
    /// What tells it from a file that took its place (see `platform::program::identity`).
    pub identity: String,
    /// The command that starts the daemon anew.
    pub restart: String,
}

/// This machine's clock.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ClockStatus {
    /// `ok`, `notice`, `warning`, `critical` or `unknown`.
    pub state: String,
    /// Local minus AWS time.
    pub offset_seconds: Option<f64>,
    /// How far that may be off.
    pub uncertainty_seconds: Option<f64>,
    /// How it is known.
    pub source: Option<String>,
    /// When, in AWS time.
    pub measured_at: Option<String>,
    /// Not predicted in this version.
    pub crosses_limit_in_seconds: Option<i64>,
}

/// One profile.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct ProfileEntry {
    /// Its name.
    pub name: String,
    /// How its credentials are got.
    pub kind: String,
    /// Whether it is renewed automatically.
    pub auto_renew: bool,
    /// How it stands.
    pub state: State,
    /// Whether a request now gets credentials without the user.
    pub usable: bool,
    /// The account, where it is known.
    pub account_id: Option<String>,
    /// Its name, where it is known.
    pub account_name: Option<String>,
    /// The role's name, where it is a role and known.
    pub role: Option<String>,
    /// The profile's region.
    pub region: Option<String>,
    /// The SSO session that it depends on.
    pub sso_session: Option<String>,
    /// Whether the cached credentials are valid.
    pub valid: Option<bool>,
    /// Its expiry.
    pub expires_at: Option<String>,
    /// What is left.
    pub remaining_seconds: Option<i64>,
    /// When it is renewed.
    pub renew_at: Option<String>,
    /// The last renewal.
    pub last_renewal: Option<RenewalEntry>,
    /// The last error, until a success.
    pub last_error: Option<ErrorEntry>,
    /// How programs get it.
    pub deliveries: Vec<String>,
}

/// One sign-in session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SessionEntry {
    /// The `sso-session` section's name, the start URL in the legacy form, or who signed in with `aws login`.
    pub name: String,
    /// The argument of `evercred login` for it: the name of the section or of a profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub login_name: Option<String>,
    /// `sso` or `login`.
    pub kind: String,
    /// How it stands.
    pub state: State,
    /// When its token expires; it is refreshed before.
    pub expires_at: Option<String>,
    /// When a person will have to sign in again, where that is known.
    pub ends_at: Option<String>,
    /// How many profiles stand behind it.
    pub profiles: usize,
    /// What is wrong, until it is not.
    pub last_error: Option<ErrorEntry>,
}

/// A session with MFA that roles share.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MfaEntry {
    /// The device.
    pub device: String,
    /// The profile with the key of the session.
    pub profile: String,
    /// When it expires.
    pub expires_at: Option<String>,
    /// How many profiles depend on it.
    pub profiles: usize,
}

/// The last renewal of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RenewalEntry {
    /// When it ended, in AWS time.
    pub at: String,
    /// Whether it succeeded.
    pub ok: bool,
    /// How long it took.
    pub took_ms: i64,
    /// Why it was made then.
    pub reason: String,
}

/// The last error of a profile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ErrorEntry {
    /// When it came, in AWS time.
    pub at: String,
    /// The name of the operation that failed (`AssumeRole`); absent if nothing was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub operation: Option<String>,
    /// The words of AWS or of the program that failed; absent if nothing was called.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// AWS's code, or ours.
    pub code: String,
    /// What it means for the next try.
    pub class: ErrorClass,
    /// A sentence.
    pub message: String,
    /// What to do.
    pub fix: Option<String>,
}

/// Something a person should know.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProblemEntry {
    /// Which.
    pub id: String,
    /// A sentence.
    pub message: String,
    /// The file.
    pub file: Option<String>,
    /// The line.
    pub line: Option<u32>,
    /// What to do.
    pub fix: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::secret::Secret;

    #[test]
    fn version_1_of_credential_process_is_frozen() {
        let yesterday = br#"{"version":1,"request":"credential-process","profile":"dev","config_file":"/c","credentials_file":"/d","later":[1]}"#;
        let request = parse_request(yesterday).unwrap();
        assert_eq!((request.request.as_str(), request.profile.as_deref()), ("credential-process", Some("dev")));
        let credentials = Credentials {
            access_key_id: "ASIA1".into(),
            secret_access_key: Secret::new("s"),
            session_token: Some(Secret::new("t")),
            expires_at: None,
            account_id: Some("111122223333".into()),
        };
        let text = answer_credentials(&credentials, Some("2026-11-24T12:00:00Z"));
        assert_eq!(
            std::str::from_utf8(&text).unwrap(),
            r#"{"version":1,"ok":{"Version":1,"AccessKeyId":"ASIA1","SecretAccessKey":"s","SessionToken":"t","Expiration":"2026-11-24T12:00:00Z","AccountId":"111122223333"}}"#
        );
    }

    #[test]
    fn another_version_is_told_apart_from_garbage() {
        assert_eq!(parse_request(br#"{"version":2,"x":1}"#).unwrap_err().kind, ErrorKind::Unsupported);
        for text in [&b""[..], b"[]", b"{}", b"{\"version\":1}", b"\xff", b"{\"version\":\"1\"}"] {
            assert_eq!(parse_request(text).unwrap_err().kind, ErrorKind::Malformed);
        }
    }

    #[test]
    fn every_answer_says_its_version_first() {
        let error = WireError { kind: ErrorKind::WrongFiles, code: None, message: "m".into(), fix: None };
        for (text, wanted) in [
            (answer_ok(&Value::from(1)), r#"{"version":1,"ok":1}"#),
            (answer_error(&error), r#"{"version":1,"error":{"kind":"wrong-files","message":"m","fix":null}}"#),
        ] {
            assert_eq!(std::str::from_utf8(&text).unwrap(), wanted);
        }
        assert_eq!(parse_answer(&answer_error(&error)), Err(error));
    }

    #[test]
    fn what_is_not_known_is_null_in_the_status_and_later_fields_are_ignored() {
        let clock = ClockStatus {
            state: "unknown".into(),
            offset_seconds: None,
            uncertainty_seconds: None,
            source: None,
            measured_at: None,
            crosses_limit_in_seconds: None,
        };
        let mut value = serde_json::to_value(&clock).unwrap();
        assert_eq!(value.as_object().unwrap().len(), 6);
        assert!(value["crosses_limit_in_seconds"].is_null());
        value["later"] = Value::from("more");
        assert_eq!(serde_json::from_value::<ClockStatus>(value).unwrap(), clock);
    }

    #[test]
    fn an_error_kind_of_a_later_version_reads_as_failed() {
        let error = parse_answer(br#"{"version":1,"error":{"kind":"brand-new","message":"m"}}"#).unwrap_err();
        assert_eq!((error.kind, error.message.as_str()), (ErrorKind::Failed, "m"));
    }

    #[test]
    fn a_message_that_announces_too_much_is_not_read() {
        let mut hostile = &[0xff, 0xff, 0xff, 0xff, 0][..];
        assert_eq!(read_message(&mut hostile).unwrap_err().kind(), io::ErrorKind::InvalidData);
        let mut buffer = Vec::new();
        write_message(&mut buffer, b"{}").unwrap();
        assert_eq!(&*read_message(&mut buffer.as_slice()).unwrap(), b"{}");
    }
}
