//! The companion: asks the daemon, or looks at the files itself, says what it found, and is gone.
//!
//! It links neither tokio nor the AWS SDK and does nothing that a command does not need, as SDKs start it for every renewal.

mod arguments;
mod browser;
mod client;
mod clock;
mod doctor;
mod drift;
mod failure;
mod files;
mod login;
mod offline;
mod online;
mod output;
mod render;
mod service;
mod shell;
mod sso_roles;
mod static_keys;

use std::process::ExitCode;

use self::arguments::{Command, Invocation};
use self::failure::Failure;
use crate::platform::environment::Environment;
use crate::platform::harden;

/// The program.
pub fn main() -> ExitCode {
    // A companion that can be dumped still works; it holds secrets for milliseconds.
    let _ = harden::forbid_dumps();
    let environment = Environment::of_process();
    match run(&environment) {
        Ok(code) => code,
        Err(failure) => {
            output::error(&failure);
            ExitCode::from(failure.exit)
        }
    }
}

fn run(environment: &Environment) -> Result<ExitCode, Failure> {
    let command = match arguments::parse(std::env::args_os().skip(1))? {
        Invocation::Help(text) => return output::print(&text),
        Invocation::Version => return output::print(concat!("evercred ", env!("CARGO_PKG_VERSION"), "\n")),
        Invocation::Run(command) => command,
    };
    if command.reads_files() {
        files::must_answer(offline::files(environment))?;
    }
    match command {
        Command::CredentialProcess { profile } => {
            online::credential_process(environment, &profile.unwrap_or_else(|| environment.profile()))
        }
        Command::Status { profiles, json, watch } => online::status(environment, &profiles, json, watch),
        Command::Renew { all: true, .. } => online::renew_all(environment),
        Command::Renew { profiles, .. } if profiles.is_empty() => online::renew(environment, &[environment.profile()]),
        Command::Renew { profiles, .. } => online::renew(environment, &profiles),
        Command::Login { name, no_browser, force } => login::login(environment, name, no_browser, force),
        Command::Logout { name } => login::logout(environment, name),
        Command::Env { profile, shell } => {
            static_keys::env(environment, &profile.unwrap_or_else(|| environment.profile()), shell)
        }
        Command::Exec { profile, command } => {
            static_keys::exec(environment, &profile.unwrap_or_else(|| environment.profile()), &command)
        }
        Command::Plan { profile, json } => offline::plan(environment, profile, json),
        Command::Profiles { sso: None, json } => offline::profiles(environment, json),
        Command::Profiles { sso: Some(session), json } => sso_roles::list(environment, &session, json),
        Command::Clock { json } => clock::clock(environment, json),
        Command::Doctor(asked) => doctor::doctor(environment, asked),
        Command::Explain { text, profile, all_causes, json, offline } => {
            doctor::explain(environment, text, profile, all_causes, json, offline)
        }
        Command::Service(what) => service::service(environment, &what),
        Command::Config(what) => offline::config(environment, what),
    }
}
