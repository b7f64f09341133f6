//! Requests from the control socket: what they ask of the keeper, and how its answers go back.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde_json::json;
use tokio::sync::oneshot;

use crate::core::credential::Credentials;
use crate::core::fix::word;
use crate::core::keeper::{Answer, CallerId, Flow, Ticket, Wants};
use crate::core::location::AwsPaths;
use crate::core::secret::Secret;
use crate::core::time::{AwsTime, WallTime};
use crate::wire::{self, ErrorKind, Request, WireError};

/// What a request asks for.
pub(super) enum Asked {
    /// Something that the keeper answers, now or later.
    Keeper(String, Wants),
    /// A code that somebody typed for a profile.
    Code(String, Secret),
    /// The required sign-in of a profile or a session; without a name of the only one.
    Login {
        /// The profile or session.
        name: Option<String>,
        /// How to sign in.
        flow: Flow,
        /// Even if the user is already signed in.
        force: bool,
    },
    /// Waits for the end of a sign-in; optionally with the pasted code.
    AwaitSignIn(Ticket, Option<Secret>),
    /// What was typed, or signed in for, is to be forgotten.
    Logout(Option<String>),
    /// The accounts and roles of who is signed in to a session.
    Roles(String),
    /// A page of the status document.
    Status,
    /// The clock document.
    Clock,
}

/// The callers that wait for the keeper.
#[derive(Default)]
pub(super) struct Callers {
    waiting: BTreeMap<CallerId, Waiting>,
    next: u64,
}

struct Waiting {
    reply: oneshot::Sender<wire::Answer>,
    profile: String,
    wants: Wants,
}

impl Callers {
    /// Notes a caller.
    pub(super) fn add(&mut self, profile: String, wants: Wants, reply: oneshot::Sender<wire::Answer>) -> CallerId {
        self.next += 1;
        let caller = CallerId(self.next);
        self.waiting.insert(caller, Waiting { reply, profile, wants });
        caller
    }

    /// Gives a caller its answer. `expiration` says an expiry as this machine's clock will show it.
    pub(super) fn answer(
        &mut self,
        caller: CallerId,
        answer: Answer,
        expiration: impl Fn(&Credentials) -> Option<String>,
    ) {
        let Some(waiting) = self.waiting.remove(&caller) else { return };
        let text = match (answer, waiting.wants) {
            (Answer::Refused(refusal), _) => wire::answer_error(&refusal.into()),
            (Answer::SignIn { sign_in, session, prompt }, _) => wire::answer_ok(&json!({
                "needs": "sign-in",
                "session": session,
                "sign_in": sign_in.0,
                "url": prompt.url,
                "user_code": prompt.user_code,
                "url_with_code": prompt.url_with_code,
                "pastes_code": prompt.pastes_code,
                "expires_in_seconds": prompt.expires_in.num_seconds(),
            })),
            (Answer::SignedOut { name, end }, _) => wire::answer_ok(&json!({
                "profile": name,
                "not_told": end.not_told,
                "not_removed": end.not_removed,
                "fix": end.fix,
                "works_until": end.works_until.map(WallTime::to_rfc3339),
            })),
            (Answer::NotYet { warning }, _) => wire::answer_ok(&json!({"pending": true, "warning": warning})),
            (Answer::SignedIn { session, ends_at, profiles, unsaved, fix }, _) => wire::answer_ok(&json!({
                "session": session,
                "ends_at": ends_at.map(AwsTime::to_rfc3339),
                "profiles": profiles,
                "unsaved": unsaved,
                "fix": fix,
            })),
            (Answer::Roles { session, accounts }, _) => {
                let accounts: Vec<_> = accounts
                    .iter()
                    .map(|account| json!({"id": account.id, "name": account.name, "roles": account.roles}))
                    .collect();
                wire::answer_ok(&json!({
                    "session": {"name": session.name, "start_url": session.start_url, "region": session.region},
                    "accounts": accounts,
                }))
            }
            (Answer::Credentials(credentials), Wants::Credentials) => {
                wire::answer_credentials(&credentials, expiration(&credentials).as_deref())
            }
            (Answer::Credentials(credentials), Wants::Renewal) => {
                let until = credentials.expires_at.map(|at| at.to_rfc3339());
                wire::answer_ok(&json!({"profile": waiting.profile, "expires_at": until}))
            }
        };
        // A caller that hung up meanwhile needs no answer.
        let _ = waiting.reply.send(text);
    }

    /// The callers that hung up.
    pub(super) fn gone(&mut self) -> Vec<CallerId> {
        let gone: Vec<CallerId> =
            self.waiting.iter().filter(|(_, waiting)| waiting.reply.is_closed()).map(|(caller, _)| *caller).collect();
        for caller in &gone {
            self.waiting.remove(caller);
        }
        gone
    }
}

/// What a request asks for.
///
/// # Errors
/// This version does not know it, or it lacks what it needs.
pub(super) fn understand(request: &Request) -> Result<Asked, WireError> {
    let profile = || {
        request.profile.clone().ok_or_else(|| {
            WireError::new(ErrorKind::Malformed, format!("the request \"{}\" names no profile", request.request))
        })
    };
    match request.request.as_str() {
        "credential-process" => Ok(Asked::Keeper(profile()?, Wants::Credentials)),
        "renew" => Ok(Asked::Keeper(profile()?, Wants::Renewal)),
        "login" => Ok(match &request.code {
            Some(code) => Asked::Code(profile()?, Secret::new(code.as_str())),
            None => Asked::Login {
                name: request.profile.clone(),
                flow: request.flow.unwrap_or(Flow::Browser),
                force: request.force,
            },
        }),
        "login-wait" => match request.sign_in {
            Some(sign_in) => {
                Ok(Asked::AwaitSignIn(Ticket(sign_in), request.code.as_ref().map(|code| Secret::new(code.as_str()))))
            }
            None => Err(WireError::new(ErrorKind::Malformed, "the request \"login-wait\" names no sign-in")),
        },
        "logout" => Ok(Asked::Logout(request.profile.clone())),
        "sso-roles" => Ok(Asked::Roles(profile()?)),
        "status" => Ok(Asked::Status),
        "clock" => Ok(Asked::Clock),
        other => Err(WireError::new(
            ErrorKind::Unsupported,
            format!(
                "this daemon does not know the request {:?}: it may be older than this program",
                other.chars().take(40).collect::<String>()
            ),
        )),
    }
}

/// Whether the caller's paths are the daemon's own, compared by name. A caller that sends none (with EVERCRED_SOCKET)
/// means the daemon's files.
pub(super) fn same_files(request: &Request, paths: &AwsPaths) -> bool {
    if request.config_file.is_empty() && request.credentials_file.is_empty() {
        return true;
    }
    Path::new(&request.config_file) == paths.config && Path::new(&request.credentials_file) == paths.credentials
}

/// Whether two differently written paths lead to the same files. Touches the disk.
pub(super) fn same_files_on_disk(request: &Request, paths: &AwsPaths) -> bool {
    let resolved = |path: &Path| -> PathBuf { std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()) };
    resolved(Path::new(&request.config_file)) == resolved(&paths.config)
        && resolved(Path::new(&request.credentials_file)) == resolved(&paths.credentials)
}

/// The refusal of a caller with other files.
pub(super) fn wrong_files(request: &Request, paths: &AwsPaths) -> WireError {
    let (theirs, ours) = if Path::new(&request.config_file) == paths.config {
        (request.credentials_file.as_str(), &paths.credentials)
    } else {
        (request.config_file.as_str(), &paths.config)
    };
    let message = format!(
        "the daemon reads {}, but this command was started with {theirs}: a profile of the same name may differ there",
        ours.display()
    );
    let fix = format!(
        "export AWS_CONFIG_FILE={} AWS_SHARED_CREDENTIALS_FILE={}",
        word(&paths.config.display().to_string()),
        word(&paths.credentials.display().to_string())
    );
    WireError { fix: Some(fix), ..WireError::new(ErrorKind::WrongFiles, message) }
}
