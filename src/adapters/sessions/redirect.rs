//! Where the browser comes back to after a sign-in: a listener on a port of 127.0.0.1 that waits for one answer.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use chrono::TimeDelta;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{AbortHandle, Id, JoinError, JoinSet};

use crate::adapters::clock;
use crate::core::secret::Secret;
use crate::core::session::{Authorization, Redirect, read_redirect};
use crate::core::time::BootTime;
use crate::platform::tcp_owner;

/// A browser sends its request at once.
const REQUEST_TIMEOUT: Duration = Duration::from_secs(5);
const MAX_HEAD: usize = 16 * 1024;
/// A browser opens a few connections; the next one gets the place of the oldest that has sent nothing.
const MAX_CONNECTIONS: usize = 32;
/// No browser opens so many for one sign-in.
const FLOOD: usize = 200;
/// The system's table of connections is read no more often.
const TABLE_INTERVAL: TimeDelta = TimeDelta::milliseconds(250);

/// How the browser came back.
pub(super) enum Back {
    /// With a code.
    Code(Secret),
    /// With a refusal: a sentence's end.
    Denied(String),
}

/// A listener on a free port, and the port.
///
/// # Errors
/// What the system says.
pub(super) async fn listen() -> io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}

/// Waits until the browser comes back with the answer to our own question; anything else is refused. Each connection has a
/// task of its own, as a browser opens some that it does not use. `tell` is called once where another program opens
/// connections without end.
pub(super) async fn wait(
    listener: &TcpListener,
    authorization: &Authorization,
    tell: impl AsyncFnOnce(String),
) -> Back {
    let mut connections =
        Connections { port: listener.local_addr().map_or(0, |address| address.port()), ..Connections::default() };
    let mut tell = Some(tell);
    let mut opened: usize = 0;
    loop {
        tokio::select! {
            accepted = listener.accept() => match accepted {
                Ok((stream, peer)) => {
                    opened = opened.saturating_add(1);
                    connections.make_room().await;
                    connections.add(stream, peer.port(), authorization);
                    if opened >= FLOOD && let Some(tell) = tell.take() {
                        tell(connections.flooded().await).await;
                    }
                    // Those that are open already are served before the next one is accepted.
                    tokio::task::yield_now().await;
                }
                #[expect(clippy::disallowed_methods, reason = "out of descriptors: nothing tells when there are some again")]
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(ended) = connections.tasks.join_next_with_id() => {
                if let Some(back) = connections.ended(ended) {
                    return back;
                }
            }
        }
    }
}

/// The connections that are open.
#[derive(Default)]
struct Connections {
    /// The port that they lead to.
    port: u16,
    tasks: JoinSet<Option<Back>>,
    /// The oldest first.
    open: VecDeque<Connection>,
    table_read_at: Option<BootTime>,
}

struct Connection {
    task: AbortHandle,
    /// The port at the other end.
    from: u16,
    /// Whether its request has come.
    has_asked: Arc<AtomicBool>,
}

impl Connections {
    fn add(&mut self, stream: TcpStream, from: u16, authorization: &Authorization) {
        let has_asked = Arc::new(AtomicBool::new(false));
        let task = self.tasks.spawn(converse(stream, authorization.clone(), has_asked.clone()));
        self.open.push_back(Connection { task, from, has_asked });
    }

    fn ended(&mut self, ended: Result<(Id, Option<Back>), JoinError>) -> Option<Back> {
        let id = ended.as_ref().map_or_else(JoinError::id, |(id, _)| *id);
        self.open.retain(|connection| connection.task.id() != id);
        ended.ok().and_then(|(_, back)| back)
    }

    /// Ends connections where there are too many: those of other users, and the oldest one that has sent nothing.
    async fn make_room(&mut self) {
        if self.open.len() < MAX_CONNECTIONS {
            return;
        }
        let now = clock::boot();
        if self.table_read_at.is_none_or(|read_at| now - read_at >= TABLE_INTERVAL) {
            self.table_read_at = Some(now);
            let owners = self.owners().await;
            self.open.retain(|connection| {
                let is_ours = owners.get(&connection.from).is_none_or(|uid| !tcp_owner::is_another_user(*uid));
                if !is_ours {
                    connection.task.abort();
                }
                is_ours
            });
        }
        while self.open.len() >= MAX_CONNECTIONS {
            let silent = self.open.iter().position(|connection| !connection.has_asked.load(Ordering::Relaxed));
            if let Some(connection) = self.open.remove(silent.unwrap_or_default()) {
                connection.task.abort();
            }
        }
    }

    async fn owners(&self) -> BTreeMap<u16, u32> {
        let port = self.port;
        tokio::task::spawn_blocking(move || tcp_owner::owners(port)).await.unwrap_or_default()
    }

    /// What a user is told of a flood.
    async fn flooded(&self) -> String {
        let owners = self.owners().await;
        let who = owners.values().find(|uid| tcp_owner::is_another_user(**uid));
        let who = who.map_or_else(|| "another program".to_owned(), |uid| format!("a program of uid {uid}"));
        format!(
            "{who} opens connections without end to port {} of 127.0.0.1, which the browser comes back to: the sign-in may be slow",
            self.port
        )
    }
}

/// One connection: what the browser came back with, if it is that.
async fn converse(mut stream: TcpStream, authorization: Authorization, has_asked: Arc<AtomicBool>) -> Option<Back> {
    let target = tokio::time::timeout(REQUEST_TIMEOUT, target(&mut stream)).await.ok()?.ok()??;
    has_asked.store(true, Ordering::Relaxed);
    let (status, title, text, back) = match read_redirect(&target, &authorization) {
        Redirect::Code(code) => {
            ("200 OK", "Signed in", "evercred has what it needs. You can close this page.", Some(Back::Code(code)))
        }
        Redirect::Denied(why) => (
            "200 OK",
            "Not signed in",
            "The sign-in was refused. You can close this page; the terminal says more.",
            Some(Back::Denied(why)),
        ),
        Redirect::Foreign => (
            "400 Bad Request",
            "Not the answer to a sign-in",
            "evercred is waiting for the end of a sign-in, and this is not it.",
            None,
        ),
    };
    let _ = tokio::time::timeout(REQUEST_TIMEOUT, answer(&mut stream, status, title, text)).await;
    back
}

/// The target of a GET request; `None` for anything else.
async fn target(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut chunk).await?;
        if read == 0 || head.len() > MAX_HEAD {
            return Ok(None);
        }
        head.extend_from_slice(&chunk[..read]);
    }
    let line = head.split(|byte| *byte == b'\r').next().unwrap_or_default();
    let line = std::str::from_utf8(line).unwrap_or_default();
    Ok(line.strip_prefix("GET ").and_then(|rest| rest.split(' ').next()).map(str::to_owned))
}

async fn answer(stream: &mut TcpStream, status: &str, title: &str, text: &str) -> io::Result<()> {
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <style>body{{font:1.1rem sans-serif;max-width:32rem;margin:20vh auto;padding:0 1rem}}</style>\
         <h1>{title}</h1><p>{text}</p></html>"
    );
    let length = page.len();
    // The code stands in the address: it must not travel on as a referrer, nor into a cache.
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {length}\r\n\
         Cache-Control: no-store\r\nReferrer-Policy: no-referrer\r\nContent-Security-Policy: default-src 'none'; style-src 'unsafe-inline'\r\n\
         Connection: close\r\n\r\n"
    );
    stream.write_all(head.as_bytes()).await?;
    stream.write_all(page.as_bytes()).await?;
    stream.shutdown().await
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn get(port: u16, request: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn only_the_answer_to_our_question_ends_the_wait() {
        let (listener, port) = listen().await.unwrap();
        let authorization = Authorization::new([3; 64], port);
        let waiting = authorization.clone();
        let task = tokio::spawn(async move { wait(&listener, &waiting, async |why| panic!("{why}")).await });
        // The state is the first sixteen bytes, in hexadecimal.
        let state = "03".repeat(16);
        let hostile = [
            "GET /oauth/callback?code=evil&state=0 HTTP/1.1\r\n\r\n".to_owned(),
            format!("POST /oauth/callback?code=evil&state={state} HTTP/1.1\r\n\r\n"),
            "GET /favicon.ico HTTP/1.1\r\n\r\n".to_owned(),
        ];
        for request in &hostile {
            let answer = get(port, request).await;
            assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
        }
        // A silent connection delays no other.
        let _silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let answer =
            get(port, &format!("GET /oauth/callback?code=good&state={state} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert!(answer.contains("Signed in") && answer.contains("no-referrer"), "{answer}");
        assert!(matches!(task.await.unwrap(), Back::Code(code) if code.expose() == "good"));
    }
    #[tokio::test]
    async fn thousands_of_connections_that_say_nothing_do_not_keep_the_browser_out() {
        let (listener, port) = listen().await.unwrap();
        let authorization = Authorization::new([3; 64], port);
        let waiting = authorization.clone();
        let (told, mut flood) = tokio::sync::mpsc::channel(1);
        let task = tokio::spawn(async move {
            wait(&listener, &waiting, async |why| {
                let _ = told.send(why).await;
            })
            .await
        });
        let mut silent = VecDeque::new();
        for _ in 0..1_000 {
            silent.push_back(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
            silent.truncate(300);
        }
        let flooding = tokio::spawn(async move {
            loop {
                silent.push_back(TcpStream::connect(("127.0.0.1", port)).await.unwrap());
                silent.pop_front();
                tokio::task::yield_now().await;
            }
        });
        let state = "03".repeat(16);
        let request = format!("GET /oauth/callback?code=good&state={state} HTTP/1.1\r\nHost: x\r\n\r\n");
        let answer = tokio::time::timeout(Duration::from_secs(5), get(port, &request)).await.unwrap();
        assert!(answer.contains("Signed in"), "{answer}");
        assert!(matches!(task.await.unwrap(), Back::Code(code) if code.expose() == "good"));
        assert!(flood.recv().await.is_some_and(|why| why.contains(&port.to_string())));
        flooding.abort();
    }
}
