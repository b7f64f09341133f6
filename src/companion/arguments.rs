//! The command line.

use std::ffi::OsString;

use lexopt::prelude::{Long, Short, Value};

use super::failure::{Failure, USAGE};
use super::service::{Kind, ServiceCommand};
use super::shell::Shell;
use crate::core::nearest::did_you_mean;

/// What the command line asks for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Invocation {
    /// This help text.
    Help(String),
    /// The version.
    Version,
    /// A command.
    Run(Command),
}

/// A command with its arguments.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Command {
    CredentialProcess { profile: Option<String> },
    Status { profiles: Vec<String>, json: bool, watch: bool },
    Renew { profiles: Vec<String>, all: bool },
    Login { name: Option<String>, no_browser: bool, force: bool },
    Logout { name: Option<String> },
    Env { profile: Option<String>, shell: Shell },
    Exec { profile: Option<String>, command: Vec<OsString> },
    Plan { profile: Option<String>, json: bool },
    Profiles { sso: Option<String>, json: bool },
    Clock { json: bool },
    Doctor(DoctorCommand),
    Explain { text: Option<String>, profile: Option<String>, all_causes: bool, json: bool, offline: bool },
    Service(ServiceCommand),
    Config(ConfigCommand),
}

impl Command {
    /// Whether the command reads the AWS files itself.
    pub(super) fn reads_files(&self) -> bool {
        match self {
            Self::CredentialProcess { .. }
            | Self::Status { .. }
            | Self::Renew { .. }
            | Self::Login { .. }
            | Self::Logout { .. }
            | Self::Clock { .. }
            | Self::Config(_) => false,
            Self::Env { .. }
            | Self::Exec { .. }
            | Self::Plan { .. }
            | Self::Profiles { .. }
            | Self::Doctor(_)
            | Self::Explain { .. }
            | Self::Service(_) => true,
        }
    }
}

/// What `doctor` does.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct DoctorCommand {
    pub(super) profile: Option<String>,
    pub(super) json: bool,
    pub(super) offline: bool,
    /// Lists the causes that were ruled out or not checked.
    pub(super) verbose: bool,
    /// Runs the profile's `credential_process`.
    pub(super) run_process: bool,
}

/// What `config` shows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum ConfigCommand {
    Path,
    Show,
    Check,
}

/// The commands: name, arguments, one line of help.
const COMMANDS: [(&str, &str, &str); 14] = [
    (
        "status",
        "[PROFILE...] [--json] [--watch]",
        "shows the profiles (names may be globs): cached credentials, expiry, and errors",
    ),
    ("credential-process", "[PROFILE]", "prints the SDKs' credential_process document for PROFILE"),
    ("exec", "[PROFILE] --static -- COMMAND...", "runs COMMAND with PROFILE's keys in its environment"),
    (
        "env",
        "[PROFILE] --static [--shell sh|bash|zsh|fish|powershell|json|dotenv]",
        "prints what exec would set and unset",
    ),
    ("renew", "[PROFILE...|--all]", "fetches new credentials now; --all: of every profile that needs no sign-in first"),
    (
        "login",
        "[PROFILE|SSO_SESSION] [--no-browser] [--force]",
        "signs in to an SSO or `aws login` session (in the browser, or with a code on another device), or reads the code of an MFA \
         device from the terminal or standard input",
    ),
    ("logout", "[PROFILE|SSO_SESSION]", "ends the SSO or MFA session, and removes the credentials based on it"),
    ("plan", "[PROFILE] [--json]", "shows how evercred obtains PROFILE's credentials, from the files alone"),
    (
        "profiles",
        "[--json] [--sso SESSION]",
        "every profile of the AWS files, each setting with its file and line; with --sso the accounts and roles of the \
         signed-in user, and config sections for roles without a profile",
    ),
    (
        "clock",
        "[--json]",
        "compares this machine's clock with AWS time: clock skew, evidence, its effects, and the fix",
    ),
    (
        "doctor",
        "[PROFILE] [--json] [--offline] [--verbose] [--run-process]",
        "checks for every known cause of InvalidClientTokenId and similar errors, on this machine and at AWS (it changes nothing; with \
         --offline it sends nothing): findings, evidence and fixes; exits 1 if AWS refuses something or soon will",
    ),
    (
        "explain",
        "[TEXT|-] [--profile NAME] [--json] [--offline] [--verbose]",
        "explains an AWS error message, or the errors in a log on standard input: causes found on this machine, causes ruled out, and the \
         fix of each. It checks profile NAME, else the one that the text names, else the shell's (AWS_PROFILE, AWS_DEFAULT_PROFILE). It shows up to three \
         causes; --verbose shows all. It exits 1 if the text has no error about AWS credentials",
    ),
    (
        "service",
        "install [--force] [--environment NAME]...|uninstall [--purge]|status [--json]|print [--systemd|--launchd]",
        "the daemon as your systemd or launchd service: install starts it now and at each login, with this shell's PATH, proxies \
         and certificates; uninstall removes it; status shows its state; print shows the files that install would write",
    ),
    ("config", "path|show|check", "shows the effective settings and the source of each"),
];

/// Commands that the documentation of evercred names and this version does not have.
const LATER: [&str; 6] = ["adopt", "release", "prompt", "endpoint", "completions", "man"];

/// Commands that print one JSON document with `--json`.
const JSON: [&str; 7] = ["status", "plan", "profiles", "clock", "doctor", "explain", "service"];

const EXIT_CODES: &str = "\
exit codes: 0 done; 1 something needs attention; 2 wrong usage; 3 the daemon can't be reached; 4 no such profile;
5 sign-in needed
";

/// Parses the arguments behind the program's name.
pub(super) fn parse(arguments: impl Iterator<Item = OsString>) -> Result<Invocation, Failure> {
    let (arguments, of_command) = before_command(arguments.collect());
    let mut parser = lexopt::Parser::from_args(arguments);
    let name = match parser.next().map_err(|error| usage(&error))? {
        None => return Err(Failure::new(USAGE, "a command is needed").see("evercred --help")),
        Some(Short('h') | Long("help")) => return Ok(Invocation::Help(overview())),
        Some(Short('V') | Long("version")) => return Ok(Invocation::Version),
        Some(Value(name)) if name == "help" => return Ok(Invocation::Help(overview())),
        Some(Value(name)) => name.to_string_lossy().into_owned(),
        Some(other) => return Err(usage(&other.unexpected())),
    };
    let Some((name, form, help)) = COMMANDS.iter().find(|(command, ..)| *command == name) else {
        if LATER.contains(&name.as_str()) {
            return Err(Failure::new(USAGE, format!("the command \"{name}\" is not in this version yet")));
        }
        let hint = did_you_mean(&name, COMMANDS.iter().map(|(command, ..)| *command));
        return Err(Failure::new(USAGE, format!("there is no command \"{name}\"{hint}")).see("evercred --help"));
    };
    let mut given = Given::default();
    while let Some(argument) = parser.next().map_err(|error| usage(&error))? {
        match argument {
            Short('h') | Long("help") => {
                return Ok(Invocation::Help(format!("usage: evercred {name} {form}\n\n{help}\n\n{EXIT_CODES}")));
            }
            Long("json") if JSON.contains(name) => given.json = true,
            Long("offline") if ["doctor", "explain"].contains(name) => given.offline = true,
            Long("verbose") if ["doctor", "explain"].contains(name) => given.verbose = true,
            Long("run-process") if *name == "doctor" => given.run_process = true,
            Long("profile") if *name == "explain" => {
                let text = parser.value().map_err(|error| usage(&error))?;
                given.profile = Some(text.into_string().map_err(|_| Failure::new(USAGE, "a name is not UTF-8 text"))?);
            }
            Long("fix" | "yes") if *name == "doctor" => {
                let message = "\"doctor --fix\" is not in this version yet: doctor shows each fix, and changes nothing";
                return Err(Failure::new(USAGE, message).see("evercred doctor"));
            }
            Long("watch") if *name == "status" => given.watch = true,
            Long("no-browser" | "use-device-code") if *name == "login" => given.no_browser = true,
            Long("sso") if *name == "profiles" => {
                let text = parser.value().map_err(|error| usage(&error))?;
                given.sso = Some(text.into_string().map_err(|_| Failure::new(USAGE, "a name is not UTF-8 text"))?);
            }
            Long("force") if matches!(*name, "service" | "login") => given.force = true,
            Long("purge") if *name == "service" => given.purge = true,
            Long("systemd") if *name == "service" => given.kind = Some(Kind::Systemd),
            Long("launchd") if *name == "service" => given.kind = Some(Kind::Launchd),
            Long("environment") if *name == "service" => {
                let text = parser.value().map_err(|error| usage(&error))?;
                let name = text.into_string().map_err(|_| Failure::new(USAGE, "a name is not UTF-8 text"))?;
                given.variables.push(name);
            }
            Long("all") if *name == "renew" => given.all = true,
            Long("static") if ["exec", "env"].contains(name) => given.static_keys = true,
            Long("shell") if *name == "env" => {
                let text = parser.value().map_err(|error| usage(&error))?;
                given.shell =
                    Some(text.to_string_lossy().parse().map_err(|message: String| Failure::new(USAGE, message))?);
            }
            Value(value) if *name == "exec" && !given.values.is_empty() => {
                given.command.push(value);
                given.command.extend(parser.raw_args().map_err(|error| usage(&error))?);
            }
            Value(value) => {
                let text = value.into_string().map_err(|_| Failure::new(USAGE, "a name is not UTF-8 text"))?;
                given.values.push(text);
            }
            other => return Err(usage(&other.unexpected())),
        }
    }
    given.command.extend(of_command);
    given.command(name, form).map(Invocation::Run)
}

/// The arguments of evercred, and those behind the `--` of `exec`. A `--` behind a profile and a command is the command's own.
fn before_command(mut arguments: Vec<OsString>) -> (Vec<OsString>, Vec<OsString>) {
    let is_exec = arguments.first().is_some_and(|name| name == "exec");
    let Some(at) = arguments.iter().position(|argument| argument == "--").filter(|_| is_exec) else {
        return (arguments, Vec::new());
    };
    let is_name = |argument: &&OsString| !argument.as_encoded_bytes().starts_with(b"-");
    if arguments[1..at].iter().filter(is_name).count() > 1 {
        return (arguments, Vec::new());
    }
    let command = arguments.split_off(at + 1);
    arguments.pop();
    (arguments, command)
}

#[derive(Default)]
struct Given {
    values: Vec<String>,
    command: Vec<OsString>,
    json: bool,
    watch: bool,
    all: bool,
    no_browser: bool,
    offline: bool,
    verbose: bool,
    run_process: bool,
    profile: Option<String>,
    sso: Option<String>,
    static_keys: bool,
    force: bool,
    purge: bool,
    variables: Vec<String>,
    kind: Option<Kind>,
    shell: Option<Shell>,
}

impl Given {
    fn command(self, name: &str, form: &str) -> Result<Command, Failure> {
        let wrong = || {
            let message = format!("wrong arguments for \"{name}\"; usage: evercred {name} {form}");
            Failure::new(USAGE, message).see(format!("evercred {name} --help"))
        };
        let one =
            |mut values: Vec<String>| if values.len() == 1 { values.pop().ok_or_else(wrong) } else { Err(wrong()) };
        let at_most_one = |values: Vec<String>| if values.is_empty() { Ok(None) } else { one(values).map(Some) };
        let needs_static = || {
            let message = format!("this version of evercred can do \"{name}\" with --static only");
            Err(Failure::new(USAGE, message).see(format!("evercred {name} --help")))
        };
        match name {
            "credential-process" => Ok(Command::CredentialProcess { profile: at_most_one(self.values)? }),
            "status" => Ok(Command::Status { profiles: self.values, json: self.json, watch: self.watch }),
            "renew" if self.all && !self.values.is_empty() => Err(wrong()),
            "renew" => Ok(Command::Renew { profiles: self.values, all: self.all }),
            "login" => {
                let Self { values, no_browser, force, .. } = self;
                Ok(Command::Login { name: at_most_one(values)?, no_browser, force })
            }
            "logout" => Ok(Command::Logout { name: at_most_one(self.values)? }),
            "env" if !self.static_keys => needs_static(),
            "exec" if !self.static_keys => needs_static(),
            "env" => Ok(Command::Env { profile: at_most_one(self.values)?, shell: self.shell.unwrap_or_default() }),
            "exec" if self.command.is_empty() => Err(wrong()),
            "exec" => Ok(Command::Exec { profile: at_most_one(self.values)?, command: self.command }),
            "plan" => Ok(Command::Plan { profile: at_most_one(self.values)?, json: self.json }),
            "profiles" if !self.values.is_empty() => Err(wrong()),
            "profiles" => Ok(Command::Profiles { sso: self.sso, json: self.json }),
            "doctor" => {
                let Self { json, offline, verbose, run_process, .. } = self;
                let profile = at_most_one(self.values)?;
                Ok(Command::Doctor(DoctorCommand { profile, json, offline, verbose, run_process }))
            }
            "explain" => Ok(Command::Explain {
                text: at_most_one(self.values)?,
                profile: self.profile,
                all_causes: self.verbose,
                json: self.json,
                offline: self.offline,
            }),
            "clock" if !self.values.is_empty() => Err(wrong()),
            "clock" => Ok(Command::Clock { json: self.json }),
            "service" => {
                let (json, force, purge, variables, kind) =
                    (self.json, self.force, self.purge, self.variables, self.kind);
                match (one(self.values)?.as_str(), json, force || !variables.is_empty(), purge, kind) {
                    ("install", false, _, false, None) => {
                        Ok(Command::Service(ServiceCommand::Install { force, variables }))
                    }
                    ("uninstall", false, false, _, None) => Ok(Command::Service(ServiceCommand::Uninstall { purge })),
                    ("status", _, false, false, None) => Ok(Command::Service(ServiceCommand::Status { json })),
                    ("print", false, false, false, kind) => Ok(Command::Service(ServiceCommand::Print { kind })),
                    _ => Err(wrong()),
                }
            }
            "config" => match one(self.values)?.as_str() {
                "path" => Ok(Command::Config(ConfigCommand::Path)),
                "show" => Ok(Command::Config(ConfigCommand::Show)),
                "check" => Ok(Command::Config(ConfigCommand::Check)),
                _ => Err(wrong()),
            },
            _ => Err(wrong()),
        }
    }
}

fn usage(error: &lexopt::Error) -> Failure {
    Failure::new(USAGE, error.to_string()).see("evercred --help")
}

fn overview() -> String {
    let mut text = "evercred gets AWS credentials from the evercred daemon, and shows their state.\n\n".to_owned();
    for (name, form, help) in COMMANDS {
        text.push_str(&format!("  evercred {name} {form}\n      {help}\n"));
    }
    text + "\n  -h, --help      this, or the help of one command\n  -V, --version   the version\n\n" + EXIT_CODES
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Result<Invocation, Failure> {
        parse(line.split_whitespace().map(OsString::from))
    }

    #[test]
    fn what_follows_the_command_of_exec_is_the_commands_own() {
        for (line, profile, command) in [
            ("exec dev --static -- aws --static -h", Some("dev"), &["aws", "--static", "-h"][..]),
            ("exec --static -- dev -- x", None, &["dev", "--", "x"]),
            ("exec --static dev aws -- x", Some("dev"), &["aws", "--", "x"]),
        ] {
            let command = command.iter().map(OsString::from).collect();
            let wanted = Command::Exec { profile: profile.map(str::to_owned), command };
            assert_eq!(parsed(line), Ok(Invocation::Run(wanted)), "{line}");
        }
    }

    #[test]
    fn the_clock_is_shown_to_people_or_programs() {
        for (line, json) in [("clock", false), ("clock --json", true)] {
            assert_eq!(parsed(line), Ok(Invocation::Run(Command::Clock { json })));
        }
    }

    #[test]
    fn wrong_usage_ends_with_2_and_names_what_was_meant() {
        for (line, part) in [
            ("", "a command is needed"),
            ("staus", "did you mean \"status\"?"),
            ("adopt x", "not in this version yet"),
            ("doctor --fix", "not in this version yet"),
            ("status --jsn", "--jsn"),
            ("credential-process a b", "wrong arguments"),
            ("exec dev -- true", "--static"),
            ("env dev --static --shell tcsh", "tcsh"),
            ("renew dev --all", "wrong arguments"),
            ("config edit", "wrong arguments"),
            ("clock now", "wrong arguments"),
            ("clock --watch", "--watch"),
        ] {
            let failure = parsed(line).unwrap_err();
            assert!(failure.exit == USAGE && failure.message.contains(part), "{line}: {failure:?}");
        }
    }

    #[test]
    fn every_command_has_its_help() {
        for (name, ..) in COMMANDS {
            assert!(matches!(parsed(&format!("{name} --help")), Ok(Invocation::Help(text)) if text.contains(name)));
        }
    }
}
