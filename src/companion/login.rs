//! `login` and `logout`: what a person must do, asked for once.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;
use std::sync::mpsc;

use serde_json::Value;
use zeroize::Zeroizing;

use super::client::{self, Question};
use super::failure::{ATTENTION, Failure, LOGIN};
use super::{browser, output};
use crate::core::fix::evercred;
use crate::core::keeper::Flow;
use crate::core::printable;
use crate::core::url_host::is_page;
use crate::platform::environment::Environment;

/// AWS locks nobody out for a wrong code, but a person who mistypes three has another problem.
const TRIES: u32 = 3;

/// `login [PROFILE|SSO_SESSION]`: whatever a person must do for it.
pub(super) fn login(
    environment: &Environment,
    name: Option<String>,
    no_browser: bool,
    force: bool,
) -> Result<ExitCode, Failure> {
    let name = name.or_else(|| environment.shell_profile());
    let browser = if no_browser { None } else { browser::find(environment) };
    let flow = if browser.is_some() { Flow::Browser } else { Flow::DeviceCode };
    let needed = begin(environment, name.as_deref(), flow, force)?;
    if let Some(name) = text(&needed, "signed_in") {
        return output::print(&format!("{name}: {}\n", already(&needed)));
    }
    match text(&needed, "needs") {
        Some("mfa-code") => {
            let (Some(profile), Some(device)) = (text(&needed, "profile"), text(&needed, "device")) else {
                return Err(not_understood());
            };
            type_code(environment, profile, device)
        }
        Some("sign-in") => {
            let mut needed = needed;
            if pastes_code(&needed) {
                return paste_code(environment, &needed);
            }
            if let Some(browser) = browser
                && text(&needed, "user_code").is_none()
            {
                let url = page(&needed, "url").ok_or_else(not_understood)?;
                say(&format!(
                    "Sign in to {} in the browser that opens now. If none does, open this page:\n\n    {url}\n",
                    text(&needed, "session").unwrap_or("the session")
                ));
                if !browser.open(url) {
                    say("No browser could be opened: signing in with a code.\n");
                    needed = begin(environment, name.as_deref(), Flow::DeviceCode, force)?;
                    if pastes_code(&needed) {
                        return paste_code(environment, &needed);
                    }
                    show_code(&needed)?;
                }
            } else {
                show_code(&needed)?;
            }
            wait(environment, &needed).map_err(|failure| match failure {
                Failure { exit: LOGIN, fix: None, .. } => {
                    let again =
                        name.as_ref().map_or_else(|| "evercred login".to_owned(), |name| evercred("login", name));
                    failure.fix(again)
                }
                failure => failure,
            })
        }
        _ => Err(not_understood()),
    }
}

/// The URL of a page from the daemon's answer; any other text is neither shown nor opened.
fn page<'a>(needed: &'a Value, field: &str) -> Option<&'a str> {
    text(needed, field).filter(|url| is_page(url))
}

/// `logout [PROFILE|SSO_SESSION]`.
pub(super) fn logout(environment: &Environment, name: Option<String>) -> Result<ExitCode, Failure> {
    let name = name.or_else(|| environment.shell_profile());
    let answer = client::ask(environment, "logout", name.as_deref())?
        .map_err(|error| Failure::from_daemon("sign-out failed", error))?;
    let name = text(&answer, "profile").or(name.as_deref()).unwrap_or("default");
    let until = text(&answer, "works_until");
    let works = until.map_or_else(String::new, |at| format!("; its token works until {at}"));
    let message = match (text(&answer, "not_told"), text(&answer, "not_removed")) {
        (Some(untold), None) => {
            format!("signed out on this machine only: {}{works}", untold.trim_end_matches('.'))
        }
        (Some(untold), Some(why)) => {
            format!("evercred does not use the session any more, but {why}; {}{works}", untold.trim_end_matches('.'))
        }
        (None, Some(why)) if until.is_some() => {
            format!("evercred does not use the session any more, but {why}{works}")
        }
        (None, Some(why)) => format!("AWS has ended the session, but {why}"),
        (None, None) => String::new(),
    };
    if !message.is_empty() {
        return Err(with_fix(Failure::new(ATTENTION, format!("{name}: {message}")), &answer));
    }
    let note = until
        .map_or_else(String::new, |at| format!("; programs that have loaded its credentials can use them until {at}"));
    output::print(&format!("{name}: signed out{note}\n"))
}

/// A failure with the command from the daemon's answer.
fn with_fix(failure: Failure, answer: &Value) -> Failure {
    Failure { fix: text(answer, "fix").map(str::to_owned), ..failure }
}

fn begin(environment: &Environment, name: Option<&str>, flow: Flow, force: bool) -> Result<Value, Failure> {
    let question = Question { request: "login", profile: name, flow: Some(flow), force, ..Question::default() };
    client::ask_with(environment, question)?.map_err(|error| Failure::from_daemon("sign-in failed", error))
}

/// How long a user who is already signed in stays signed in.
fn already(answer: &Value) -> String {
    match (text(answer, "ends_at"), text(answer, "expires_at")) {
        (Some(at), _) => format!("already signed in, until about {at}"),
        (None, Some(at)) => format!("already signed in, until {at} or later"),
        (None, None) => "already signed in".to_owned(),
    }
}

/// Shows a person the page and the code to type there.
fn show_code(needed: &Value) -> Result<(), Failure> {
    let url = page(needed, "url").ok_or_else(not_understood)?;
    let session = text(needed, "session").unwrap_or("the session");
    let Some(code) = text(needed, "user_code") else {
        say(&format!("To sign in to {session}, open this page in a browser on this machine:\n\n    {url}\n"));
        return Ok(());
    };
    say(&format!(
        "To sign in to {session}, open this page in any browser:\n\n    {url}\n\nand enter the code\n\n    {code}\n"
    ));
    if let Some(url) = page(needed, "url_with_code") {
        say(&format!("Or open this one, which has the code already:\n\n    {url}\n"));
    }
    Ok(())
}

/// Waits until the person is done. Whoever interrupts this gives the sign-in up.
fn wait(environment: &Environment, needed: &Value) -> Result<ExitCode, Failure> {
    let sign_in = needed.get("sign_in").and_then(Value::as_u64).ok_or_else(not_understood)?;
    let minutes = needed.get("expires_in_seconds").and_then(Value::as_i64).unwrap_or(600) / 60;
    say(&format!("Waiting for the browser (for up to {minutes} min, Ctrl-C ends it) …"));
    output::print(&ended(environment, sign_in, None)?)
}

fn pastes_code(needed: &Value) -> bool {
    needed.get("pastes_code").and_then(Value::as_bool) == Some(true)
}

/// The first event: the user pastes the code, or the sign-in ends without it.
enum Heard {
    Code(Result<Option<Zeroizing<String>>, Failure>),
    End(Result<String, Failure>),
}

/// Shows the URL of the page with the code, and waits for the code.
fn paste_code(environment: &Environment, needed: &Value) -> Result<ExitCode, Failure> {
    let sign_in = needed.get("sign_in").and_then(Value::as_u64).ok_or_else(not_understood)?;
    let url = page(needed, "url").ok_or_else(not_understood)?;
    let session = text(needed, "session").unwrap_or("the session").to_owned();
    say(&format!(
        "To sign in to {session}, open this page in any browser:\n\n    {url}\n\nand paste the code that it shows here.\n"
    ));
    let (sender, heard) = mpsc::channel();
    // The daemon cancels a sign-in when its last caller disconnects. Both threads end with the program.
    let (waiting, environment_there) = (sender.clone(), environment.clone());
    std::thread::spawn(move || waiting.send(Heard::End(ended(&environment_there, sign_in, None))));
    std::thread::spawn(move || sender.send(Heard::Code(read_code("Code: "))));
    let end = match heard.recv() {
        Ok(Heard::Code(code)) => match code?.filter(|code| !code.is_empty()) {
            Some(code) => ended(environment, sign_in, Some(code)),
            None => Err(Failure::new(LOGIN, format!("sign-in failed for {session}: no code on standard input"))),
        },
        Ok(Heard::End(end)) => end,
        Err(_) => Err(not_understood()),
    };
    output::print(&end?)
}

/// Waits for the end of a sign-in; `code` is the pasted code.
fn ended(environment: &Environment, sign_in: u64, mut code: Option<Zeroizing<String>>) -> Result<String, Failure> {
    let mut warned = String::new();
    loop {
        let code = code.take();
        let question = Question { request: "login-wait", sign_in: Some(sign_in), code, ..Question::default() };
        let answer =
            client::ask_with(environment, question)?.map_err(|error| Failure::from_daemon("sign-in failed", error))?;
        if answer.get("pending").is_some() {
            if let Some(why) = text(&answer, "warning").filter(|why| warned != *why) {
                say(&format!("{why}."));
                why.clone_into(&mut warned);
            }
            continue;
        }
        let session = text(&answer, "session").unwrap_or("the session");
        let profiles = match answer.get("profiles").and_then(Value::as_u64) {
            Some(1) => ", for one profile".to_owned(),
            Some(count) if count > 1 => format!(", for {count} profiles"),
            _ => String::new(),
        };
        let until = text(&answer, "ends_at").map_or_else(String::new, |at| format!(" until about {at}"));
        if let Some(why) = text(&answer, "unsaved") {
            let message = format!(
                "{session}: signed in{until}, but the token can't be written into its cache file, where other AWS tools look for \
                 it: {why}"
            );
            return Err(with_fix(Failure::new(ATTENTION, message), &answer));
        }
        return Ok(format!("{session}: signed in{until}{profiles}\n"));
    }
}

/// Asks for the code of an MFA device, until AWS takes one.
fn type_code(environment: &Environment, profile: &str, device: &str) -> Result<ExitCode, Failure> {
    let what = format!("sign-in failed for profile \"{profile}\"");
    let mut last = None;
    for attempt in 1..=TRIES {
        let Some(code) = read_code(&format!("Code of the MFA device {device}: "))? else { break };
        if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            let failure = Failure::new(LOGIN, format!("{what}: a code has six digits"));
            last = Some(said(failure, attempt));
            continue;
        }
        let question = Question { request: "login", profile: Some(profile), code: Some(code), ..Question::default() };
        match client::ask_with(environment, question)? {
            Ok(answer) => {
                let until = text(&answer, "expires_at").unwrap_or("its end");
                return output::print(&format!("{profile}: signed in until {until}\n"));
            }
            Err(error) => {
                let failure = Failure::from_daemon(&what, error);
                if failure.exit != LOGIN {
                    return Err(failure);
                }
                last = Some(said(failure, attempt));
            }
        }
    }
    Err(last.unwrap_or_else(|| {
        Failure::new(LOGIN, format!("{what}: there is no code on standard input, and no terminal to ask for it"))
            .fix(evercred("login", profile))
    }))
}

fn text<'a>(answer: &'a Value, field: &str) -> Option<&'a str> {
    answer.get(field).and_then(Value::as_str)
}

fn not_understood() -> Failure {
    Failure::new(ATTENTION, "sign-in failed: the daemon needs input that this version can't ask for").restart()
}

/// To the person, beside what a script may read from stdout.
fn say(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{}", printable::lines(text));
}

/// One trimmed line of standard input, with a prompt on a terminal; `None` at the end of input.
fn read_code(prompt: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    let mut stdin = io::stdin().lock();
    if stdin.is_terminal() {
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "{}", printable::line(prompt)).and_then(|()| stderr.flush());
    }
    let mut line = Zeroizing::new(String::new());
    match stdin.read_line(&mut line) {
        Ok(0) => Ok(None),
        Ok(_) => Ok(Some(Zeroizing::new(line.split_whitespace().collect()))),
        Err(error) => Err(Failure::new(LOGIN, format!("the code can't be read: {error}"))),
    }
}

/// Shows a refusal at once where a person will be asked again.
fn said(failure: Failure, attempt: u32) -> Failure {
    if io::stdin().is_terminal() && attempt < TRIES {
        output::error(&failure);
    }
    failure
}
