//! A person who signs in: at the terminal, and in a browser.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};

/// Starts `evercred login`, and reads what it says until a line that is asked for.
pub(crate) struct Login {
    pub(crate) child: Child,
    said: BufReader<std::process::ChildStderr>,
}

impl Login {
    pub(crate) fn start(mut command: Command, arguments: &[&str]) -> Self {
        command.arg("login").args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let said = BufReader::new(child.stderr.take().unwrap());
        Self { child, said }
    }

    /// The next line of which `wanted` gives something.
    pub(crate) fn line<T>(&mut self, wanted: impl Fn(&str) -> Option<T>) -> T {
        let mut all = String::new();
        loop {
            let mut line = String::new();
            assert!(self.said.read_line(&mut line).unwrap() > 0, "it ended: {all}");
            if let Some(found) = wanted(line.trim()) {
                return found;
            }
            all.push_str(&line);
        }
    }

    pub(crate) fn url(&mut self) -> String {
        self.line(|line| line.starts_with("http").then(|| line.to_owned()))
    }

    /// Exit code, stdout and the rest of stderr.
    pub(crate) fn end(mut self) -> (Option<i32>, String, String) {
        let (mut out, mut err) = (String::new(), String::new());
        self.child.stdout.take().unwrap().read_to_string(&mut out).unwrap();
        self.said.read_to_string(&mut err).unwrap();
        (self.child.wait().unwrap().code(), out, err)
    }
}

/// Gets a page as a browser does: the head of the answer, and where it leads.
pub(crate) fn get(url: &str) -> (String, Option<String>) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    let mut reader = BufReader::new(stream);
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line).unwrap() == 0 || line == "\r\n" {
            break;
        }
        answer.push_str(&line);
    }
    let location = answer.lines().find_map(|line| line.strip_prefix("Location: ")).map(str::to_owned);
    (answer, location)
}

/// Gets the page that shows a code, as far as the code.
pub(crate) fn page_of(url: &str) -> String {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = TcpStream::connect(host).unwrap();
    write!(stream, "GET /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").unwrap();
    // The connection stays open.
    let mut answer = Vec::new();
    BufReader::new(stream)
        .lines()
        .map(Result::unwrap)
        .take_while(|line| {
            answer.push(line.clone());
            !line.contains("</code>")
        })
        .for_each(drop);
    answer.join("\n")
}

/// What a person does in the browser.
pub(crate) fn answer_page(url: &str, answer: &str) -> String {
    let (head, location) = get(&format!("{url}&_answer={answer}"));
    let location = location.unwrap_or_else(|| panic!("the page leads nowhere: {head}"));
    get(&location).0
}

/// A companion that opens pages by writing their addresses into `opened`.
pub(crate) fn with_browser(machine: &crate::machine::Machine) -> Command {
    machine.write("browser", "#!/bin/sh\necho \"$1\" > \"$HOME/opened\"\n");
    std::fs::set_permissions(machine.path("browser"), std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let mut companion = machine.companion();
    companion.env("BROWSER", machine.path("browser"));
    companion
}
