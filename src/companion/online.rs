//! The commands that ask the daemon.

use std::collections::BTreeSet;
use std::process::ExitCode;

use serde_json::{Value, json};

use super::failure::{ATTENTION, Failure, NO_PROFILE};
use super::offline;
use super::output;
use super::render;
use super::{client, drift};
use crate::core::aws_error::PROCESS_NOT_FOUND;
use crate::core::fix::evercred;
use crate::core::glob;
use crate::core::nearest::did_you_mean;
use crate::core::printable;
use crate::platform::environment::{ASKED_FOR, Environment};
use crate::wire::{ProblemEntry, StatusDocument, UNREADABLE_FILE};

/// How many renewals are waited for at once.
const AT_ONCE: usize = 16;

/// `credential-process PROFILE`.
pub(super) fn credential_process(environment: &Environment, profile: &str) -> Result<ExitCode, Failure> {
    let document = credentials(environment, profile)?;
    output::print_exact(&printable::json(&format!("{document}\n")))
}

/// The SDKs' document for a profile.
pub(super) fn credentials(environment: &Environment, profile: &str) -> Result<Value, Failure> {
    let what = format!("there are no credentials for profile \"{profile}\"");
    if environment.get(ASKED_FOR) == Some(profile) {
        let why = "its credential_process asks evercred for the same profile (a loop)";
        return Err(Failure::new(ATTENTION, format!("{what}: {why}")).fix(evercred("plan", profile)));
    }
    let answer = client::ask(environment, "credential-process", Some(profile))?.map_err(|error| {
        let not_found = error.message.contains(PROCESS_NOT_FOUND);
        let failure = Failure::from_daemon(&what, error);
        match offline::program_on_path(environment, profile).filter(|_| not_found) {
            Some(path) => failure.fix(format!(
                "this shell finds it at {}: write that into credential_process, or set PATH in [environment] of \
                 evercred.toml",
                path.display()
            )),
            None => failure,
        }
    })?;
    let is_text = |field: &str| answer.get(field).is_some_and(Value::is_string);
    if answer.get("Version") == Some(&json!(1)) && is_text("AccessKeyId") && is_text("SecretAccessKey") {
        return Ok(answer);
    }
    Err(Failure::new(ATTENTION, format!("{what}: the daemon's answer has no credentials")).fix(client::RESTART))
}

/// `status`.
pub(super) fn status(
    environment: &Environment,
    profiles: &[String],
    json: bool,
    watch: bool,
) -> Result<ExitCode, Failure> {
    let (text, exit) = status_text(environment, profiles, json)?;
    if !watch {
        output::print_exact(&text)?;
        return Ok(ExitCode::from(exit));
    }
    let redraw = output::is_terminal() && !json;
    let mut text = text;
    while output::write(&if redraw { render::frame(&text) } else { text })? {
        #[expect(clippy::disallowed_methods, reason = "a display that is drawn once a second waits for the second")]
        std::thread::sleep(std::time::Duration::from_secs(1));
        text = match status_text(environment, profiles, json) {
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
fn status_text(environment: &Environment, profiles: &[String], json: bool) -> Result<(String, u8), Failure> {
    let (mut document, mut raw) = read_status(environment)?;
    add_problems(environment, &mut document, &mut raw);
    for name in profiles {
        if !document.profiles.iter().any(|profile| is_meant(std::slice::from_ref(name), &profile.name)) {
            let hint = did_you_mean(name, document.profiles.iter().map(|profile| profile.name.as_str()));
            if let Some(problem) = document.problems.iter().find(|problem| problem.id == UNREADABLE_FILE) {
                let message = format!("{}; profile \"{name}\" was not found{hint}", problem_with_place(problem));
                return Err(Failure { fix: problem.fix.clone(), ..Failure::new(ATTENTION, message) });
            }
            let message = if is_glob(name) {
                format!("no profile in the AWS files matches \"{name}\"")
            } else {
                format!("profile \"{name}\" is in no AWS file{hint}")
            };
            return Err(Failure::new(NO_PROFILE, message).fix("evercred profiles"));
        }
    }
    if !profiles.is_empty() {
        document.profiles.retain(|profile| is_meant(profiles, &profile.name));
        let sessions = sessions_of(&document);
        document.sso_sessions.retain(|session| sessions.contains(&session.name));
        if let Some(list) = raw.get_mut("sso_sessions").and_then(Value::as_array_mut) {
            list.retain(|entry| entry["name"].as_str().is_some_and(|name| sessions.contains(name)));
        }
    }
    let is_named = !profiles.is_empty();
    let text = if json {
        output::json(&filtered(raw, profiles))
    } else {
        render::status(&document, is_named, output::colour(environment))
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

/// `renew`: without names all auto-renewed profiles.
pub(super) fn renew(environment: &Environment, mut profiles: Vec<String>) -> Result<ExitCode, Failure> {
    if profiles.is_empty() {
        let (document, _) = read_status(environment)?;
        profiles =
            document.profiles.into_iter().filter(|profile| profile.auto_renew).map(|profile| profile.name).collect();
        if profiles.is_empty() {
            return output::print("no profile is renewed automatically: nothing to renew\n");
        }
    }
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

fn read_status(environment: &Environment) -> Result<(StatusDocument, Value), Failure> {
    let answer = client::ask(environment, "status", None)?;
    let raw = answer.map_err(|error| Failure::from_daemon("there is no status", error))?;
    let document = serde_json::from_value(raw.clone()).map_err(|error| {
        Failure::new(ATTENTION, format!("evercred does not understand the daemon's status: {error}"))
            .fix("restart the daemon: it may be another version")
    })?;
    Ok((document, raw))
}

/// The daemon's own document, fields that this version does not know included.
fn filtered(mut raw: Value, profiles: &[String]) -> Value {
    if !profiles.is_empty()
        && let Some(list) = raw.get_mut("profiles").and_then(Value::as_array_mut)
    {
        list.retain(|entry| entry.get("name").and_then(Value::as_str).is_some_and(|name| is_meant(profiles, name)));
    }
    raw
}

/// Whether a profile matches one of the names or globs.
fn is_meant(names: &[String], profile: &str) -> bool {
    names.iter().any(|name| name == profile || is_glob(name) && glob::matches(name, profile))
}

fn is_glob(name: &str) -> bool {
    name.contains(['*', '?'])
}

/// A problem, after its file and line.
fn problem_with_place(problem: &ProblemEntry) -> String {
    match (&problem.file, problem.line) {
        (Some(file), Some(line)) => format!("{file}:{line}: {}", problem.message),
        (Some(file), None) => format!("{file}: {}", problem.message),
        _ => problem.message.clone(),
    }
}

/// The names of the sign-in sessions that the profiles of a document depend on. A session without a section of its own has
/// the name of a profile for its sign-in.
fn sessions_of(document: &StatusDocument) -> BTreeSet<String> {
    let names: BTreeSet<&str> = document.profiles.iter().map(|profile| profile.name.as_str()).collect();
    let of_profiles: BTreeSet<&str> =
        document.profiles.iter().filter_map(|profile| profile.sso_session.as_deref()).collect();
    let has_other =
        |kind: &str| document.profiles.iter().any(|profile| profile.kind == kind && profile.sso_session.is_none());
    let sessions = document.sso_sessions.iter().filter(|session| {
        let login = session.login_name.as_deref().unwrap_or(&session.name);
        let has_section = login == session.name;
        of_profiles.contains(session.name.as_str())
            || names.contains(login)
            || (!has_section && has_other(&session.kind))
    });
    sessions.map(|session| session.name.clone()).collect()
}

/// Whether a profile, the clock or anything else needs attention. Valid credentials whose renewal evercred retries don't.
fn needs_attention(document: &StatusDocument, is_named: bool) -> bool {
    use crate::core::keeper::State;
    document.profiles.iter().any(|profile| match profile.state {
        State::Failed if is_named => true,
        State::Failed | State::NeedsLogin => profile.auto_renew || render::shown_error(profile).is_some(),
        State::Retrying => profile.auto_renew && profile.valid != Some(true),
        // Another attempt is under way.
        State::Renewing => profile.auto_renew && profile.valid != Some(true) && render::shown_error(profile).is_some(),
        State::Fresh | State::Ready | State::Static => false,
    }) || matches!(document.clock.state.as_str(), "notice" | "warning" | "critical")
        || !document.problems.is_empty()
}
