//! Carries out the doctor's questions: each is one call, or the calls of one profile's plan, and changes nothing at AWS.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::time::timeout;

use super::mint::Minter;
use super::{clock, iam, ntp, timekeeping};
use crate::core::aws_error::{self, Fault};
use crate::core::clock::{Sample, Trust};
use crate::core::credential::{Credentials, Grant};
use crate::core::doctor::probe::{ClockFacts, StepAnswer, StepOutcome};
use crate::core::doctor::{Answer, Keys, Order, Refusal};
use crate::core::keeper::{MintOrder, Outcome, ProbeOrder, Ticket};
use crate::core::ntp::NtpAnswer;
use crate::core::plan::{self, Endpoint, Plan, PlanError, Source, StatedExpiry, StaticKeys, Step};
use crate::core::secret::Secret;
use crate::core::session::{Found, Session};
use crate::core::settings::NtpServer;
use crate::core::time::AwsTime;
use crate::core::timekeeping::{KernelClock, TimeKeeping, fixes, zone_mistake};
use crate::platform::environment::Environment;

/// For one call. The person waits, and an endpoint that hangs hangs for all questions at once.
const CALL: Duration = Duration::from_secs(4);
/// For all steps of a plan.
const CHAIN: Duration = Duration::from_secs(6);
/// A `Date` has whole seconds, and servers cache it for one.
const DATE_SLACK: TimeDelta = TimeDelta::milliseconds(1_500);

/// Answers questions one at a time. Clones share what was found out about AWS's time.
#[derive(Clone)]
pub struct Prober {
    minter: Minter,
    environment: Environment,
    /// AWS's time minus the boot-time clock, to sign by.
    aws_minus_boot: TimeDelta,
}

impl Prober {
    /// One that signs by the wall clock until it has heard AWS's time.
    pub fn new(minter: Minter, environment: Environment) -> Self {
        let now = clock::read();
        let aws_minus_boot = TimeDelta::milliseconds(now.wall.as_millis() - now.boot.as_millis());
        Self { minter, environment, aws_minus_boot }
    }

    /// Answers a question. `plan` finds the plan of a profile.
    pub async fn answer(&self, order: Order, plan: impl FnOnce(&str) -> Result<Plan, PlanError>) -> Answer {
        match order {
            // `look_at_the_clock` is for these; asked here, nothing is remembered.
            Order::Clock { look_at, ntp, known } => {
                Answer::Clock(self.clone().look_at_the_clock(look_at, &ntp, known).await)
            }
            Order::Identify { keys, endpoint } => self.identify(keys, endpoint).await,
            Order::Iam { keys, endpoint } => self.iam(keys, endpoint).await,
            Order::Chain { profile } => match plan(&profile) {
                Ok(plan) => self.chain(&plan).await,
                Err(error) => Answer::Untried { why: error.message },
            },
        }
    }

    /// What is known of this machine's clock; later calls are signed with AWS's time as it was heard now.
    pub async fn look_at_the_clock(
        &mut self,
        look_at: Option<Endpoint>,
        servers: &[String],
        known: Option<(f64, f64)>,
    ) -> ClockFacts {
        let environment = self.environment.clone();
        let machine = tokio::task::spawn_blocking(move || timekeeping::look(&environment));
        let asked = look_at.is_some();
        let heard = match look_at {
            Some(endpoint) => self.hear(endpoint).await,
            None => Ok(None),
        };
        let (offset, source, unreached) = match heard {
            Ok(Some(offset)) => (Some(offset), Some("the Date of AWS's answer".to_owned()), None),
            Ok(None) => (None, None, None),
            Err(fault) => {
                let by_ntp = ask_servers(servers).await;
                let (offset, source) = by_ntp.map_or((None, None), |(offset, source)| (Some(offset), Some(source)));
                (offset, source, Some(refusal(fault)))
            }
        };
        if let Some(Offset { error, .. }) = offset {
            let now = clock::read();
            self.aws_minus_boot = TimeDelta::milliseconds(now.wall.as_millis() - now.boot.as_millis()) - error;
        }
        let known = known
            .filter(|_| !asked || offset.is_none())
            .map(|(error, uncertainty)| Offset::of_seconds(error, uncertainty));
        let source = source.or_else(|| known.is_some().then(|| "the daemon".to_owned()));
        let Ok(machine) = machine.await else { return ClockFacts::default() };
        facts(&machine, offset.or(known), source, unreached)
    }

    /// AWS's time by the `Date` of an answer to nothing in particular.
    async fn hear(&self, endpoint: Endpoint) -> Result<Option<Offset>, Fault> {
        let call = self.minter.probe(ProbeOrder { ticket: Ticket(0), endpoint });
        let (outcome, samples) = match timeout(CALL, call).await {
            Ok(ended) => ended,
            Err(_) => return Err(late("asking AWS for the time")),
        };
        match (outcome, samples.iter().rev().find(|sample| sample.trust == Trust::Authenticated)) {
            (_, Some(sample)) => Ok(Some(Offset::of(sample))),
            (Outcome::Failed(fault), None) => Err(fault),
            (_, None) => Ok(None),
        }
    }

    async fn identify(&self, keys: Keys, endpoint: Endpoint) -> Answer {
        let keys = static_keys(keys);
        let step = Step { profile: "in question".to_owned(), source: Source::Static(keys) };
        match timeout(CALL, self.mint(step, endpoint, None, None)).await {
            Ok(Outcome::Identified { account_id, arn }) => Answer::Accepted { account_id, arn },
            Ok(Outcome::Failed(fault)) => Answer::Refused(without_place(refusal(fault))),
            Ok(_) => Answer::Untried { why: "the answer is none to what was asked".to_owned() },
            Err(_) => Answer::Refused(refusal(late("GetCallerIdentity"))),
        }
    }

    async fn iam(&self, keys: Keys, endpoint: Endpoint) -> Answer {
        let keys = static_keys(keys);
        match timeout(CALL, iam::get_user(self.minter.sdk(), &keys, &endpoint, self.aws_minus_boot)).await {
            Ok(Ok(())) => Answer::Accepted { account_id: String::new(), arn: String::new() },
            Ok(Err(fault)) => Answer::Refused(refusal(fault)),
            Err(_) => Answer::Refused(refusal(late("IAM's GetUser"))),
        }
    }

    /// Carries out a plan as far as it needs nobody and runs no program.
    async fn chain(&self, plan: &Plan) -> Answer {
        let mut steps = Vec::new();
        // What was carried out in time is said, whatever becomes of the rest.
        let rest = timeout(CHAIN, self.walk(plan, &mut steps)).await;
        if rest.is_err()
            && let Some(step) = plan.steps.iter().filter(|step| is_shown(step)).nth(steps.len())
        {
            steps.push(answer_of(step, StepOutcome::Refused(refusal(late(plan::step_type(&step.source))))));
        }
        Answer::Chain { steps }
    }

    async fn walk(&self, plan: &Plan, steps: &mut Vec<StepAnswer>) {
        let (mut base, mut token): (Option<Credentials>, Option<Secret>) = (None, None);
        for step in &plan.steps {
            let outcome = match &step.source {
                Source::SsoToken(session) => match self.cached(&Session::Sso(session.clone())).await {
                    Ok(Grant::Token(found)) => {
                        token = Some(found);
                        continue;
                    }
                    Ok(Grant::Keys(_)) => continue,
                    Err(why) => {
                        let role = plan.steps.iter().find(|step| is_shown(step)).unwrap_or(step);
                        return steps.push(answer_of(role, StepOutcome::Untried { why }));
                    }
                },
                Source::Login(session) => match self.cached(&Session::Login(session.clone())).await {
                    Ok(Grant::Keys(keys)) => {
                        base = Some(keys);
                        StepOutcome::Passed { expires_at: None, arn: None }
                    }
                    Ok(Grant::Token(_)) => untried("what is in the cache is no set of keys"),
                    Err(why) => StepOutcome::Untried { why },
                },
                source => match why_not(source) {
                    Some(why) => untried(why),
                    None => self.step(step, plan, &mut base, token.take()).await,
                },
            };
            let passed = matches!(outcome, StepOutcome::Passed { .. });
            steps.push(answer_of(step, outcome));
            if !passed {
                return;
            }
        }
    }

    async fn step(
        &self,
        step: &Step,
        plan: &Plan,
        base: &mut Option<Credentials>,
        token: Option<Secret>,
    ) -> StepOutcome {
        let endpoint = step.source.endpoint().unwrap_or(&plan.endpoint).clone();
        match self.mint(step.clone(), endpoint, base.take(), token).await {
            Outcome::Minted(minted) | Outcome::Federated { credentials: minted, .. } => {
                let expires_at = minted.expires_at.map(AwsTime::to_rfc3339);
                *base = Some(minted);
                StepOutcome::Passed { expires_at, arn: None }
            }
            Outcome::Identified { account_id, arn } => {
                if let Source::Static(keys) = &step.source {
                    *base = Some(credentials(keys, Some(account_id)));
                }
                StepOutcome::Passed { expires_at: None, arn: Some(arn) }
            }
            Outcome::Failed(fault) => StepOutcome::Refused(refusal(fault)),
            _ => untried("the answer is none to what was asked"),
        }
    }

    /// What the AWS tools' cache holds of a session, if it is valid by this machine's clock, which stamped it.
    async fn cached(&self, session: &Session) -> Result<Grant, String> {
        let nobody = |why: &str| format!("nobody is signed in to {}: {why}", session.described());
        let token = match self.minter.sessions.look(&session.cache_file()).await {
            Found::Text(text) => {
                session.read(text.expose()).map_err(|unusable| nobody(&format!("its file {}", unusable.why)))?
            }
            _ => return Err(nobody("there is no token in the AWS tools' cache")),
        };
        if token.expires() <= clock::read().wall {
            return Err(nobody("the token in the AWS tools' cache has expired"));
        }
        Ok(token.grant())
    }

    async fn mint(&self, step: Step, endpoint: Endpoint, base: Option<Credentials>, token: Option<Secret>) -> Outcome {
        let aws_minus_boot = self.aws_minus_boot;
        let order = MintOrder { ticket: Ticket(0), step, endpoint, base, mfa_code: None, token, aws_minus_boot };
        self.minter.mint(order).await.0
    }
}

/// This machine's clock minus AWS's.
#[derive(Clone, Copy)]
struct Offset {
    error: TimeDelta,
    uncertainty: TimeDelta,
}

impl Offset {
    /// By an answer that was under way for a while and says its time in whole seconds.
    fn of(sample: &Sample) -> Self {
        let now = clock::read();
        let half = (sample.received - sample.sent) / 2;
        let heard = sample.sent + half;
        let wall_then = now.wall - (now.boot - heard);
        let aws_then = sample.date + TimeDelta::milliseconds(500);
        Self {
            error: TimeDelta::milliseconds(wall_then.as_millis().saturating_sub(aws_then.as_millis())),
            uncertainty: half + DATE_SLACK,
        }
    }

    fn by_ntp(answer: &NtpAnswer) -> Self {
        let (lowest, highest) = answer.offset();
        let now = clock::read();
        let aws_now = now.boot.as_millis().saturating_add(lowest.midpoint(highest));
        Self {
            error: TimeDelta::milliseconds(now.wall.as_millis().saturating_sub(aws_now)),
            uncertainty: TimeDelta::milliseconds(highest.saturating_sub(lowest) / 2),
        }
    }

    #[expect(clippy::cast_possible_truncation, reason = "milliseconds of a few days; nonsense saturates")]
    fn of_seconds(error: f64, uncertainty: f64) -> Self {
        let delta = |seconds: f64| TimeDelta::milliseconds((seconds * 1_000.0) as i64);
        Self { error: delta(error), uncertainty: delta(uncertainty) }
    }
}

/// The first time server that gives a time.
async fn ask_servers(servers: &[String]) -> Option<(Offset, String)> {
    for server in servers.iter().take(2) {
        let Ok(name) = server.parse::<NtpServer>() else { continue };
        let about = AwsTime::from_millis(clock::read().wall.as_millis());
        if let Ok(Ok(answer)) = timeout(CALL, ntp::ask(&name, about)).await {
            return Some((Offset::by_ntp(&answer), format!("NTP ({name})")));
        }
    }
    None
}

fn facts(
    machine: &TimeKeeping,
    offset: Option<Offset>,
    source: Option<String>,
    unreached: Option<Refusal>,
) -> ClockFacts {
    let seconds = |delta: TimeDelta| {
        #[expect(clippy::cast_precision_loss, reason = "milliseconds of a few days fit into 53 bits")]
        let millis = delta.num_milliseconds() as f64;
        millis / 1_000.0
    };
    let mistake = offset.and_then(|offset| zone_mistake(offset.error, offset.uncertainty, machine));
    let unsynchronised = machine.kernel == KernelClock::Unsynchronised;
    ClockFacts {
        offset_seconds: offset.map(|offset| seconds(offset.error)),
        uncertainty_seconds: offset.map(|offset| seconds(offset.uncertainty)),
        source,
        unreached,
        kernel_synchronised: match machine.kernel {
            KernelClock::Synchronised { .. } => Some(true),
            KernelClock::Unsynchronised => Some(false),
            KernelClock::Unknown(_) => None,
        },
        keeper: machine.said(),
        zone_mistake: mistake.as_ref().map(ToString::to_string),
        fixes: offset.map_or_else(Vec::new, |offset| match &mistake {
            Some(mistake) => mistake.fixes(machine, offset.error),
            None => fixes(machine, offset.error),
        }),
        // What is done about a clock that is off a little is what makes it keep right.
        keeper_fixes: if unsynchronised { fixes(machine, TimeDelta::seconds(1)) } else { Vec::new() },
    }
}

/// Why a step is not tried.
fn why_not(source: &Source) -> Option<&'static str> {
    match source {
        _ if source.device().is_some() => Some("it wants a code of the MFA device, which only a person has"),
        Source::Process { .. } => Some("it runs a program, which might want something of a person"),
        Source::Environment => Some("it takes the variables of whoever calls"),
        Source::Container | Source::InstanceMetadata => Some("it asks the place where the program runs"),
        _ => None,
    }
}

fn untried(why: &str) -> StepOutcome {
    StepOutcome::Untried { why: why.to_owned() }
}

/// People see the token of an SSO session and the role as one step.
fn is_shown(step: &Step) -> bool {
    !matches!(step.source, Source::SsoToken(_))
}

fn answer_of(step: &Step, outcome: StepOutcome) -> StepAnswer {
    StepAnswer { profile: step.profile.clone(), kind: plan::step_type(&step.source).to_owned(), outcome }
}

fn static_keys(keys: Keys) -> StaticKeys {
    StaticKeys {
        access_key_id: keys.access_key_id,
        secret_access_key: Secret::new(keys.secret_access_key.as_str()),
        session_token: keys.session_token.map(|token| Secret::new(token.as_str())),
        expires: StatedExpiry::Unstated,
    }
}

fn credentials(keys: &StaticKeys, account_id: Option<String>) -> Credentials {
    let StaticKeys { access_key_id, secret_access_key, session_token, .. } = keys.clone();
    Credentials { access_key_id, secret_access_key, session_token, expires_at: None, account_id }
}

fn late(what: &str) -> Fault {
    let why = format!("no answer came within {} s", CALL.as_secs());
    aws_error::fault(what, None, Some("Timeout"), Some(&why))
}

fn refusal(fault: Fault) -> Refusal {
    let Fault { class, code, message, fix, skewed, .. } = fault;
    Refusal { code, message, class, fix, skewed }
}

/// What was asked with which key is said by the rules, who know whether the id may be shown.
fn without_place(refusal: Refusal) -> Refusal {
    let message = match refusal.message.split_once(" failed: ") {
        Some((_, said)) => said.to_owned(),
        None => refusal.message,
    };
    Refusal { message, ..refusal }
}
