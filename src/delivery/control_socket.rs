//! The control socket: takes requests of our own user's programs, one for each connection, and gives the daemon's answers.
//!
//! A caller may be slow, hostile or garbled: then its connection ends, and nothing else.

use std::io;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{Notify, Semaphore, mpsc, oneshot};
use tokio::time::Instant;
use zeroize::Zeroizing;

use crate::adapters::private_file;
use crate::core::directories::SOCKET as NAME;
use crate::platform::peer::{self, ShortPath, own_uid};
use crate::wire::{self, Answer, ErrorKind, Request, WireError};

/// How many connections are served at once, at most; the next one waits in the listener's queue.
const AT_ONCE: usize = 256;
/// Descriptors that are always in use: files, the log, the network, the timer, the runtimes.
const DESCRIPTORS_IN_USE: u64 = 28;
/// A program that connects has its request ready.
const LONGEST_REQUEST: Duration = Duration::from_secs(5);
/// The same while more than half of the connections are in use: idle callers must not delay requests.
const LONGEST_REQUEST_WHEN_BUSY: Duration = Duration::from_millis(500);
/// The interval between log lines about connections that can't be accepted.
const QUIET: Duration = Duration::from_secs(600);
/// An answer fits into the socket's buffer; a reader that does not read is not waited for.
const LONGEST_ANSWER: Duration = Duration::from_secs(5);

const SOMEBODY: &str =
    "another daemon listens there, or the service manager in its place (then: systemctl --user start evercredd)";

/// Why the daemon can't listen on its socket, as a sentence.
#[derive(Debug)]
pub enum ListenError {
    /// Another daemon listens.
    Taken(String),
    /// The directory or the socket can't be used.
    Unusable(String),
}

/// How many connections may be served at once, by the limit of open descriptors: half of the others are for calls to AWS and
/// files.
pub fn places(descriptors: u64) -> usize {
    let half = descriptors.saturating_sub(DESCRIPTORS_IN_USE) / 2;
    usize::try_from(half).unwrap_or(AT_ONCE).clamp(1, AT_ONCE)
}

/// A request, and where its answer goes. When the caller hangs up, the receiving end of `reply` is gone.
pub struct Incoming {
    /// The request.
    pub request: Request,
    /// Where the answer goes.
    pub reply: oneshot::Sender<Answer>,
}

/// The socket that programs connect to: the one that the service manager has made, where it has, or our own.
///
/// # Errors
/// The socket can't be used.
pub fn listen(runtime: &Path, handed_over: Vec<std::os::unix::net::UnixListener>) -> Result<UnixListener, ListenError> {
    let mut handed_over = handed_over.into_iter();
    let Some(listener) = handed_over.next() else { return bind(runtime) };
    let extra = handed_over.count();
    if extra > 0 {
        tracing::warn!("{extra} more sockets than the control socket were handed over, and are closed");
    }
    let expected = runtime.join(NAME);
    match listener.local_addr() {
        Ok(address) if address.as_pathname() == Some(&expected) => {}
        _ => {
            tracing::warn!("the socket that was handed over is not {}, where programs look for it", expected.display())
        }
    }
    let adopted = listener.set_nonblocking(true).and_then(|()| UnixListener::from_std(listener));
    adopted.map_err(|error| {
        ListenError::Unusable(format!("the socket that the service manager has made can't be used: {error}"))
    })
}

/// Makes the socket in the runtime folder, 0600 in 0700. A socket that nobody answers at is left over and is replaced;
/// anything else that is there is left alone.
///
/// # Errors
/// It can't be made.
pub fn bind(runtime: &Path) -> Result<UnixListener, ListenError> {
    private_file::ensure_private_dir(runtime).map_err(|error| ListenError::Unusable(error.to_string()))?;
    let path = runtime.join(NAME);
    let sentence = |why: &dyn std::fmt::Display| format!("the socket {} can't be created: {why}", path.display());
    let failed = |why: &dyn std::fmt::Display| ListenError::Unusable(sentence(why));
    let mut left_over = false;
    match path.symlink_metadata() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed(&error)),
        Ok(metadata) if !metadata.file_type().is_socket() || metadata.uid() != own_uid() => {
            return Err(failed(&"something that is not a socket of yours is there"));
        }
        Ok(_) => match peer::connect(&path, None) {
            // A full queue is somebody's too.
            Ok(_) => return Err(ListenError::Taken(sentence(&SOMEBODY))),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                return Err(ListenError::Taken(sentence(&SOMEBODY)));
            }
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => left_over = true,
            Err(error) => return Err(failed(&error)),
        },
    }
    make(runtime, &path)
        .or_else(|error| if left_over { replace(&path) } else { Err(error) })
        .map_err(|error| failed(&error))
}

/// Replaces a leftover socket in place, for a disk without room for another name. The umask makes it 0600.
fn replace(path: &Path) -> io::Result<UnixListener> {
    std::fs::remove_file(path)?;
    let listener = UnixListener::bind(ShortPath::of(path)?.path())?;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600))?;
    Ok(listener)
}

/// Listens under a name of its own first, and then takes the place of what is left over in one step: whoever connects
/// meanwhile finds a socket at any moment, and never one with another mode.
fn make(runtime: &Path, path: &Path) -> io::Result<UnixListener> {
    let new = runtime.join("new.sock");
    match std::fs::remove_file(&new) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(ShortPath::of(&new)?.path())?;
    std::fs::set_permissions(&new, std::fs::Permissions::from_mode(0o600))?;
    std::fs::rename(&new, path)?;
    Ok(listener)
}

/// Serves up to `most` connections at once, until the receiver of `requests` is gone. `left` signals that a caller
/// disconnected before its answer.
pub async fn serve(listener: UnixListener, requests: mpsc::Sender<Incoming>, left: Arc<Notify>, most: usize) {
    let places = Arc::new(Semaphore::new(most));
    let mut logged: Option<Instant> = None;
    loop {
        // The semaphore is never closed.
        let Ok(place) = places.clone().acquire_owned().await else { return };
        if requests.is_closed() {
            return;
        }
        match listener.accept().await {
            Ok((stream, _)) => {
                let (requests, left) = (requests.clone(), Arc::clone(&left));
                let busy = places.available_permits() < most / 2;
                let patience = if busy { LONGEST_REQUEST_WHEN_BUSY } else { LONGEST_REQUEST };
                // A task of its own, so that a slow caller holds up nobody; it ends by its time-outs.
                tokio::spawn(async move {
                    if let Err(error) = converse(stream, &requests, &left, patience).await {
                        tracing::debug!("a connection on the control socket ended early: {error}");
                    }
                    drop(place);
                });
            }
            // The caller went away before it was accepted.
            Err(error) if error.kind() == io::ErrorKind::ConnectionAborted => {}
            Err(error) => {
                let now = Instant::now();
                if logged.is_none_or(|at| now - at >= QUIET) {
                    logged = Some(now);
                    tracing::warn!("the control socket can't accept a connection now: {error}");
                }
                drop(place);
                // Out of descriptors: wait for a connection to end and give one back.
                wait_for_an_end(&places).await;
            }
        }
    }
}

/// Returns when a connection that is open now has ended, at the latest after a second.
async fn wait_for_an_end(places: &Semaphore) {
    let wanted = u32::try_from(places.available_permits() + 1).unwrap_or(u32::MAX);
    let _ = tokio::time::timeout(Duration::from_secs(1), places.acquire_many(wanted)).await;
}

async fn converse(
    mut stream: UnixStream,
    requests: &mpsc::Sender<Incoming>,
    left: &Notify,
    patience: Duration,
) -> io::Result<()> {
    let uid = stream.peer_cred()?.uid();
    // Root may connect to any socket; that it wants another user's credentials is nobody's intention.
    if uid != own_uid() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, format!("the caller runs as uid {uid}")));
    }
    let text = tokio::time::timeout(patience, read_request(&mut stream)).await;
    let parsed = match text {
        Err(_) => return Err(io::ErrorKind::TimedOut.into()),
        Ok(Err(error)) if error.kind() == io::ErrorKind::InvalidData => {
            Err(WireError::new(ErrorKind::Malformed, error.to_string()))
        }
        Ok(text) => wire::parse_request(&text?),
    };
    let answer = match parsed {
        Err(error) => wire::answer_error(&error),
        Ok(request) => match ask(&mut stream, request, requests).await {
            Some(answer) => answer,
            None => {
                left.notify_one();
                return Ok(());
            }
        },
    };
    match tokio::time::timeout(LONGEST_ANSWER, write_answer(&mut stream, &answer)).await {
        Ok(result) => result,
        Err(_) => Err(io::ErrorKind::TimedOut.into()),
    }
}

/// The daemon's answer; `None` where the caller went away or the daemon is stopping.
async fn ask(stream: &mut UnixStream, request: Request, requests: &mpsc::Sender<Incoming>) -> Option<Answer> {
    let (reply, mut answer) = oneshot::channel();
    requests.send(Incoming { request, reply }).await.ok()?;
    let mut rest = [0; 1];
    tokio::select! {
        answer = &mut answer => answer.ok(),
        // A caller says nothing more: what comes is the end of its stream. One that talks on is not waited with.
        end = stream.read(&mut rest) => match end {
            // It has closed its half only, to say that this is all.
            Ok(0) if !peer::hung_up(&*stream) => answer.await.ok(),
            _ => None,
        },
    }
}

async fn read_request(stream: &mut UnixStream) -> io::Result<Zeroizing<Vec<u8>>> {
    let mut head = [0; 4];
    stream.read_exact(&mut head).await?;
    let too_long = || io::Error::new(io::ErrorKind::InvalidData, "the message is too long");
    let length = wire::length(head).ok_or_else(too_long)?;
    // Grows with what comes, not with what was announced.
    let mut text = Zeroizing::new(Vec::new());
    let read = stream.take(length as u64).read_to_end(&mut text).await?;
    if read == length { Ok(text) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
}

async fn write_answer(stream: &mut UnixStream, answer: &Answer) -> io::Result<()> {
    let (head, answer) = match wire::header(answer.len()) {
        Some(head) => (head, answer.clone()),
        None => {
            let error =
                wire::answer_error(&WireError::new(ErrorKind::Failed, "the answer is too long for one message"));
            (wire::header(error.len()).unwrap_or_default(), error)
        }
    };
    let mut frame = Zeroizing::new(Vec::with_capacity(head.len() + answer.len()));
    frame.extend_from_slice(&head);
    frame.extend_from_slice(&answer);
    stream.write_all(&frame).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use std::io::{Read, Write};
    use std::os::unix::net::UnixStream as Caller;
    use std::path::PathBuf;

    use super::*;

    /// A server that answers every request with `{"echo": NAME}`, on a thread of its own until the test ends. A request
    /// `patience` is never answered; that its caller is gone is told to `gone`.
    struct Server {
        path: PathBuf,
        gone: std::sync::mpsc::Receiver<()>,
        _stop: oneshot::Sender<()>,
        _folder: tempfile::TempDir,
    }

    fn runtime() -> tokio::runtime::Runtime {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap()
    }

    fn server() -> Server {
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        let path = run.join(NAME);
        let (stop, stopped) = oneshot::channel::<()>();
        let (ready, is_ready) = std::sync::mpsc::channel();
        let (went, gone) = std::sync::mpsc::channel();
        std::thread::spawn(move || {
            runtime().block_on(async move {
                let (sender, mut requests) = mpsc::channel::<Incoming>(64);
                tokio::spawn(serve(bind(&run).unwrap(), sender, Arc::default(), AT_ONCE));
                ready.send(()).unwrap();
                tokio::spawn(async move {
                    while let Some(mut incoming) = requests.recv().await {
                        if incoming.request.request == "patience" {
                            let went = went.clone();
                            tokio::spawn(async move {
                                incoming.reply.closed().await;
                                let _ = went.send(());
                            });
                            continue;
                        }
                        let answer = wire::answer_ok(&serde_json::json!({"echo": incoming.request.request}));
                        let _ = incoming.reply.send(answer);
                    }
                });
                let _ = stopped.await;
            });
        });
        is_ready.recv().unwrap();
        Server { path, gone, _stop: stop, _folder: folder }
    }

    fn ask(path: &Path, text: &[u8]) -> Result<serde_json::Value, WireError> {
        let mut caller = Caller::connect(path).unwrap();
        wire::write_message(&mut caller, text).unwrap();
        wire::parse_answer(&wire::read_message(&mut caller).unwrap())
    }

    const GOOD: &[u8] = br#"{"version":1,"request":"status"}"#;

    #[test]
    fn a_thousand_callers_at_once_are_all_answered() {
        use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
        let limit = getrlimit(Resource::Nofile);
        if limit.current.is_some_and(|current| current < 4_096) {
            let enough = limit.maximum.map_or(4_096, |maximum| maximum.min(4_096));
            setrlimit(Resource::Nofile, Rlimit { current: Some(enough), ..limit }).unwrap();
        }
        let server = server();
        // All of them are connected and have asked before the first one reads its answer: most wait for a place.
        let callers: Vec<Caller> = (0..1_000).map(|_| Caller::connect(&server.path).unwrap()).collect();
        for mut caller in &callers {
            wire::write_message(&mut caller, GOOD).unwrap();
        }
        for mut caller in &callers {
            assert!(wire::parse_answer(&wire::read_message(&mut caller).unwrap()).is_ok());
        }
    }

    #[test]
    fn a_caller_that_closes_its_half_still_gets_its_answer() {
        let server = server();
        for _ in 0..20 {
            let mut caller = Caller::connect(&server.path).unwrap();
            wire::write_message(&mut caller, GOOD).unwrap();
            caller.shutdown(std::net::Shutdown::Write).unwrap();
            assert!(wire::parse_answer(&wire::read_message(&mut caller).unwrap()).is_ok());
        }
    }

    #[test]
    fn that_a_caller_hung_up_is_noticed_while_its_answer_is_made() {
        let server = server();
        let mut caller = Caller::connect(&server.path).unwrap();
        wire::write_message(&mut caller, br#"{"version":1,"request":"patience"}"#).unwrap();
        drop(caller);
        server.gone.recv_timeout(Duration::from_secs(30)).unwrap();
        assert!(ask(&server.path, GOOD).is_ok());
    }

    #[test]
    fn garbled_and_hostile_messages_end_their_own_connection_only() {
        let server = server();
        let path = server.path.clone();
        let mut silent = Caller::connect(&path).unwrap();
        for text in [&b"{"[..], b"[]", b"\xff\xfe", b"{\"version\":9}"] {
            assert!(ask(&path, text).is_err());
        }
        let mut greedy = Caller::connect(&path).unwrap();
        greedy.write_all(&[0xff; 4]).unwrap();
        let answer = wire::read_message(&mut greedy).unwrap();
        assert_eq!(wire::parse_answer(&answer).unwrap_err().kind, ErrorKind::Malformed);
        let mut cut = Caller::connect(&path).unwrap();
        cut.write_all(&[0, 0, 0, 9, b'{']).unwrap();
        drop(cut);
        assert!(ask(&path, GOOD).is_ok());
        // It said nothing, and is not waited for for ever.
        assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0);
    }

    #[test]
    fn a_left_over_socket_is_replaced_and_a_live_one_is_not() {
        let server = server();
        let live = server.path.parent().unwrap();
        let runtime = runtime();
        let _inside = runtime.enter();
        assert!(matches!(bind(live), Err(ListenError::Taken(_))));
        assert_eq!(server.path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        let folder = tempfile::tempdir().unwrap();
        let run = folder.path().join("run");
        // The listener is gone, its socket is left.
        drop(bind(&run).unwrap());
        drop(bind(&run).unwrap());
        assert_eq!(std::fs::read_dir(&run).unwrap().count(), 1, "nothing else is left");
        std::fs::remove_file(run.join(NAME)).unwrap();
        std::fs::create_dir(run.join(NAME)).unwrap();
        assert!(matches!(bind(&run), Err(ListenError::Unusable(_))));
    }
}
