//! What goes into the keeper and what comes out of it: values, one sentence each.

use std::collections::{BTreeMap, BTreeSet};

use chrono::TimeDelta;
use serde::{Deserialize, Serialize};

use super::login::Login;
use super::session_api::{
    Account, Flow, Prompt, RefreshOrder, RolesOrder, SessionEnd, SessionMemory, SignInOrder, SignOutEnd, SignOutOrder,
};
pub use super::status_api::{ErrorStatus, MfaStatus, ProfileStatus, RenewalStatus, State, Warning};
use super::time::NtpOrder;
use crate::core::aws_error::{ErrorClass, Fault};
use crate::core::clock::Sample;
use crate::core::credential::Credentials;
use crate::core::ntp::{NtpAnswer, NtpProblem};
use crate::core::plan::{Endpoint, MissingSections, NodeKey, Plan, PlanError, Step};
use crate::core::secret::Secret;
use crate::core::session::{CacheFile, CacheProblem, Found, SsoSession};
use crate::core::settings::NtpServer;
use crate::core::time::AwsTime;

/// Names one caller (a connection on the socket) for as long as it waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct CallerId(pub u64);

/// Names one call that the keeper ordered; its outcome comes back under the same ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// Something that happened outside.
#[derive(Debug)]
pub enum Event {
    /// The files were read. Replaces everything that they said before.
    Plans {
        /// The plan, or why there is none, of every profile.
        profiles: BTreeMap<String, Result<Plan, PlanError>>,
        /// The `sso-session` sections, whether a profile names them or not.
        sso_sessions: BTreeMap<String, SsoSession>,
    },
    /// Why a profile without a plan may still be in the files.
    MissingSections(MissingSections),
    /// The settings were read.
    Settings(KeeperSettings),
    /// Somebody asks for a profile's credentials and waits for the answer.
    Asked {
        /// Who waits.
        caller: CallerId,
        /// The profile.
        profile: String,
        /// What is wanted.
        wants: Wants,
    },
    /// Somebody typed a code of the MFA device behind a profile, and waits for what AWS says.
    Code {
        /// Who waits.
        caller: CallerId,
        /// The profile.
        profile: String,
        /// The code.
        code: Secret,
    },
    /// What a person typed a code or signed in for is to be forgotten; somebody waits for it.
    Logout {
        /// Who waits.
        caller: CallerId,
        /// What.
        login: Login,
    },
    /// Somebody wants to sign in to the session behind a key, and waits for what to do.
    SignIn {
        /// Who waits.
        caller: CallerId,
        /// The session's node.
        session: NodeKey,
        /// How.
        flow: Flow,
    },
    /// A sign-in that was ordered by [`Action::BeginSignIn`] has come so far that a person is needed.
    SignInBegun {
        /// The order's ticket.
        ticket: Ticket,
        /// What the person must do.
        prompt: Prompt,
    },
    /// Somebody waits for the end of a sign-in.
    AwaitSignIn {
        /// Who waits.
        caller: CallerId,
        /// Which, as the answer to [`Event::SignIn`] named it.
        sign_in: Ticket,
    },
    /// Somebody wants to know which roles the person has who is signed in to a session.
    ListRoles {
        /// Who waits.
        caller: CallerId,
        /// The `sso-session`.
        session: String,
    },
    /// A session's cache file was read, as it is now.
    SessionFile {
        /// Which.
        file: CacheFile,
        /// What is there.
        found: Found,
    },
    /// The result of checking whether a session's cache file can be replaced.
    CacheChecked {
        /// Which.
        file: CacheFile,
        /// Why not.
        problem: Option<Box<CacheProblem>>,
    },
    /// A caller went away without waiting for its answer.
    CallerGone(CallerId),
    /// A call that was ordered by [`Action::Mint`] or [`Action::Probe`] has ended.
    Ended {
        /// The order's ticket.
        ticket: Ticket,
        /// How it went.
        outcome: Outcome,
        /// What the answers on the way said about the time, oldest first.
        samples: Vec<Sample>,
    },
    /// A web identity token file was written; its path as the plans have it.
    TokenFileChanged(String),
    /// An NTP server answered the question of [`Action::AskNtp`], or did not.
    NtpAnswered {
        /// Who was asked.
        server: NtpServer,
        /// What it said.
        result: Result<NtpAnswer, NtpProblem>,
    },
    /// Where AWS may be asked for the time when nothing else says where: from now on the clock is watched even if no
    /// profile is in use.
    Home(Endpoint),
    /// Something happened after which the estimate of AWS's time, and the last failures, may no longer hold.
    Disturbed(Disturbance),
}

/// What a caller wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wants {
    /// Valid credentials, from memory if there are any.
    Credentials,
    /// New credentials, now: the answer comes when the renewal has ended.
    Renewal,
}

/// Why the keeper should look again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Disturbance {
    /// The machine was suspended and is awake again.
    Resume,
    /// A network came or went.
    Network,
    /// The wall clock was set.
    WallClockSet,
}

/// How a call ended.
#[derive(Debug)]
pub enum Outcome {
    /// New credentials.
    Minted(Credentials),
    /// New credentials for a web identity token.
    Federated {
        /// The credentials.
        credentials: Credentials,
        /// When the token itself expires, where it says so.
        token_expires_at: Option<AwsTime>,
    },
    /// GetCallerIdentity answered for a static key: the account behind it.
    Identified {
        /// Twelve digits.
        account_id: String,
        /// The caller's ARN.
        arn: String,
    },
    /// A program printed the code of an MFA device.
    Code(Secret),
    /// A session was refreshed, or somebody has signed in.
    Session(SessionEnd),
    /// The accounts and roles of who is signed in.
    Roles(Vec<Account>),
    /// A session's token was removed, and AWS has ended the session, or not.
    SignedOut(SignOutEnd),
    /// A probe got its answer; what counts is in the samples.
    Probed,
    /// The call failed.
    Failed(Fault),
}

/// Something that has to be done outside. The driver carries actions out in order and decides nothing.
#[derive(Debug)]
#[must_use]
pub enum Action {
    /// Make one call for one step of a plan.
    Mint(Box<MintOrder>),
    /// Run a program that prints the code of an MFA device.
    RunCodeProgram(CodeOrder),
    /// Read a session's cache file, and say what is in it: [`Event::SessionFile`].
    LookAtSession(CacheFile),
    /// Refresh a session's token, in its cache file.
    Refresh(Box<RefreshOrder>),
    /// Begin to sign a person in: first [`Event::SignInBegun`], then the end under the same ticket.
    BeginSignIn(Box<SignInOrder>),
    /// Nobody waits for a sign-in any more.
    CancelSignIn(Ticket),
    /// End a session at AWS, if that can be done, and remove its cache file.
    SignOut(Box<SignOutOrder>),
    /// List the accounts and roles of who is signed in.
    ListRoles(Box<RolesOrder>),
    /// Tell the person something that can't wait until the next look at the status.
    Notice(Notice),
    /// Make one unauthenticated request to an endpoint, to learn the time from its answer.
    Probe(ProbeOrder),
    /// Ask an NTP server for the time.
    AskNtp(NtpOrder),
    /// Give a caller its answer.
    Answer {
        /// Who waits.
        caller: CallerId,
        /// What to say.
        answer: Answer,
    },
    /// Write what must survive a restart: [`crate::core::keeper::Keeper::memory`] has changed.
    Remember,
    /// Make the plans again: the output of a program changes them, see
    /// [`crate::core::plan::PlanContext::temporary_processes`].
    Replan,
    /// Write the minted sets: [`crate::core::keeper::Keeper::minted`] has changed.
    KeepMinted,
    /// Write the tokens that are in no cache file: [`crate::core::keeper::Keeper::unsaved`] has changed.
    KeepUnsaved,
    /// One event for the log: a decision with its inputs.
    Log(LogLine),
}

/// One call for one step.
#[derive(Debug)]
pub struct MintOrder {
    /// Comes back with the outcome.
    pub ticket: Ticket,
    /// What to do. For a static step: GetCallerIdentity with its keys.
    pub step: Step,
    /// Where the call goes.
    pub endpoint: Endpoint,
    /// The credentials that sign the call; `None` for a step that needs none.
    pub base: Option<Credentials>,
    /// The code of the MFA device that the step names.
    pub mfa_code: Option<Secret>,
    /// The token that asks for a role of IAM Identity Center.
    pub token: Option<Secret>,
    /// AWS's time minus the boot-time clock, the best estimate: add it to the boot-time clock to sign.
    pub aws_minus_boot: TimeDelta,
}

/// Something that a person should be told now, once. The id and the subject together are one cause.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    /// What kind of thing it is about.
    pub id: &'static str,
    /// Whose: a session's name, a device, a profile; empty for what there is one of. Never shown, never a secret.
    pub subject: String,
    /// How often it has got worse since it began.
    pub worse: u32,
    /// Whether it is over: something to know, nothing to do.
    pub is_over: bool,
    /// A sentence.
    pub message: String,
    /// The command to run.
    pub fix: Option<String>,
}

/// One run of a program that prints a code.
#[derive(Debug)]
pub struct CodeOrder {
    /// Comes back with the outcome.
    pub ticket: Ticket,
    /// The profile, for messages.
    pub profile: String,
    /// The command line.
    pub command: String,
}

/// One look at an endpoint's time.
#[derive(Debug)]
pub struct ProbeOrder {
    /// Comes back with the outcome.
    pub ticket: Ticket,
    /// Whose time.
    pub endpoint: Endpoint,
}

/// What a caller is told.
#[derive(Debug)]
pub enum Answer {
    /// Credentials that are not known to be expired.
    Credentials(Credentials),
    /// None, and why.
    Refused(Refusal),
    /// What the person must do, and under which ticket the end is waited for.
    SignIn {
        /// The sign-in.
        sign_in: Ticket,
        /// The session's name.
        session: String,
        /// What to do.
        prompt: Prompt,
    },
    /// The person has not done it yet.
    NotYet {
        /// What may keep the sign-in from ending.
        warning: Option<String>,
    },
    /// The person is signed in.
    SignedIn {
        /// The session's name.
        session: String,
        /// When its end is expected, where that is known.
        ends_at: Option<AwsTime>,
        /// How many profiles stand behind it.
        profiles: usize,
        /// Why the token could not be written into its cache file: then the AWS tools don't find it.
        unsaved: Option<String>,
        /// The command after which it can be written.
        fix: Option<String>,
    },
    /// It is forgotten.
    SignedOut {
        /// The session's name, or the profile.
        name: String,
        /// The result at AWS.
        end: SignOutEnd,
    },
    /// The accounts and roles that were asked for, and the session that they are of.
    Roles {
        /// The session.
        session: Box<SsoSession>,
        /// The accounts.
        accounts: Vec<Account>,
    },
}

/// Why a caller gets nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal it is: decides the companion's exit code.
    pub kind: RefusalKind,
    /// The error code of the failed call: AWS's, or one of evercred's. `None` if no call failed.
    pub code: Option<String>,
    /// A sentence: what failed, for which profile, why.
    pub message: String,
    /// A command, or an edit with file and line.
    pub fix: Option<String>,
    /// The command that says more, if there is no fix.
    pub see: Option<String>,
}

impl Refusal {
    /// A refusal without a failed call.
    pub(super) fn new(kind: RefusalKind, message: impl Into<String>, fix: Option<String>) -> Self {
        Self { kind, code: None, message: message.into(), fix, see: None }
    }

    /// The same with a command that says more.
    #[must_use]
    pub(super) fn see(self, command: impl Into<String>) -> Self {
        Self { see: Some(command.into()), ..self }
    }

    /// The refusal of a caller whose call failed.
    pub(super) fn of_fault(fault: Fault) -> Self {
        let (message, fix) = (fault.with_advice(), fault.fix().map(str::to_owned));
        Self { code: Some(fault.code), ..Self::new(kind_of(fault.class), message, fix) }
    }

    /// The refusal of a caller whose profile has an error.
    pub(super) fn of_error(error: ErrorStatus) -> Self {
        Self { code: Some(error.code), ..Self::new(kind_of(error.class), error.message, error.fix) }
    }
}

fn kind_of(class: ErrorClass) -> RefusalKind {
    if class == ErrorClass::NeedsLogin { RefusalKind::NeedsLogin } else { RefusalKind::Failed }
}

/// The kinds of refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RefusalKind {
    /// There is no such profile.
    MissingProfile,
    /// A file, or a line of it, can't be read; the requested profile may be in it.
    UnreadableFile,
    /// A person must log in.
    NeedsLogin,
    /// Everything else.
    Failed,
}

/// One line for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLine {
    /// How loud.
    pub level: LogLevel,
    /// The profile it is about, where it is about one.
    pub profile: Option<String>,
    /// A sentence; never a secret.
    pub message: String,
}

/// How loud a log line is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LogLevel {
    /// Something a person should act on.
    Warn,
    /// Something a person may want to see.
    Info,
    /// A decision with its inputs.
    Debug,
}

/// The settings that the keeper decides by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeeperSettings {
    /// Which profiles are renewed automatically.
    pub auto_renew: AutoRenew,
    /// How long a profile is auto-renewed after its last request, with [`AutoRenew::Used`].
    pub used_within: TimeDelta,
    /// Renew when less than this is left.
    pub before: TimeDelta,
    /// Renew earlier by up to this.
    pub jitter: TimeDelta,
    /// Ask AWS for the time where it is in doubt.
    pub probe: bool,
    /// Whom to ask for the time by NTP.
    pub ntp: Vec<NtpServer>,
    /// How far this machine's clock may be off before its readers are told other times than AWS's.
    pub warn: TimeDelta,
    /// Keep the tokens in the SSO cache fresh, for whoever else uses them.
    pub sso_cache: bool,
    /// The same for the cache of `aws login`.
    pub login_cache: bool,
}

/// Which profiles are renewed automatically: `[renew] profiles`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AutoRenew {
    /// Profiles that a program requested within `used_within`.
    Used,
    /// All.
    All,
    /// Those whose name matches one of these names or globs (`*`, `?`).
    Matching(Vec<String>),
}

/// What the keeper remembers over restarts: when each profile was last asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// AWS's time (best estimate) of the last request, by profile.
    pub last_asked: BTreeMap<String, AwsTime>,
    /// What earlier sign-ins have taught, by the session's name.
    #[serde(default)]
    pub sessions: BTreeMap<String, SessionMemory>,
    /// The `credential_process` steps whose last run printed temporary credentials.
    #[serde(default)]
    pub temporary_processes: BTreeSet<NodeKey>,
}

/// A minted set as it survives a restart. Not `Serialize`: the state file's writer exposes the secrets on purpose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MintedSet {
    /// Which credential it is.
    pub key: NodeKey,
    /// The set.
    pub credentials: Credentials,
    /// AWS's time (best estimate) at which it was minted.
    pub minted_at: AwsTime,
}
