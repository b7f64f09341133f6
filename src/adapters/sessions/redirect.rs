//! Where the browser comes back to after a sign-in: a listener on a port of 127.0.0.1 that waits for one answer.

use std::io;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;

use crate::core::secret::Secret;
use crate::core::session::{Authorization, Redirect, read_redirect};

/// A browser sends its request at once.
const LONGEST_REQUEST: Duration = Duration::from_secs(5);
const LONGEST_HEAD: usize = 16 * 1024;
/// A browser opens a few; whoever opens more waits.
const AT_ONCE: usize = 16;

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

/// Waits until the browser comes back with the answer to our own question; whatever else comes is refused. Each connection
/// has a task of its own: a browser opens some that it does not use.
pub(super) async fn wait(listener: &TcpListener, authorization: &Authorization) -> Back {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept(), if connections.len() < AT_ONCE => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(converse(stream, authorization.clone()));
                }
                #[expect(clippy::disallowed_methods, reason = "out of descriptors: nothing tells when there are some again")]
                Err(_) => tokio::time::sleep(Duration::from_millis(100)).await,
            },
            Some(ended) = connections.join_next() => {
                if let Ok(Some(back)) = ended {
                    return back;
                }
            }
        }
    }
}

/// One connection: what the browser came back with, if it is that.
async fn converse(mut stream: TcpStream, authorization: Authorization) -> Option<Back> {
    let target = tokio::time::timeout(LONGEST_REQUEST, target(&mut stream)).await.ok()?.ok()??;
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
    let _ = tokio::time::timeout(LONGEST_REQUEST, answer(&mut stream, status, title, text)).await;
    back
}

/// The target of a GET request; `None` for anything else.
async fn target(stream: &mut TcpStream) -> io::Result<Option<String>> {
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") {
        let read = stream.read(&mut chunk).await?;
        if read == 0 || head.len() > LONGEST_HEAD {
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
        let task = tokio::spawn(async move { wait(&listener, &waiting).await });
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
        // One that says nothing holds nobody up.
        let _silent = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
        let answer =
            get(port, &format!("GET /oauth/callback?code=good&state={state} HTTP/1.1\r\nHost: x\r\n\r\n")).await;
        assert!(answer.contains("Signed in") && answer.contains("no-referrer"), "{answer}");
        assert!(matches!(task.await.unwrap(), Back::Code(code) if code.expose() == "good"));
    }
}
