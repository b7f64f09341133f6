//! The other end of the control socket.

use std::io::{self, ErrorKind};
use std::os::unix::fs::{FileTypeExt, MetadataExt};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde_json::Value;

use super::failure::{ATTENTION, Failure, UNREACHABLE};
use super::files;
use crate::platform::environment::Environment;
use crate::platform::peer::{own_uid, peer_uid};
use crate::wire::{self, Request, WireError};

/// The daemon lets a caller wait for 30 s, then it answers.
const LONGEST_ANSWER: Duration = Duration::from_secs(35);
/// A restart goes unnoticed for this long.
const CONNECTING: u32 = 100;
const PAUSE: Duration = Duration::from_millis(20);
const START: &str = "start the daemon: systemctl --user start evercredd, or run evercredd";

/// Asks the daemon one thing. The outer error is that it can't be asked, the inner one what it says.
pub(super) fn ask(
    environment: &Environment,
    request: &str,
    profile: Option<&str>,
) -> Result<Result<Value, WireError>, Failure> {
    let paths = files::aws_paths(environment)?;
    let request = Request {
        version: wire::VERSION,
        request: request.to_owned(),
        profile: profile.map(str::to_owned),
        config_file: paths.config.to_string_lossy().into_owned(),
        credentials_file: paths.credentials.to_string_lossy().into_owned(),
    };
    let text = serde_json::to_vec(&request).map_err(|error| Failure::new(ATTENTION, error.to_string()))?;
    let (mut stream, path) = connect(environment)?;
    let broke = |error: io::Error| {
        let why = match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => "no answer came in time".to_owned(),
            ErrorKind::UnexpectedEof => "it ended the connection without an answer".to_owned(),
            _ => error.to_string(),
        };
        Failure::new(UNREACHABLE, format!("the daemon at {} can't be asked: {why}", path.display())).fix(START)
    };
    stream.set_read_timeout(Some(LONGEST_ANSWER)).map_err(broke)?;
    stream.set_write_timeout(Some(Duration::from_secs(5))).map_err(broke)?;
    wire::write_message(&mut stream, &text).map_err(broke)?;
    let answer = wire::read_message(&mut stream).map_err(broke)?;
    Ok(wire::parse_answer(&answer))
}

/// Connects, and makes sure that it is our daemon before anything is sent.
fn connect(environment: &Environment) -> Result<(UnixStream, PathBuf), Failure> {
    let path = folder(environment)?.join("evercred.sock");
    let failed = |why: String| {
        Failure::new(UNREACHABLE, format!("the daemon can't be reached at {}: {why}", path.display())).fix(START)
    };
    for attempt in 0.. {
        match UnixStream::connect(&path) {
            Ok(stream) => {
                let uid = peer_uid(&stream).map_err(|error| failed(error.to_string()))?;
                if uid != own_uid() {
                    let why = format!("what listens there runs as uid {uid}, not as you, and was sent nothing");
                    return Err(failed(why).fix("find out who made that socket, and remove it"));
                }
                return Ok((stream, path));
            }
            // A daemon that is being restarted has left its socket, or is about to make it anew.
            Err(error) if attempt < CONNECTING && is_socket(&path) && error.kind() == ErrorKind::ConnectionRefused => {
                #[expect(clippy::disallowed_methods, reason = "nothing announces that a daemon has begun to listen")]
                std::thread::sleep(PAUSE);
            }
            Err(error) if error.kind() == ErrorKind::NotFound => return Err(failed("it is not running".to_owned())),
            Err(error) => return Err(failed(error.to_string())),
        }
    }
    Err(failed("it is not running".to_owned()))
}

fn is_socket(path: &Path) -> bool {
    path.symlink_metadata().is_ok_and(|metadata| metadata.file_type().is_socket())
}

/// The daemon's runtime folder: the one that is named, or the first usable one.
fn folder(environment: &Environment) -> Result<PathBuf, Failure> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    if let Some(path) = set("EVERCRED_RUNTIME_DIR") {
        return match private(&path) {
            Ok(()) => Ok(path),
            Err(why) => {
                Err(Failure::new(UNREACHABLE, format!("the folder {} is not used: {why}", path.display())).fix(START))
            }
        };
    }
    let state = set("EVERCRED_STATE_DIR")
        .or_else(|| set("XDG_STATE_HOME").map(|path| path.join("evercred")))
        .or_else(|| set("HOME").map(|home| home.join(".local/state/evercred")));
    let candidates = [
        set("XDG_RUNTIME_DIR").map(|path| path.join("evercred")),
        Some(PathBuf::from(format!("/run/user/{}/evercred", own_uid()))),
        state.map(|path| path.join("run")),
    ];
    let candidates: Vec<PathBuf> = candidates.into_iter().flatten().collect();
    candidates.iter().find(|path| private(path).is_ok()).cloned().ok_or_else(|| {
        let tried: Vec<String> = candidates.iter().map(|path| path.display().to_string()).collect();
        let message = format!("the daemon is not running: none of {} is there and yours alone", tried.join(", "));
        Failure::new(UNREACHABLE, message).fix(START)
    })
}

/// Ours, a folder, and nobody else's to look into.
fn private(path: &Path) -> Result<(), String> {
    let metadata = path.symlink_metadata().map_err(|error| error.to_string())?;
    if !metadata.is_dir() {
        Err("it is not a folder".to_owned())
    } else if metadata.uid() != own_uid() {
        Err(format!("it belongs to uid {}", metadata.uid()))
    } else if metadata.mode() & 0o077 != 0 {
        Err(format!("others may use it (mode {:o})", metadata.mode() & 0o777))
    } else {
        Ok(())
    }
}
