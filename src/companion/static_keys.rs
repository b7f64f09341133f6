//! `env --static` and `exec --static`: one set of keys in the environment, for as long as it lives.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use serde_json::Value;

use super::failure::{ATTENTION, Failure};
use super::shell::Shell;
use super::{files, offline, online, output};
use crate::core::printable::has_harmful;
use crate::core::variables;
use crate::platform::environment::Environment;

/// Every variable by which some SDK would choose other credentials than the ones that are set.
const UNSET: [&[&str]; 5] = [
    &variables::KEYS,
    &variables::PROFILE,
    &variables::WEB_IDENTITY,
    &variables::CONTAINER,
    &[
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE",
        "AWS_CREDENTIAL_EXPIRATION",
        "AWS_SESSION_EXPIRATION",
        "AWS_CREDENTIAL_FILE",
        "AWS_ACCOUNT_ID",
        "AWS_CREDENTIAL_SCOPE",
        "AWS_VAULT",
    ],
];
/// Whole families of variables that other tools of this kind set.
const PREFIXES: [&str; 2] = ["AWSUME_", "GRANTED_"];

/// `env [PROFILE] --static`.
pub(super) fn env(environment: &Environment, profile: &str, shell: Shell) -> Result<ExitCode, Failure> {
    let (set, unset) = variables(environment, profile)?;
    output::print_exact(&shell.render(&set, &unset))
}

/// `exec [PROFILE] --static -- COMMAND…`: becomes the command, so signals and the exit code are its own.
pub(super) fn exec(environment: &Environment, profile: &str, command: &[OsString]) -> Result<ExitCode, Failure> {
    let (set, unset) = variables(environment, profile)?;
    let (program, arguments) =
        command.split_first().ok_or_else(|| Failure::new(ATTENTION, "there is no command to run"))?;
    let mut command = Command::new(program);
    command.args(arguments);
    for name in &unset {
        command.env_remove(name);
    }
    let error = command.envs(set).exec();
    // As a shell says it: 127 where there is no such command, 126 where it can't be run.
    let exit = if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 };
    Err(Failure::new(exit, format!("{} can't be run: {error}", program.display())))
}

/// What is set, and what is unset.
type Variables = (Vec<(String, String)>, Vec<String>);

fn variables(environment: &Environment, profile: &str) -> Result<Variables, Failure> {
    let document = online::credentials(environment, profile)?;
    let field = |name: &str| document.get(name).and_then(Value::as_str).map(str::to_owned);
    let mut set = Vec::new();
    for (variable, name, needed) in [
        ("AWS_ACCESS_KEY_ID", "AccessKeyId", true),
        ("AWS_SECRET_ACCESS_KEY", "SecretAccessKey", true),
        ("AWS_SESSION_TOKEN", "SessionToken", false),
        ("AWS_CREDENTIAL_EXPIRATION", "Expiration", false),
    ] {
        match field(name) {
            Some(value) => set.push((variable.to_owned(), value)),
            None if needed => return Err(Failure::new(ATTENTION, format!("the daemon's answer has no {name}"))),
            None => {}
        }
    }
    if let Some(region) = region(environment, profile) {
        set.push(("AWS_REGION".to_owned(), region.clone()));
        set.push(("AWS_DEFAULT_REGION".to_owned(), region));
    }
    if environment.get("AWS_EC2_METADATA_DISABLED").is_none() {
        set.push(("AWS_EC2_METADATA_DISABLED".to_owned(), "true".to_owned()));
    }
    set.push(("EVERCRED_PROFILE".to_owned(), profile.to_owned()));
    if let Some((name, _)) = set.iter().find(|(_, value)| has_harmful(value)) {
        let why =
            format!("the value of {name} contains control or invisible characters, so evercred does not export it");
        return Err(Failure::new(ATTENTION, why));
    }
    let families = environment
        .variables()
        .map(|(name, _)| name)
        .filter(|name| PREFIXES.iter().any(|prefix| name.starts_with(prefix)));
    let unset = UNSET.into_iter().flatten().copied().chain(families).map(str::to_owned);
    let unset = unset.filter(|name| !set.iter().any(|(set, _)| set == name)).collect();
    Ok((set, unset))
}

/// Both variables are set, as no SDK reads both: the caller's own region first, then the profile's.
fn region(environment: &Environment, profile: &str) -> Option<String> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty()).map(str::to_owned);
    set("AWS_REGION").or_else(|| set("AWS_DEFAULT_REGION")).or_else(|| {
        let inputs = files::read_aws(&files::aws_paths(environment).ok()?);
        let profiles = offline::with_settings(environment, inputs.profiles());
        Some(profiles.profiles.get(profile)?.get("region")?.text.clone())
    })
}
