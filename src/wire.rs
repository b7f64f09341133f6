//! What daemon and companion say to each other: length-prefixed JSON over the control socket, and the status document.
//!
//! A message is four bytes of length (big endian) and that much JSON, at most 1 MiB. Every request says the version first.
//! `credential-process` of version 1 is frozen: an upgraded companion meets yesterday's daemon, and the other way round.
//! Unknown fields are ignored, unknown requests answered as unsupported.

mod status;

use std::fmt;
use std::io::{self, Read, Write};

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

pub use self::status::{
    ClockStatus, DaemonStatus, ErrorEntry, MfaEntry, Position, ProblemEntry, ProfileEntry, ProgramStatus, RenewalEntry,
    SessionEntry, StatusDocument,
};
use crate::core::credential::Credentials;
use crate::core::keeper::{Flow, Refusal, RefusalKind};
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
    /// The profiles for `status`, by names and globs; none means all.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub profiles: Vec<String>,
    /// The end of the pages that the caller has, for the next page of `status`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Position>,
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
    /// What to do: a command that works as printed, or an edit with file and line.
    #[serde(default)]
    pub fix: Option<String>,
    /// The command that says more, if there is no fix.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub see: Option<String>,
}

impl WireError {
    /// An error without a failed operation, and without a fix.
    pub fn new(kind: ErrorKind, message: impl Into<String>) -> Self {
        Self { kind, code: None, message: message.into(), fix: None, see: None }
    }
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
        Self { kind, code: refusal.code, message: refusal.message, fix: refusal.fix, see: refusal.see }
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
        Some(other) => Err(WireError::new(
            ErrorKind::Unsupported,
            format!("this daemon speaks version {VERSION} of its protocol, the request says {other}"),
        )),
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
        Ok(Envelope { version: VERSION, error: Some(WireError { kind, code, message, fix, see }), .. }) => {
            Err(WireError {
                kind,
                code: code.map(|code| line(&code)),
                message: line(&message),
                fix: fix.map(|fix| line(&fix)),
                see: see.map(|see| line(&see)),
            })
        }
        Ok(Envelope { version: VERSION, ok: Some(value), .. }) => Ok(value),
        Ok(_) | Err(_) => Err(WireError::new(
            ErrorKind::Malformed,
            "evercred does not understand the daemon's answer: the programs may be of different versions",
        )),
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
    WireError::new(
        ErrorKind::Malformed,
        "the daemon does not understand the request: the programs may be of different versions",
    )
}

fn encode(value: &impl Serialize) -> Answer {
    // Maps with string keys, strings, numbers: these always have a JSON form.
    Zeroizing::new(serde_json::to_vec(value).unwrap_or_default())
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
        let error = WireError::new(ErrorKind::WrongFiles, "m");
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
