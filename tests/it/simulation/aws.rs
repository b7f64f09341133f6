//! A fake AWS: keys, roles, sessions that really expire, and moods.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use evercred::core::aws_error::{self, Fault, Operation};
use evercred::core::credential::Credentials;
use evercred::core::keeper::{MintOrder, Outcome};
use evercred::core::plan::Source;
use evercred::core::secret::Secret;
use evercred::core::time::AwsTime;

use super::world::Program;

/// How AWS is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Health {
    Well,
    /// Nobody answers.
    Unreachable,
    /// This machine has no network: every call fails at once.
    NoNetwork,
    Throttling,
    Failing,
}

pub(crate) struct Session {
    pub(crate) role: String,
    pub(crate) expires: i64,
}

#[derive(Default)]
pub(crate) struct Counts {
    /// The failing calls for each role or key: AWS's time of each.
    pub(crate) failures: BTreeMap<String, Vec<i64>>,
}

pub(crate) struct Aws {
    pub(crate) health: Health,
    /// Keys that work, each from a moment on.
    pub(crate) keys: BTreeMap<String, i64>,
    /// Roles by name; whether they can be assumed.
    roles: BTreeMap<String, bool>,
    pub(crate) sessions: BTreeMap<String, Session>,
    pub(crate) calls: usize,
    pub(crate) mints: usize,
    pub(crate) failing: usize,
    pub(crate) counts: Counts,
    /// What the MFA device shows; gone with its use.
    code: Option<String>,
    codes: u64,
    /// Every code that came.
    seen: Vec<String>,
    /// The next answer's `Date` is off by this.
    pub(crate) lie: Option<i64>,
}

impl Aws {
    pub(crate) fn new() -> Self {
        Self {
            health: Health::Well,
            keys: BTreeMap::new(),
            roles: BTreeMap::new(),
            sessions: BTreeMap::new(),
            calls: 0,
            mints: 0,
            failing: 0,
            counts: Counts::default(),
            code: None,
            codes: 0,
            seen: Vec::new(),
            lie: None,
        }
    }

    pub(crate) fn set_trust(&mut self, role: &str, trusted: bool) {
        self.roles.insert(role.to_owned(), trusted);
    }

    pub(crate) fn trusts(&self, role: &str) -> bool {
        self.roles.get(role).copied().unwrap_or(true)
    }

    /// The device shows another code.
    pub(crate) fn next_code(&mut self) -> String {
        self.codes += 1;
        self.code.insert(format!("{:06}", self.codes)).clone()
    }

    /// Whether an answer comes at all.
    pub(crate) fn answers(&self) -> bool {
        !matches!(self.health, Health::Unreachable | Health::NoNetwork)
    }

    /// Answers one call at a moment of AWS's time; `signed_at` is the time that the signer believed in.
    pub(crate) fn call(&mut self, order: &MintOrder, truth: i64, signed_at: i64) -> Outcome {
        self.calls += 1;
        let result = self.outcome(order, truth, signed_at);
        if let Err(fault) = result {
            self.failing += 1;
            self.counts.failures.entry(what(order)).or_default().push(truth);
            return Outcome::Failed(fault);
        }
        result.unwrap_or_else(Outcome::Failed)
    }

    fn outcome(&mut self, order: &MintOrder, truth: i64, signed_at: i64) -> Result<Outcome, Fault> {
        let name = what(order);
        if let Some((profile, program)) = Program::behind(order) {
            if !self.trusts(&format!("program-{profile}")) {
                return Err(aws_error::fault(
                    Operation::named(name.clone()),
                    None,
                    Some("ProcessFailed"),
                    Some("the vault is locked"),
                ));
            }
            let expires = (program != Program::Endless).then(|| (truth + 3_600_000) / 1_000 * 1_000);
            return Ok(Outcome::Minted(
                self.session(&format!("arn:aws:iam::111122223333:role/app-{profile}"), expires),
            ));
        }
        if order.step.source == Source::InstanceMetadata {
            if !self.trusts("the instance") {
                return Err(aws_error::fault(Operation::named(name.clone()), None, Some("MetadataUnavailable"), None));
            }
            // The instance's own set, the same for all, till shortly before it ends.
            let expires = (truth + 6 * 3_600_000) / 1_000 * 1_000;
            return Ok(Outcome::Minted(self.session("the instance", Some(expires))));
        }
        let refuse = |status: u16, code: &str, message: &str| {
            Err(aws_error::fault(
                Operation::new("AssumeRole").object(format!("of {name}")),
                Some(status),
                Some(code),
                Some(message),
            ))
        };
        match self.health {
            Health::Well => {}
            Health::Unreachable | Health::NoNetwork => {
                return Err(aws_error::fault(Operation::named(name.clone()), None, Some("Timeout"), None));
            }
            Health::Throttling => return refuse(400, "Throttling", "Rate exceeded"),
            Health::Failing => return refuse(500, "InternalFailure", "We encountered an internal error"),
        }
        if let Source::WebIdentity(role) = &order.step.source {
            if !self.trusts(&role.token_file) {
                return refuse(400, "ExpiredTokenException", "Token expired");
            }
            let expires = (truth + 3_600_000) / 1_000 * 1_000;
            let credentials = self.session(&role.role_arn, Some(expires));
            return Ok(Outcome::Federated { credentials, token_expires_at: None });
        }
        let signer = match (&order.step.source, &order.base) {
            (Source::Static(keys), _) => &keys.access_key_id,
            (_, Some(base)) => &base.access_key_id,
            (_, None) => panic!("a call without a signature for {name}"),
        };
        match (self.sessions.get(signer), self.keys.get(signer)) {
            (Some(session), _) if session.expires <= truth => return refuse(403, "ExpiredToken", "expired"),
            (Some(_), _) => {}
            (None, Some(from)) if *from <= truth => {}
            _ => return refuse(403, "InvalidClientTokenId", "The security token included in the request is invalid."),
        }
        if (signed_at - truth).abs() > 15 * 60_000 {
            return refuse(403, "SignatureDoesNotMatch", "Signature expired: …");
        }
        if let Source::SessionToken(_) = &order.step.source {
            let code = order.mfa_code.as_ref().expect("no call without a code").expose();
            if code != "000000" {
                assert!(!self.seen.iter().any(|seen| seen == code), "a code sent twice");
                self.seen.push(code.to_owned());
            }
            if self.code.take_if(|shown| shown == code).is_none() {
                return refuse(
                    403,
                    "AccessDenied",
                    "MultiFactorAuthentication failed with invalid MFA one time pass code.",
                );
            }
            let expires = (truth + 43_200_000) / 1_000 * 1_000;
            return Ok(Outcome::Minted(self.session("session", Some(expires))));
        }
        let Source::AssumeRole(role) = &order.step.source else {
            return Ok(Outcome::Identified {
                account_id: "111122223333".into(),
                arn: "arn:aws:iam::111122223333:user/u".into(),
            });
        };
        if !self.trusts(role.role_arn.rsplit('/').next().unwrap()) {
            return refuse(403, "AccessDenied", "User: u is not authorized to perform: sts:AssumeRole");
        }
        let seconds = i64::from(role.duration_seconds.unwrap_or(3_600));
        // Real expiries have whole seconds.
        let expires = (truth + seconds * 1_000) / 1_000 * 1_000;
        Ok(Outcome::Minted(self.session(&role.role_arn, Some(expires))))
    }

    fn session(&mut self, role: &str, expires: Option<i64>) -> Credentials {
        self.mints += 1;
        let id = format!("ASIA{:016}", self.mints);
        self.sessions.insert(id.clone(), Session { role: role.to_owned(), expires: expires.unwrap_or(i64::MAX / 2) });
        Credentials {
            access_key_id: id,
            secret_access_key: Secret::new("s"),
            session_token: Some(Secret::new("t")),
            expires_at: expires.map(AwsTime::from_millis),
            account_id: None,
        }
    }
}

/// What an order is about: the role, or the key.
pub(crate) fn what(order: &MintOrder) -> String {
    match &order.step.source {
        Source::AssumeRole(role) => role.role_arn.clone(),
        Source::Static(keys) => keys.access_key_id.clone(),
        Source::Process { command } => command.clone(),
        Source::WebIdentity(role) => role.token_file.clone(),
        Source::SessionToken(_) => "the MFA session".to_owned(),
        Source::InstanceMetadata => "the instance".to_owned(),
        _ => panic!("a call for something that is not minted"),
    }
}

/// The shortest and the longest that an answer takes.
pub(crate) const LATENCY: (TimeDelta, TimeDelta) = (TimeDelta::milliseconds(20), TimeDelta::milliseconds(900));
