//! The commands that ask the daemon.

use std::process::ExitCode;

use serde_json::{Value, json};

use super::failure::{ATTENTION, Failure, LOGIN};
use super::offline;
use super::output;
use super::render;
use super::{client, drift};
use crate::core::aws_error::PROCESS_NOT_FOUND;
use crate::core::fix::evercred;
use crate::core::keeper::State;
use crate::platform::environment::{ASKED_FOR, Environment};
use crate::wire::StatusDocument;

/// How many renewals are waited for at once.
const AT_ONCE: usize = 16;

/// `credential-process [PROFILE]`.
pub(super) fn credential_process(environment: &Environment, profile: &str) -> Result<ExitCode, Failure> {
    let document = credentials(environment, profile)?;
    output::print_exact(&output::json_line(&document))
}

/// The SDKs' document for a profile.
pub(super) fn credentials(environment: &Environment, profile: &str) -> Result<Value, Failure> {
    let what = format!("there are no credentials for profile \"{profile}\"");
    if environment.get(ASKED_FOR) == Some(profile) {
        let why = "its credential_process asks evercred for the same profile (a loop)";
        return Err(Failure::new(ATTENTION, format!("{what}: {why}")).see(evercred("plan", profile)));
    }
    let answer = client::ask(environment, "credential-process", Some(profile))?.map_err(|error| {
        let not_found = error.code.as_deref() == Some(PROCESS_NOT_FOUND);
        let failure = Failure::from_daemon(&what, error);
        match offline::program_on_path(environment, profile).filter(|_| not_found) {
            Some(path) => {
                let message = format!("{}; this shell finds it at {}", failure.message, path.display());
                Failure { message, ..failure }
            }
            None => failure,
        }
    })?;
    let is_text = |field: &str| answer.get(field).is_some_and(Value::is_string);
    if answer.get("Version") == Some(&json!(1)) && is_text("AccessKeyId") && is_text("SecretAccessKey") {
        return Ok(answer);
    }
    Err(Failure::new(ATTENTION, format!("{what}: the daemon's answer has no credentials")).restart())
}

/// `status`.
pub(super) fn status(
    environment: &Environment,
    profiles: &[String],
    json: bool,
    watch: bool,
) -> Result<ExitCode, Failure> {
    let status_text = || status_text(environment, profiles, json, watch);
    let (text, exit) = status_text()?;
    if !watch {
        output::print_exact(&text)?;
        return Ok(ExitCode::from(exit));
    }
    let redraw = output::is_terminal() && !json;
    let mut text = text;
    while output::write(&if redraw { render::frame(&text) } else { text })? {
        #[expect(clippy::disallowed_methods, reason = "a display that is drawn once a second waits for the second")]
        std::thread::sleep(std::time::Duration::from_secs(1));
        text = match status_text() {
            Ok((text, _)) => text,
            // Who watches wants to see the daemon come back.
            Err(failure) if json => {
                output::error(&failure);
                String::new()
            }
            Err(failure) => output::said(&failure),
        };
    }
    Ok(ExitCode::SUCCESS)
}

/// What `status` prints once, and its exit code.
fn status_text(
    environment: &Environment,
    profiles: &[String],
    json: bool,
    watch: bool,
) -> Result<(String, u8), Failure> {
    let (mut document, mut raw) = read_status(environment, profiles)?;
    add_problems(environment, &mut document, &mut raw);
    let is_named = !profiles.is_empty();
    let text = match (json, watch) {
        (true, false) => output::json(&raw),
        (true, true) => output::json_line(&raw),
        (false, _) => render::status(&document, is_named, output::colour(environment)),
    };
    Ok((text, if needs_attention(&document, is_named) { ATTENTION } else { 0 }))
}

/// Adds what only this end can see.
fn add_problems(environment: &Environment, document: &mut StatusDocument, raw: &mut Value) {
    if client::is_forwarded(environment) {
        // The daemon may run on another machine.
        return;
    }
    let problems = drift::problems(environment, document);
    if let Some(list) = raw.get_mut("problems").and_then(Value::as_array_mut) {
        list.extend(problems.iter().map(|problem| json!(problem)));
    }
    document.problems.extend(problems);
}

/// `renew --all`: every profile that AWS, or its program, gives new credentials without the user.
pub(super) fn renew_all(environment: &Environment) -> Result<ExitCode, Failure> {
    let (document, _) = read_status(environment, &[])?;
    let (mut profiles, mut signed_out) = (Vec::new(), 0_usize);
    for profile in document.profiles {
        match profile.state {
            State::Static => {}
            State::NeedsLogin => signed_out += 1,
            _ if profile.last_error.is_some_and(|error| render::QUIET.contains(&error.code.as_str())) => {}
            _ => profiles.push(profile.name),
        }
    }
    if profiles.is_empty() && signed_out == 0 {
        return output::print("no profile has credentials that can be renewed\n");
    }
    let exit = renew(environment, &profiles)?;
    if signed_out == 0 {
        return Ok(exit);
    }
    let profiles = if signed_out == 1 { "profile needs" } else { "profiles need" };
    let message = format!("{signed_out} {profiles} a sign-in or an MFA code first");
    Err(Failure::new(LOGIN, message).see("evercred status --json"))
}

/// `renew`.
pub(super) fn renew(environment: &Environment, profiles: &[String]) -> Result<ExitCode, Failure> {
    let mut worst = None;
    for names in profiles.chunks(AT_ONCE) {
        let results: Vec<Result<Value, Failure>> = std::thread::scope(|scope| {
            let one = |name: &'_ String| {
                let name = name.clone();
                scope.spawn(move || {
                    let what = format!("profile \"{name}\" was not renewed");
                    client::ask(environment, "renew", Some(&name))?.map_err(|error| Failure::from_daemon(&what, error))
                })
            };
            let threads: Vec<_> = names.iter().map(one).collect();
            let broken = || Err(Failure::new(ATTENTION, "evercred could not wait for a renewal"));
            threads.into_iter().map(|thread| thread.join().unwrap_or_else(|_| broken())).collect()
        });
        for (name, result) in names.iter().zip(results) {
            match result {
                Ok(answer) => {
                    let until = answer
                        .get("expires_at")
                        .and_then(Value::as_str)
                        .map_or_else(String::new, |at| format!(" until {at}"));
                    output::print(&format!("{name}: renewed, valid{until}\n"))?;
                }
                Err(failure) => {
                    output::error(&failure);
                    worst = worst.max(Some(failure.exit));
                }
            }
        }
    }
    Ok(ExitCode::from(worst.unwrap_or(0)))
}

/// The status of the named profiles and of all that they use; without names of all.
/// The raw document has the fields that this version does not know, too.
fn read_status(environment: &Environment, profiles: &[String]) -> Result<(StatusDocument, Value), Failure> {
    let question = client::Question { request: "status", profiles, ..client::Question::default() };
    let answer = client::ask_with(environment, question)?;
    let raw = answer.map_err(|error| Failure::from_daemon("there is no status", error))?;
    let document = serde_json::from_value(raw.clone()).map_err(|error| {
        Failure::new(ATTENTION, format!("evercred does not understand the daemon's status: {error}")).restart()
    })?;
    Ok((document, raw))
}

/// Whether the status shows a problem: one below the tables, or the clock's.
fn needs_attention(document: &StatusDocument, is_named: bool) -> bool {
    matches!(document.clock.state.as_str(), "notice" | "warning" | "critical")
        || !render::shown_problems(document, is_named).is_empty()
}
