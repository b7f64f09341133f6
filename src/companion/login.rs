//! `login` and `logout`: what a person must do, asked for once.

use std::io::{self, BufRead, IsTerminal, Write};
use std::process::ExitCode;

use serde_json::Value;
use zeroize::Zeroizing;

use super::failure::{ATTENTION, Failure, LOGIN};
use super::{client, output, render};
use crate::platform::environment::Environment;

/// AWS locks nobody out for a wrong code, but a person who mistypes three has another problem.
const TRIES: u32 = 3;

/// `login [PROFILE]`: asks for the code of the MFA device behind a profile, until AWS takes one.
pub(super) fn login(environment: &Environment, profile: Option<String>) -> Result<ExitCode, Failure> {
    let profile = profile.unwrap_or_else(|| default_profile(environment));
    let what = format!("nobody was signed in for profile \"{profile}\"");
    let needed = client::ask(environment, "login", Some(&profile))?;
    let needed = needed.map_err(|error| Failure::from_daemon(&what, error))?;
    let Some(device) = needed.get("device").and_then(Value::as_str) else {
        return Err(Failure::new(ATTENTION, format!("{what}: the daemon wants what this version can't ask for"))
            .fix(client::RESTART));
    };
    let mut last = None;
    for attempt in 1..=TRIES {
        let Some(code) = read_code(device)? else { break };
        if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
            let failure =
                Failure::new(LOGIN, format!("{what}: a code has six digits")).fix("type what the device shows");
            last = Some(said(failure, attempt));
            continue;
        }
        match client::ask_with(environment, "login", Some(&profile), Some(code))? {
            Ok(answer) => {
                let until = answer.get("expires_at").and_then(Value::as_str).unwrap_or("its end");
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
            .fix(format!("evercred login {profile} in a terminal, or with the code on standard input"))
    }))
}

/// `logout [PROFILE]`.
pub(super) fn logout(environment: &Environment, profile: Option<String>) -> Result<ExitCode, Failure> {
    let profile = profile.unwrap_or_else(|| default_profile(environment));
    client::ask(environment, "logout", Some(&profile))?
        .map_err(|error| Failure::from_daemon(&format!("profile \"{profile}\" was not signed out"), error))?;
    output::print(&format!("{profile}: signed out\n"))
}

fn default_profile(environment: &Environment) -> String {
    environment.get("AWS_PROFILE").filter(|name| !name.is_empty()).unwrap_or("default").to_owned()
}

/// One line of standard input; `None` at its end. A person at a terminal is asked for it.
fn read_code(device: &str) -> Result<Option<Zeroizing<String>>, Failure> {
    let mut stdin = io::stdin().lock();
    if stdin.is_terminal() {
        let mut stderr = io::stderr().lock();
        let _ = write!(stderr, "Code of the MFA device {}: ", render::clean(device)).and_then(|()| stderr.flush());
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
