//! The other end of the control socket.

mod place;
mod timing;

use std::io::{self, ErrorKind};
use std::os::unix::net::UnixStream;
use std::path::PathBuf;
use std::time::Duration;

use serde_json::Value;
use zeroize::Zeroizing;

pub(super) use self::place::is_forwarded;
use self::place::{Place, is_socket, place};
use self::timing::{Deadline, Patience, Timed};
use super::failure::{ATTENTION, Failure, UNREACHABLE, start};
use super::files;
use crate::core::keeper::Flow;
use crate::platform::environment::Environment;
use crate::platform::peer::{self, own_uid, peer_uid};
use crate::wire::{self, Position, Request, WireError};

/// The daemon lets a caller wait for 30 s, then it answers.
const LONGEST_ANSWER: Duration = Duration::from_secs(35);
/// Several calls to AWS, one after the other, for a person who waits for them.
const LONGEST_WORK: Duration = Duration::from_secs(120);
/// The daemon answers from memory. `doctor`, which also asks for it, has ten seconds in total.
const LONGEST_STATUS: Duration = Duration::from_secs(5);
const FORWARD: &str = "unset EVERCRED_SOCKET";

/// What the daemon is asked.
#[derive(Default)]
pub(super) struct Question<'a> {
    /// The request's name.
    pub(super) request: &'a str,
    /// The profile, or session.
    pub(super) profile: Option<&'a str>,
    /// The profiles for `status`, by names and globs.
    pub(super) profiles: &'a [String],
    /// The code that a person typed.
    pub(super) code: Option<Zeroizing<String>>,
    /// How to sign in.
    pub(super) flow: Option<Flow>,
    /// Sign in again even if the user is signed in.
    pub(super) force: bool,
    /// The sign-in that is waited for.
    pub(super) sign_in: Option<u64>,
    /// Don't wait for a daemon that may be restarting.
    pub(super) at_once: bool,
}

/// Asks the daemon one thing about a profile, or about none. The outer error is that it can't be asked, the inner one what
/// it says.
pub(super) fn ask(
    environment: &Environment,
    request: &str,
    profile: Option<&str>,
) -> Result<Result<Value, WireError>, Failure> {
    ask_with(environment, Question { request, profile, ..Question::default() })
}

/// Asks the daemon one thing.
pub(super) fn ask_with(environment: &Environment, question: Question<'_>) -> Result<Result<Value, WireError>, Failure> {
    let place = place(environment)?;
    let (config_file, credentials_file) = if place.forwarded {
        (String::new(), String::new())
    } else {
        let paths = files::aws_paths(environment)?;
        let text = |path: PathBuf| path.to_string_lossy().into_owned();
        (text(paths.config), text(paths.credentials))
    };
    // In total: for connecting, retrying after a restart, and the whole answer.
    let deadline = Deadline::after(match question.request {
        "status" | "clock" => LONGEST_STATUS,
        "login" | "sso-roles" | "logout" => LONGEST_WORK,
        _ => LONGEST_ANSWER,
    });
    let mut request = Request {
        version: wire::VERSION,
        request: question.request.to_owned(),
        profile: question.profile.map(str::to_owned),
        code: question.code,
        flow: question.flow,
        force: question.force,
        sign_in: question.sign_in,
        profiles: question.profiles.to_vec(),
        after: None,
        config_file,
        credentials_file,
    };
    let at_once = question.at_once;
    let patience = if at_once { Patience::none() } else { Patience::default() };
    let first = ask_until(&place, &request, deadline, patience)?;
    match first {
        Ok(document) if request.request == "status" => join_pages(document, |after| {
            request.after = Some(after);
            // The doctor has little time for all pages; others wait as long as pages come.
            let deadline = if at_once { deadline } else { Deadline::after(LONGEST_STATUS) };
            ask_until(&place, &request, deadline, Patience::default())
        }),
        answer => Ok(answer),
    }
}

/// The lists of the status document that its pages share.
const PAGED: [&str; 4] = ["profiles", "sso_sessions", "mfa_sessions", "problems"];

/// The status document with the lists of every page, and the rest of the first page.
fn join_pages(
    mut document: Value,
    mut read: impl FnMut(Position) -> Result<Result<Value, WireError>, Failure>,
) -> Result<Result<Value, WireError>, Failure> {
    let mut next = take_next(&mut document);
    while let Some(after) = next {
        let mut page = match read(after.clone())? {
            Ok(page) => page,
            Err(error) => return Ok(Err(error)),
        };
        // A page that does not go on would be read again and again.
        next = take_next(&mut page).filter(|next| *next > after);
        for list in PAGED {
            let more = page.get_mut(list).map(Value::take);
            if let (Some(Value::Array(entries)), Some(Value::Array(more))) = (document.get_mut(list), more) {
                entries.extend(more);
            }
        }
    }
    Ok(Ok(document))
}

fn take_next(page: &mut Value) -> Option<Position> {
    page.as_object_mut()?.remove("next").and_then(|next| serde_json::from_value(next).ok())
}

/// Sends one request and reads its answer. Retries while the daemon restarts.
fn ask_until(
    place: &Place,
    request: &Request,
    deadline: Deadline,
    mut patience: Patience,
) -> Result<Result<Value, WireError>, Failure> {
    let text = serde_json::to_vec(request).map_err(|error| Failure::new(ATTENTION, error.to_string()))?;
    let text = Zeroizing::new(text);
    let path = &place.path;
    let failed = |why: String| {
        let failure = Failure::new(UNREACHABLE, format!("the daemon can't be reached at {}: {why}", path.display()));
        failure.fix(if place.forwarded { FORWARD } else { start() })
    };
    loop {
        let error = match deadline.left().and_then(|left| peer::connect(path, Some(left))) {
            Ok(stream) => {
                // Before anything is sent: is it our daemon?
                let uid = peer_uid(&stream).map_err(|error| failed(error.to_string()))?;
                if uid != own_uid() {
                    let why = format!(
                        "the program that listens there runs as uid {uid}, not as you; evercred sent it nothing"
                    );
                    return Err(Failure { fix: None, ..failed(why) });
                }
                match converse(&stream, &text, deadline) {
                    Ok(answer) => return Ok(wire::parse_answer(&answer)),
                    Err(error) => Lost::of(&error, "it closed the connection without an answer"),
                }
            }
            // No socket, no daemon; unless there was one a moment ago.
            Err(error) if error.kind() == ErrorKind::NotFound && (patience.is_untouched() || patience.is_over()) => {
                return Err(failed("it is not running".to_owned()));
            }
            Err(error) if error.kind() == ErrorKind::ConnectionRefused && !is_socket(path) => Lost::for_good(&error),
            Err(error) if error.kind() == ErrorKind::InvalidFilename => {
                let why = format!("{error}: EVERCRED_RUNTIME_DIR has to be shorter, for the daemon too");
                return Err(Failure { fix: None, ..failed(why) });
            }
            Err(error) => Lost::of(&error, "it is not running"),
        };
        // A daemon that is being restarted has left its socket and ended its connections; asking again harms nothing.
        if !(error.may_come_back && patience.pause()) {
            let failure = failed(error.why);
            return Err(if error.restart && !place.forwarded { failure.restart() } else { failure });
        }
    }
}

/// A conversation that failed.
struct Lost {
    why: String,
    /// Whether a restart of the daemon is the fix.
    restart: bool,
    may_come_back: bool,
}

impl Lost {
    fn of(error: &io::Error, gone: &str) -> Self {
        match error.kind() {
            ErrorKind::NotFound
            | ErrorKind::ConnectionRefused
            | ErrorKind::ConnectionReset
            | ErrorKind::ConnectionAborted
            | ErrorKind::BrokenPipe
            | ErrorKind::UnexpectedEof => Self { why: gone.to_owned(), restart: false, may_come_back: true },
            ErrorKind::WouldBlock | ErrorKind::TimedOut => {
                Self { why: "no answer came in time".to_owned(), restart: true, may_come_back: false }
            }
            _ => Self::for_good(error),
        }
    }

    fn for_good(error: &io::Error) -> Self {
        Self { why: error.to_string(), restart: true, may_come_back: false }
    }
}

fn converse(stream: &UnixStream, request: &[u8], deadline: Deadline) -> io::Result<wire::Answer> {
    let mut stream = Timed { stream, deadline };
    wire::write_message(&mut stream, request)?;
    wire::read_message(&mut stream)
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;

    use serde_json::json;

    use super::*;
    use crate::platform::clock;

    /// A home with a runtime folder that is ours.
    fn home() -> (tempfile::TempDir, Environment, PathBuf) {
        let home = tempfile::tempdir().unwrap();
        let run = home.path().join("run");
        std::fs::create_dir(&run).unwrap();
        std::fs::set_permissions(&run, std::fs::Permissions::from_mode(0o700)).unwrap();
        let environment = [("HOME", home.path()), ("EVERCRED_RUNTIME_DIR", &run)]
            .map(|(name, path)| (name.to_owned(), path.display().to_string()))
            .into_iter()
            .collect();
        (home, environment, run.join("evercred.sock"))
    }

    #[test]
    fn a_daemon_that_is_restarted_is_asked_again() {
        let (_home, environment, path) = home();
        let old = UnixListener::bind(&path).unwrap();
        let daemon = std::thread::spawn(move || {
            // It took the connection, and is gone without an answer; so is its socket.
            drop(old.accept().unwrap());
            drop(old);
            std::fs::remove_file(&path).unwrap();
            let (mut stream, _) = UnixListener::bind(&path).unwrap().accept().unwrap();
            let request = wire::parse_request(&wire::read_message(&mut stream).unwrap()).unwrap();
            let answer = wire::answer_ok(&Value::from(request.profile));
            wire::write_message(&mut stream, &answer).unwrap();
        });
        let answer = ask(&environment, "credential-process", Some("dev"));
        assert_eq!(answer, Ok(Ok(Value::from("dev"))));
        daemon.join().unwrap();
    }

    #[test]
    fn a_socket_that_nobody_listens_at_is_given_up() {
        let (_home, environment, path) = home();
        assert!(ask(&environment, "status", None).unwrap_err().message.contains("not running"));
        drop(UnixListener::bind(&path).unwrap());
        let failure = ask(&environment, "status", None).unwrap_err();
        assert!(failure.exit == UNREACHABLE && failure.message.contains("not running"), "{failure:?}");
    }

    #[test]
    fn an_answer_that_makes_no_sense_is_an_error_and_no_panic() {
        for answer in [&b"\0\0\0\x02[]"[..], b"\xff\xff\xff\xff", b"\0\0\0\x01\xff"] {
            let (_home, environment, path) = home();
            let listener = UnixListener::bind(&path).unwrap();
            let daemon = std::thread::spawn(move || {
                let (mut stream, _) = listener.accept().unwrap();
                wire::read_message(&mut stream).unwrap();
                stream.write_all(answer).unwrap();
            });
            let result = ask(&environment, "status", None);
            assert!(matches!(&result, Ok(Err(_)) | Err(Failure { .. })), "{result:?}");
            daemon.join().unwrap();
        }
    }

    #[test]
    fn the_pages_of_a_status_are_one_document() {
        let page = |profiles: Value, sessions: Value, next: Option<Position>| {
            let mut page = json!({"schema": "s", "profiles": profiles, "sso_sessions": sessions, "problems": []});
            if let Some(next) = next {
                page["next"] = json!(next);
            }
            page
        };
        let (of_b, of_sessions) = (Position::Profiles("b".into()), Position::SsoSessions(1));
        let joined = |second: Value| {
            let mut asked = Vec::new();
            let document = join_pages(page(json!(["a", "b"]), json!([]), Some(of_b.clone())), |after| {
                asked.push(after.clone());
                Ok(Ok(if after == of_b { second.clone() } else { page(json!([]), json!(["t"]), None) }))
            });
            (document.unwrap().unwrap(), asked)
        };
        let second = page(json!(["c"]), json!(["s"]), Some(of_sessions.clone()));
        let whole = page(json!(["a", "b", "c"]), json!(["s", "t"]), None);
        assert_eq!(joined(second), (whole, vec![of_b.clone(), of_sessions]));
        // Pages without progress end the loop.
        assert_eq!(joined(page(json!(["c"]), json!([]), Some(of_b.clone()))).1, vec![of_b.clone()]);
        let error = WireError::new(wire::ErrorKind::Failed, "m");
        let first = page(json!(["a"]), json!([]), Some(of_b));
        assert_eq!(join_pages(first, |_| Ok(Err(error.clone()))), Ok(Err(error)));
    }

    #[test]
    fn a_daemon_that_drips_is_waited_for_no_longer_than_a_silent_one() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let daemon = std::thread::spawn(move || {
            wire::read_message(&mut theirs).unwrap();
            theirs.set_read_timeout(Some(Duration::from_millis(150))).unwrap();
            theirs.write_all(&[0, 0, 1]).unwrap();
            // Each byte arrives before a single read would time out; the server reads nothing until the caller disconnects.
            while theirs.read(&mut [0]).is_err() && theirs.write_all(b"0").is_ok() {}
        });
        let before = clock::awake();
        let error = converse(&ours, b"{}", Deadline::after(Duration::from_millis(400))).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::TimedOut | ErrorKind::WouldBlock), "{error}");
        assert!(clock::awake() - before < Duration::from_secs(5));
        drop(ours);
        daemon.join().unwrap();
    }
}
