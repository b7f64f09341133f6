//! Just enough HTTP/1.1 to be misbehaved in.

use std::io::{self, Read};
use std::net::TcpStream;

use chrono::DateTime;

const LONGEST_HEAD: usize = 64 * 1024;
const LONGEST_BODY: usize = 1024 * 1024;

/// A request as it came.
pub(super) struct Request {
    pub method: String,
    pub path: String,
    pub query: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

impl Request {
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// A parameter of the Query protocol, from the body of a POST or the query of a GET.
    pub(super) fn parameter(&self, name: &str) -> Option<String> {
        let body = String::from_utf8_lossy(&self.body);
        let text = if self.method == "GET" { self.query.as_str() } else { &body };
        text.split('&').find_map(|pair| {
            let (key, value) = pair.split_once('=')?;
            (key == name).then(|| decode(value))
        })
    }

    /// A parameter of the query, whatever the method.
    pub(super) fn query_parameter(&self, name: &str) -> Option<String> {
        self.query_parameters().into_iter().find_map(|(key, value)| (key == name).then_some(value))
    }

    pub(super) fn query_parameters(&self) -> Vec<(String, String)> {
        let pairs = self.query.split('&').filter_map(|pair| pair.split_once('='));
        pairs.map(|(key, value)| (decode(key), decode(value))).collect()
    }
}

/// An answer.
pub(super) struct Response {
    pub status: u16,
    pub content_type: &'static str,
    pub headers: Vec<(&'static str, String)>,
    pub body: Vec<u8>,
}

impl Response {
    pub(super) fn new(status: u16, content_type: &'static str, body: impl Into<Vec<u8>>) -> Self {
        Self { status, content_type, headers: Vec::new(), body: body.into() }
    }

    pub(super) fn bytes(&self, date: Option<&str>) -> Vec<u8> {
        let mut head = format!(
            "HTTP/1.1 {} Status\r\nContent-Type: {}\r\nContent-Length: {}\r\n",
            self.status,
            self.content_type,
            self.body.len()
        );
        if let Some(date) = date {
            head.push_str(&format!("Date: {date}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// The `Date` header of a moment.
pub(super) fn date(ms: i64) -> String {
    DateTime::from_timestamp_millis(ms).unwrap().format("%a, %d %b %Y %H:%M:%S GMT").to_string()
}

/// Reads one request; `None` at the end of the connection.
pub(super) fn read_request(mut stream: &TcpStream, buffer: &mut Vec<u8>) -> io::Result<Option<Request>> {
    let bad = |what: &str| io::Error::new(io::ErrorKind::InvalidData, what.to_owned());
    let mut chunk = [0; 8192];
    let (mut request, head) = loop {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut parsed = httparse::Request::new(&mut headers);
        match parsed.parse(buffer) {
            Ok(httparse::Status::Complete(head)) => {
                let target = parsed.path.unwrap_or("/");
                let (path, query) = target.split_once('?').unwrap_or((target, ""));
                let text = |value: &[u8]| String::from_utf8_lossy(value).into_owned();
                let request = Request {
                    method: parsed.method.unwrap_or_default().to_owned(),
                    path: path.to_owned(),
                    query: query.to_owned(),
                    headers: parsed.headers.iter().map(|h| (h.name.to_ascii_lowercase(), text(h.value))).collect(),
                    body: Vec::new(),
                };
                break (request, head);
            }
            Ok(httparse::Status::Partial) if buffer.len() < LONGEST_HEAD => {}
            _ => return Err(bad("no request")),
        }
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            read => buffer.extend_from_slice(&chunk[..read]),
        }
    };
    let length: usize = request.header("content-length").map_or(Ok(0), str::parse).map_err(|_| bad("length"))?;
    if length > LONGEST_BODY {
        return Err(bad("too long"));
    }
    while buffer.len() < head + length {
        match stream.read(&mut chunk)? {
            0 => return Ok(None),
            read => buffer.extend_from_slice(&chunk[..read]),
        }
    }
    request.body = buffer[head..head + length].to_vec();
    buffer.drain(..head + length);
    Ok(Some(request))
}

/// A text as a part of a query.
pub(super) fn encode(text: &str) -> String {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes().map(|byte| if plain(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") }).collect()
}

fn decode(text: &str) -> String {
    let (mut out, mut bytes) = (Vec::new(), text.bytes());
    while let Some(byte) = bytes.next() {
        match byte {
            b'+' => out.push(b' '),
            b'%' => {
                let hex = [bytes.next().unwrap_or(b'0'), bytes.next().unwrap_or(b'0')];
                let hex = std::str::from_utf8(&hex).unwrap_or("00");
                out.push(u8::from_str_radix(hex, 16).unwrap_or(b'?'));
            }
            byte => out.push(byte),
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}
