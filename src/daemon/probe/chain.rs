//! Carries out a profile's plan step by step, as the daemon would, as far as that needs nobody, runs no program and changes
//! nothing: no token is refreshed, no file is written.

use std::path::PathBuf;

use zeroize::Zeroizing;

use super::{Prober, answer};
use crate::adapters::ask::{Asker, Caller};
use crate::adapters::mint::Minter;
use crate::core::access_key::may_be_secret;
use crate::core::aws_error::{self, Operation};
use crate::core::credential::Credentials;
use crate::core::doctor::probe::{StepAnswer, StepOutcome};
use crate::core::doctor::{Answer, Keys};
use crate::core::inputs::AwsInputs;
use crate::core::keeper::{MintOrder, Outcome, Ticket};
use crate::core::plan::{self, Endpoint, Plan, Service, Source, StatedExpiry, StaticKeys, Step};
use crate::core::printable::printable;
use crate::core::profile::SourceFile;
use crate::core::secret::Secret;
use crate::core::session::{CachedToken, Found, Session, SsoSession};
use crate::core::time::AwsTime;
use crate::daemon::folders::Folders;
use crate::daemon::{aws_paths, cache_paths, daemon_environment, now, plan_context, read_settings, reading};
use crate::platform::environment::Environment;

/// Carries out the plan of one profile.
pub(super) async fn carry_out(prober: &Prober, profile: &str, offline: bool, run_process: bool) -> Answer {
    let (own, settings_file, profile) = (prober.environment.clone(), prober.settings_file.clone(), profile.to_owned());
    let ready = tokio::task::spawn_blocking(move || ready(&own, settings_file, &profile)).await;
    match ready.unwrap_or_else(|_| Err("the files could not be read".to_owned())) {
        Err(why) => Answer::Untried { why: printable(&why) },
        Ok(Ready { plan, minter, asker }) => {
            let walk = Walk { prober, plan: &plan, minter, asker, offline, run_process, base: None, token: None };
            Answer::Chain { steps: walk.steps().await }
        }
    }
}

/// What a walk needs.
struct Ready {
    plan: Plan,
    minter: Minter,
    asker: Asker,
}

/// The plan as the daemon would make it from the files as they are now, and what carries it out. Both use the environment
/// that the settings give to a daemon; settings with a mistake count as default ones.
fn ready(own: &Environment, settings_file: Option<PathBuf>, profile: &str) -> Result<Ready, String> {
    // The companion reports a mistake in the settings. AWS's answer to the profile is worth the same without them.
    let folders = Folders::resolve(own, settings_file).ok();
    let settings = folders.and_then(|folders| read_settings(&folders, 1).ok()).unwrap_or_default();
    let environment = daemon_environment(own, &settings);
    let paths = aws_paths(&environment)?;
    let mut inputs = AwsInputs::default();
    for (file, path) in [(SourceFile::Config, &paths.config), (SourceFile::Credentials, &paths.credentials)] {
        let _ = inputs.take(file, reading(path));
    }
    let profiles = settings.over(inputs.profiles());
    let plan = plan::resolve(&profiles, profile, &plan_context(&environment)).map_err(|error| error.message)?;
    let caches = cache_paths(&environment)?;
    let asker = Asker::new(&environment);
    Ok(Ready { plan, asker, minter: Minter::new(environment, caches) })
}

/// One walk along the steps.
struct Walk<'a> {
    prober: &'a Prober,
    plan: &'a Plan,
    minter: Minter,
    asker: Asker,
    offline: bool,
    run_process: bool,
    /// What the last step gave.
    base: Option<Credentials>,
    token: Option<Secret>,
}

impl Walk<'_> {
    async fn steps(mut self) -> Vec<StepAnswer> {
        let mut answers = Vec::new();
        for step in &self.plan.steps {
            if self.offline && step.source.session().is_none() {
                break;
            }
            let Some(outcome) = self.step(step).await else { continue };
            let passed = matches!(outcome, StepOutcome::Passed { .. });
            // Programs don't ask for the owner of a base, so its keys can sign the next step unless AWS refuses them.
            let is_base = matches!(step.source, Source::Static(_) | Source::Login(_));
            let goes_on = passed || (is_base && is_answered(&outcome) && !is_refused(&outcome));
            let kind = plan::step_type(&step.source).to_owned();
            let is_printed = passed && matches!(step.source, Source::Process { .. });
            let printed = self.base.as_ref().filter(|_| is_printed).map(printed);
            let stated_account = self.base.as_ref().filter(|_| is_printed).and_then(|set| set.account_id.clone());
            let profile = step.profile.clone();
            answers.push(StepAnswer { profile, kind, outcome, printed, stated_account, identity: None });
            let is_last = answers.len() == self.plan.steps.len();
            if !goes_on || (is_printed && !is_last && self.is_refused_as_signer(step).await) {
                break;
            }
        }
        self.name_caller(answers.last_mut()).await;
        answers
    }

    /// Asks AWS for the identity of the last step's credentials, which most answers don't contain.
    async fn name_caller(&mut self, last: Option<&mut StepAnswer>) {
        let (Some(last), Some(set), Some(step)) = (last, self.base.take(), self.plan.steps.last()) else { return };
        let StepOutcome::Passed { arn: None, expires_at } = &last.outcome else { return };
        // The companion asks about keys that a program printed, as about keys in a file.
        if last.printed.is_some() {
            return;
        }
        let said = self.identify(step, &keys_of(&set), expires_at.clone()).await;
        match said {
            StepOutcome::Passed { .. } => last.outcome = said,
            StepOutcome::Refused(refusal) => last.identity = Some(Answer::Refused(refusal)),
            StepOutcome::Untried { why } => last.identity = Some(Answer::Untried { why }),
            StepOutcome::NotSignedIn { .. } => {}
        }
    }

    /// Whether the keys that a program printed can't sign the next step: AWS refuses them, or they may not be sent.
    async fn is_refused_as_signer(&mut self, step: &Step) -> bool {
        let Some(keys) = self.base.as_ref().map(keys_of) else { return true };
        // AWS would write a secret in the place of the id into its logs.
        may_be_secret(&keys.access_key_id) || is_refused(&self.identify(step, &keys, None).await)
    }

    /// What happened at one step; `None` for a token that was found: people see it and its role as one step.
    async fn step(&mut self, step: &Step) -> Option<StepOutcome> {
        if let Some(why) = untried(&step.source, self.run_process) {
            return Some(StepOutcome::Untried { why });
        }
        match &step.source {
            Source::Static(keys) => Some(self.base_of(step, keys, None).await),
            Source::SsoToken(session) => match self.cached(&Session::Sso(SsoSession::clone(session))).await {
                Ok(CachedToken::Sso(token)) => {
                    self.token = Some(token.access_token);
                    None
                }
                Ok(CachedToken::Login(_)) => {
                    Some(StepOutcome::Untried { why: "its token is of another kind".to_owned() })
                }
                Err(not_signed_in) => Some(not_signed_in),
            },
            Source::Login(session) => Some(match self.cached(&Session::Login(session.clone())).await {
                Ok(CachedToken::Login(_)) if self.offline => return None,
                Ok(CachedToken::Login(token)) => {
                    self.base_of(step, &keys_of(&token.credentials), Some(token.expires.to_rfc3339())).await
                }
                Ok(CachedToken::Sso(_)) => StepOutcome::Untried { why: "its token is of another kind".to_owned() },
                Err(not_signed_in) => not_signed_in,
            }),
            _ => Some(self.mint(step).await),
        }
    }

    /// Takes keys for the next step, and asks AWS who their owner is.
    async fn base_of(&mut self, step: &Step, keys: &StaticKeys, expires_at: Option<String>) -> StepOutcome {
        self.base = Some(credentials(keys, None));
        self.identify(step, keys, expires_at).await
    }

    /// Asks AWS who the owner of keys is, and takes them for the next step.
    async fn identify(&mut self, step: &Step, keys: &StaticKeys, expires_at: Option<String>) -> StepOutcome {
        let operation = Operation::new("GetCallerIdentity").object("with its keys").profile(&step.profile);
        let (asker, endpoint) = (self.asker.clone(), self.sts_endpoint().clone());
        let call = |time| asker.identify(&operation, keys, &endpoint, time);
        match self.prober.signed(call, &operation).await {
            Err(no_time) => StepOutcome::Untried { why: no_time.to_string() },
            Ok(Err(fault)) => StepOutcome::Refused(answer::refusal(fault, Some(keys))),
            Ok(Ok(Caller { arn, account_id })) => {
                self.base = Some(credentials(keys, Some(account_id)));
                StepOutcome::Passed { expires_at, arn: Some(printable(&arn)) }
            }
        }
    }

    /// Makes the call of a step.
    async fn mint(&mut self, step: &Step) -> StepOutcome {
        let operation = operation(step);
        let order = MintOrder {
            ticket: Ticket(0),
            step: step.clone(),
            endpoint: step.source.endpoint().unwrap_or(&self.plan.endpoint).clone(),
            base: self.base.take(),
            mfa_code: None,
            token: self.token.take(),
            aws_minus_boot: self.prober.aws_minus_boot(),
        };
        let call = async {
            match self.minter.mint(order).await {
                (Outcome::Failed(fault), _) => Err(fault),
                (Outcome::Minted(set) | Outcome::Federated { credentials: set, .. }, _) => Ok(set),
                _ => Err(aws_error::fault(&operation, None, Some(aws_error::INVALID_RESPONSE), None)),
            }
        };
        match self.prober.in_time(&operation, call).await {
            Err(no_time) => StepOutcome::Untried { why: no_time.to_string() },
            // Its end is not known: the daemon would wait longer for it.
            Ok(Err(fault)) if fault.code == aws_error::TIMEOUT && matches!(step.source, Source::Process { .. }) => {
                let why = format!("the credential_process of profile \"{}\" did not finish in time", step.profile);
                StepOutcome::Untried { why: printable(&why) }
            }
            Ok(Err(fault)) => StepOutcome::Refused(answer::refusal(fault, None)),
            Ok(Ok(set)) => {
                let expires_at = set.expires_at.map(AwsTime::to_rfc3339);
                self.base = Some(set);
                StepOutcome::Passed { expires_at, arn: None }
            }
        }
    }

    /// The token of a session as it stands in the AWS tools' cache, if it is good still; else why not.
    async fn cached(&self, session: &Session) -> Result<CachedToken, StepOutcome> {
        let what = session.described();
        let without = |why: String, renews| StepOutcome::NotSignedIn { why, renews };
        let file = session.cache_file();
        let token = match self.minter.sessions.read(&file).await {
            Found::Missing => return Err(without(format!("there is no token of {what}"), false)),
            Found::Unreadable(why) => {
                let why = format!("the cache file of {what} can't be read: {why}");
                // A sign-in replaces a file that is no token, but not a directory or another user's file.
                let problems = self.minter.sessions.problems(vec![file]).await;
                let is_replaceable = problems.iter().all(|(_, problem)| problem.is_none());
                return Err(if is_replaceable { without(why, false) } else { StepOutcome::Untried { why } });
            }
            Found::Text(text) => session.read(text.expose()),
        };
        let token = token.map_err(|unusable| without(format!("the cache file of {what} {}", unusable.why), false))?;
        // The AWS tools stamp it with this machine's clock, and compare it with that.
        if token.expires() <= now().wall {
            let renews = token.refresh_token().is_some();
            return Err(without(format!("the token of {what} ended at {}", token.expires().to_rfc3339()), renews));
        }
        Ok(token)
    }

    /// Where keys are tried: where the next step uses them, else where the profile's own calls go.
    fn sts_endpoint(&self) -> &Endpoint {
        let of_sts = |step: &&Step| step.source.service() == Some(Service::Sts);
        let used = self.plan.steps.iter().filter(of_sts).find_map(|step| step.source.endpoint());
        used.unwrap_or(&self.plan.endpoint)
    }
}

fn credentials(keys: &StaticKeys, account_id: Option<String>) -> Credentials {
    Credentials {
        access_key_id: keys.access_key_id.clone(),
        secret_access_key: keys.secret_access_key.clone(),
        session_token: keys.session_token.clone(),
        expires_at: None,
        account_id,
    }
}

/// AWS's operation that a step calls.
fn operation(step: &Step) -> Operation {
    let name = match &step.source {
        Source::AssumeRole(_) => "AssumeRole",
        Source::WebIdentity(_) => "AssumeRoleWithWebIdentity",
        Source::SessionToken(_) => "GetSessionToken",
        Source::Sso(_) => "GetRoleCredentials",
        Source::Process { .. } => "credential_process",
        other => plan::step_type(other),
    };
    Operation::new(name).profile(&step.profile)
}

fn keys_of(set: &Credentials) -> StaticKeys {
    StaticKeys {
        access_key_id: set.access_key_id.clone(),
        secret_access_key: set.secret_access_key.clone(),
        session_token: set.session_token.clone(),
        expires: StatedExpiry::Unstated,
    }
}

/// The keys that a program printed, for the companion.
fn printed(set: &Credentials) -> Keys {
    let text = |secret: &Secret| Zeroizing::new(secret.expose().to_owned());
    Keys {
        access_key_id: set.access_key_id.clone(),
        secret_access_key: text(&set.secret_access_key),
        session_token: set.session_token.as_ref().map(text),
    }
}

fn is_refused(outcome: &StepOutcome) -> bool {
    matches!(outcome, StepOutcome::Refused(refusal) if refusal.why_open().is_none())
}

/// Whether AWS answered at all.
fn is_answered(outcome: &StepOutcome) -> bool {
    matches!(outcome, StepOutcome::Refused(refusal) if !aws_error::is_unreached_code(&refusal.code) && !refusal.is_local())
}

/// Why a step is none to try; `None` where it is one.
fn untried(source: &Source, run_process: bool) -> Option<String> {
    if let Some(device) = source.device() {
        return Some(format!("it needs a code from the MFA device {}", printable(device)));
    }
    let why = match source {
        Source::Process { .. } if run_process => return None,
        Source::Process { .. } => {
            "its credentials come from another program (credential_process): run with --run-process"
        }
        Source::Environment => {
            "doctor does not assume a role with the keys of the shell (credential_source = Environment)"
        }
        Source::Container => "doctor does not request the credentials of a container",
        Source::InstanceMetadata => "doctor does not request the credentials of an instance",
        _ => return None,
    };
    Some(why.to_owned())
}
