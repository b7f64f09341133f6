//! The evidence from this machine: the user's variables, the files, the daemon's status.

use std::collections::BTreeMap;
use std::fmt;

use chrono::TimeDelta;
use zeroize::Zeroizing;

use super::Cause;
use crate::core::aws_error::ErrorClass;
use crate::core::keeper::State;
use crate::core::location::AwsPaths;
use crate::core::plan::PlanContext;
use crate::core::profile::{Problem, Profiles};
use crate::core::session::CacheProblem;
use crate::core::time::{AwsTime, WallTime, span_of};

/// The collected evidence. Missing evidence is empty, and reported where it matters. No `Debug`: it has the texts of files
/// with secrets in them.
#[derive(Clone)]
pub struct Evidence {
    /// The profile that the user named.
    pub named: Option<String>,
    /// The region that an error message names. The doctor calls AWS in this region, too.
    pub region_named: Option<String>,
    /// The variables of the user's shell.
    pub variables: Variables,
    /// The paths of the AWS files; `None` without a home directory.
    pub paths: Option<AwsPaths>,
    /// The profiles of the AWS files, as other programs read them.
    pub profiles: Profiles,
    /// The same with the profiles of `evercred.toml`, as the daemon reads them.
    pub profiles_of_daemon: Profiles,
    /// The problems of the files.
    pub problems: Vec<Problem>,
    /// The text of the config file, for what the merged profiles don't show.
    pub config_text: Option<Zeroizing<String>>,
    /// The text of the credentials file.
    pub credentials_text: Option<Zeroizing<String>>,
    /// The state of the relevant files.
    pub files: Vec<FileFacts>,
    /// The files with web identity tokens that variables and profiles name.
    pub token_files: Vec<TokenFile>,
    /// The cache files of sign-in sessions that can't be replaced, by the session's name.
    pub caches: BTreeMap<String, CacheProblem>,
    /// When the tokens of SSO sessions expire as their cache files say it, by the session's name.
    pub token_expiries: BTreeMap<String, WrittenExpiry>,
    /// The first words of `credential_process` lines, and where that program is; `None` where there is no such program.
    pub programs: BTreeMap<String, Option<String>>,
    /// The inputs of plans from outside the files.
    pub context: PlanContext,
    /// The daemon's answer.
    pub daemon: Daemon,
    /// Why a daemon that is started here refuses evercred's own settings: each mistake with its place.
    pub settings_refused: Vec<String>,
    /// Variables that send the shell and the daemon another way to AWS, as a sentence.
    pub drift: Option<String>,
    /// The path of this program, for lines that name it.
    pub evercred: String,
    /// Keys in the `.terraform` directory of the current directory.
    pub terraform: Option<TerraformBackend>,
    /// Whether there is an AWS CLI.
    pub has_aws_cli: bool,
    /// Whether this system has a service manager: launchd or systemd.
    pub has_service_manager: bool,
    /// The user id of this process.
    pub uid: u32,
    /// This machine's wall clock when the evidence was collected.
    pub wall: WallTime,
    /// AWS's time minus the wall clock, and how far that may be off, in seconds, where the daemon knows it.
    pub aws_minus_wall: Option<(f64, f64)>,
    /// Evidence that could not be collected: the cause that stays unchecked, and why, as the end of a sentence.
    pub not_read: Vec<(Cause, String)>,
    /// Doctor sends no request.
    pub offline: bool,
    /// The user allows the profile's `credential_process` to run.
    pub run_process: bool,
    /// The unusable certificate files that AWS_CA_BUNDLE and profiles (`ca_bundle`) name, and the reason as the end of a sentence
    /// that begins with the file.
    pub unusable_ca_bundles: BTreeMap<String, String>,
}

/// Variables of a shell; `Debug` shows names only, as values may be secrets.
#[derive(Clone, Default)]
pub struct Variables(BTreeMap<String, Zeroizing<String>>);

impl Variables {
    /// The value of a variable; as in the SDKs an empty one is none.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| value.as_str()).filter(|value| !value.is_empty())
    }

    /// The first of several that is set, with its name.
    pub fn first<'a>(&self, names: &[&'a str]) -> Option<(&'a str, &str)> {
        names.iter().find_map(|name| Some((*name, self.get(name)?)))
    }

    /// Those of several that are set.
    pub fn set_of<'n>(&self, names: &[&'n str]) -> Vec<&'n str> {
        names.iter().copied().filter(|name| self.get(name).is_some()).collect()
    }

    /// Whether the user's shell is fish, which has its own syntax for variables.
    pub fn uses_fish(&self) -> bool {
        self.get("SHELL").is_some_and(|shell| shell.ends_with("/fish"))
    }

    /// All variables that are set, by name.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }
}

impl FromIterator<(String, String)> for Variables {
    fn from_iter<T: IntoIterator<Item = (String, String)>>(variables: T) -> Self {
        Self(variables.into_iter().map(|(name, value)| (name, Zeroizing::new(value))).collect())
    }
}

impl fmt::Debug for Variables {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

/// The state of a path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FileFacts {
    /// Its purpose.
    pub role: FileRole,
    /// The path.
    pub path: String,
    /// Its state.
    pub state: FileState,
    /// The broken symbolic link because of which there is no file.
    pub dangling: Option<DanglingLink>,
}

/// A symbolic link to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DanglingLink {
    /// The path of the link: the file, or a directory in its path.
    pub link: String,
    /// The path that does not exist.
    pub target: String,
}

/// The expiry of a token as the program that wrote it has written it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WrittenExpiry {
    /// The cache file.
    pub path: String,
    /// `expiresAt`.
    pub text: String,
}

/// A file with a web identity token.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TokenFile {
    /// As the variable or the setting names it.
    pub path: String,
    /// Its state.
    pub state: TokenState,
}

/// The state of a token file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TokenState {
    /// There is no token; why, as the end of a sentence that begins with the file.
    Unusable(String),
    /// A token.
    There {
        /// Its expiry, if it is a JWT with one.
        ends: Option<AwsTime>,
    },
}

/// The purpose of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FileRole {
    /// The config file that programs read here.
    Config,
    /// The credentials file that programs read here.
    Credentials,
    /// `~/.aws/config`, where a variable names another one.
    UsualConfig,
    /// `~/.aws/credentials`, where a variable names another one.
    UsualCredentials,
    /// A file of the Windows that runs this Linux (WSL).
    Windows,
    /// A directory that holds the config or the credentials file, also behind a symbolic link.
    Directory,
    /// A parent of one of those directories.
    Ancestor,
    /// A directory in which the AWS tools cache tokens or credentials.
    CacheDirectory,
    /// A parent of one of those directories.
    CacheAncestor,
    /// A file in one of the cache directories.
    CacheFile,
}

impl FileRole {
    /// Whether it is a directory that is a parent of the AWS files or the caches.
    pub(super) fn is_directory(self) -> bool {
        matches!(self, Self::Directory | Self::Ancestor) || self.is_directory_of_caches()
    }

    /// Whether it is only a parent of the caches.
    pub(super) fn is_directory_of_caches(self) -> bool {
        matches!(self, Self::CacheDirectory | Self::CacheAncestor)
    }

    /// The name for users.
    pub fn label(self) -> &'static str {
        match self {
            Self::Config => "the AWS config file",
            Self::Credentials => "the AWS credentials file",
            Self::UsualConfig => "the usual AWS config file",
            Self::UsualCredentials => "the usual AWS credentials file",
            Self::Windows => "a Windows AWS file",
            Self::Directory => "the directory of the AWS files",
            Self::Ancestor => "a directory above the AWS files",
            Self::CacheDirectory => "a cache directory of the AWS tools",
            Self::CacheAncestor => "a directory above the caches of the AWS tools",
            Self::CacheFile => "a cache file of the AWS tools",
        }
    }
}

/// The state of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum FileState {
    /// Nothing.
    Missing,
    /// This user can't read it; why, as the end of a sentence. Owner and mode if known.
    Unreadable {
        /// Why.
        why: String,
        /// The command that makes it readable.
        fix: Option<String>,
        /// The owner's user id and the permission bits.
        owner_and_mode: Option<(u32, u32)>,
    },
    /// A directory: for the SDKs there is no file then.
    Directory {
        /// The command that makes room for the file.
        fix: Option<String>,
    },
    /// A file.
    Present {
        /// The owner's user id.
        uid: u32,
        /// The permission bits.
        mode: u32,
        /// Who has the group's permissions.
        group: Group,
    },
}

/// Who has the group's permissions of a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Group {
    /// Its owner and root alone: the group of a user's own.
    Private,
    /// Others too; the group's name.
    Shared(String),
    /// An access control list names users and groups of its own.
    AccessList,
    /// The user database does not know the group with this number.
    Unknown(u32),
}

impl FileState {
    /// The permission bits of those who are neither the owner nor root, by who has them.
    pub(super) fn of_others(&self) -> Option<u32> {
        let Self::Present { mode, group, .. } = self else { return None };
        let others = *mode & 0o7;
        Some(if *group == Group::Private { others } else { others | (*mode >> 3 & 0o7) })
    }
}

/// The daemon's answer.
#[derive(Clone, Debug)]
pub enum Daemon {
    /// It can't be reached, or refuses to answer; why, as a sentence.
    Silent {
        /// Why.
        why: String,
        /// Whether it runs and reads other AWS files.
        other_files: bool,
    },
    /// It answers.
    Answers(Box<DaemonFacts>),
}

/// The daemon's status.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct DaemonFacts {
    /// The profiles.
    pub profiles: Vec<DaemonProfile>,
    /// The sign-in sessions.
    pub sessions: Vec<DaemonSession>,
}

/// A profile as the daemon has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonProfile {
    /// Its name.
    pub name: String,
    /// The kind, in the names of `status`.
    pub kind: String,
    /// Its state in the daemon.
    pub state: State,
    /// Whether the cached credentials are valid.
    pub valid: Option<bool>,
    /// When AWS gave the cached credentials, if the daemon has fetched them since its start.
    pub renewed_at: Option<AwsTime>,
    /// When the cached credentials expire.
    pub expires_at: Option<AwsTime>,
    /// The last error, until a success.
    pub last_error: Option<LastError>,
}

/// A sign-in session as the daemon has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DaemonSession {
    /// Its name.
    pub name: String,
    /// The argument of `evercred login` for it: the name of the section or of a profile.
    pub login_name: String,
    /// Its state in the daemon.
    pub state: State,
    /// The problem.
    pub last_error: Option<LastError>,
}

/// An error that the daemon met.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LastError {
    /// The name of the operation that failed; `None` if nothing was called.
    pub operation: Option<String>,
    /// The words of AWS or of the program that failed; `None` if nothing was called.
    pub detail: Option<String>,
    /// AWS's code, or ours.
    pub code: String,
    /// The effect on the next attempt.
    pub class: ErrorClass,
    /// A sentence.
    pub message: String,
    /// The fix.
    pub fix: Option<String>,
}

/// Terraform's record of its backend (`.terraform/terraform.tfstate`), without secrets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TerraformBackend {
    /// The file.
    pub path: String,
    /// The backend's type: `s3`.
    pub kind: String,
    /// Which of `access_key`, `secret_key`, `token` and `profile` are set.
    pub settings: Vec<String>,
}

impl TerraformBackend {
    /// Reads Terraform's record of its backend; `None` if there is none.
    pub fn read(path: &str, text: &[u8]) -> Option<Self> {
        let document: serde_json::Value = serde_json::from_slice(text).ok()?;
        let backend = document.get("backend")?;
        let config = backend.get("config")?.as_object()?;
        let set = |name: &str| config.get(name).and_then(|value| value.as_str()).filter(|text| !text.is_empty());
        let names = ["access_key", "secret_key", "token", "profile"];
        Some(Self {
            path: path.to_owned(),
            kind: backend.get("type").and_then(|kind| kind.as_str()).unwrap_or_default().to_owned(),
            settings: names.into_iter().filter(|name| set(name).is_some()).map(str::to_owned).collect(),
        })
    }
}

impl Evidence {
    /// AWS's time by the best knowledge, and how far it may be off.
    pub(super) fn aws_time(&self, clock: Option<(f64, f64)>) -> (AwsTime, TimeDelta) {
        // Without anything to go by, the wall clock is right within a day, or it would have been noticed.
        const GUESS: f64 = 86_400.0;
        let (offset, uncertainty) = clock.or(self.aws_minus_wall).unwrap_or((0.0, GUESS));
        (AwsTime::from_millis((self.wall + span_of(offset)).as_millis()), span_of(uncertainty))
    }
}
