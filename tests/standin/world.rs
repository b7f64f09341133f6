//! What the stand-in knows: keys, roles, sessions, its clock, and the faults it was told to make.

use std::collections::{BTreeMap, VecDeque};
use std::time::{SystemTime, UNIX_EPOCH};

use super::account::RegionState;
use super::services::Service;
use super::signin::Signin;
use super::sso::Sso;

/// A long-term key.
#[derive(Clone, Debug)]
pub struct Key {
    pub access_key_id: String,
    pub secret_access_key: String,
}

/// A role that can be assumed.
#[derive(Clone, Debug)]
pub struct Role {
    /// ARNs of users and roles that may assume it, `oidc:` and the subject of a web identity, or `*`.
    pub trusts: Vec<String>,
    pub external_id: Option<String>,
    /// Whether only who has shown an MFA code may assume it.
    pub mfa: bool,
    pub max_session_seconds: i64,
    /// Nobody may assume it, and this stands behind the refusal: which kind of policy it was.
    pub denied: Option<String>,
}

impl Role {
    pub fn trusting(principals: &[&str]) -> Self {
        let trusts = principals.iter().map(|principal| (*principal).to_owned()).collect();
        Self { trusts, external_id: None, mfa: false, max_session_seconds: 3_600, denied: None }
    }
}

/// One call that came, in order.
#[derive(Clone, Debug)]
pub struct Call {
    pub action: String,
    pub access_key_id: String,
    pub role_arn: String,
    pub status: u16,
    pub error: Option<&'static str>,
}

/// What goes wrong, on command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    /// No answer at all, until the stand-in ends.
    Timeout,
    /// The connection is reset.
    Reset,
    Status500,
    /// With `Retry-After: 1`.
    Status503,
    Throttled,
    /// A web page with status 200, as a captive portal sends it.
    Html,
    /// Sends to another page with status 302, as one does too.
    Redirect,
    /// Status 511, which RFC 6585 has for it, and the wish not to be asked again for an hour.
    Status511,
    /// Status 200 and nothing in it.
    Empty,
    /// Half of what was announced.
    Truncated,
    /// Far more than any answer of AWS.
    Huge,
    /// Not a byte of HTTP.
    Garbage,
}

/// How the `Date` header is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DateHeader {
    True,
    Missing,
    /// Off by this many seconds.
    Lying(i64),
}

/// Minted credentials.
pub(super) struct Session {
    pub secret_access_key: String,
    pub token: String,
    pub expires_at_ms: i64,
    pub principal: Principal,
    /// Its token is of the global endpoint's first version.
    pub v1: bool,
    /// It was ended before its time, and is answered as expired.
    pub ended: bool,
}

/// Credentials, as they are handed out.
pub(super) struct Minted {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub token: String,
    pub expires_at_ms: i64,
}

/// Who a key is.
#[derive(Clone)]
pub(super) struct Principal {
    pub arn: String,
    pub account: String,
    /// The role behind a session; `None` for a user.
    pub role_arn: Option<String>,
    /// Whether it is a session, of a role or of a user.
    pub temporary: bool,
    /// Whether it has shown an MFA code.
    pub mfa: bool,
}

pub(super) struct User {
    pub secret_access_key: String,
    pub arn: String,
    pub account: String,
    pub active: bool,
}

pub(super) struct World {
    pub offset_ms: i64,
    pub users: BTreeMap<String, User>,
    pub roles: BTreeMap<String, Role>,
    /// Regions that are not simply enabled.
    pub regions: BTreeMap<String, RegionState>,
    pub sessions: BTreeMap<String, Session>,
    /// What goes wrong next, with everything or with one service.
    pub faults: VecDeque<(Option<Service>, Fault)>,
    /// What goes wrong until told otherwise, with everything or with one service.
    pub outages: BTreeMap<Option<Service>, Fault>,
    /// Whose answers are held back.
    pub held: Option<Service>,
    /// When each service's last answer was sent; nothing while one is made.
    pub answered_ms: BTreeMap<Service, i64>,
    pub date: DateHeader,
    /// Fields that are other than they should be in the good answers to an action.
    pub lies: BTreeMap<String, serde_json::Value>,
    /// Actions that are refused: status, code and message.
    pub refusals: BTreeMap<String, (u16, &'static str, String)>,
    /// Minted sets live no longer than this, whatever was asked for.
    pub longest_life_seconds: Option<i64>,
    pub calls: Vec<Call>,
    /// How often somebody came without a question, to see the time.
    pub(super) looks: usize,
    /// The code that each MFA device shows now; taken away by its use.
    pub codes: BTreeMap<String, String>,
    pub sso: Sso,
    pub signin: Signin,
    serial: u64,
}

impl World {
    pub(super) fn new() -> Self {
        Self {
            offset_ms: 0,
            users: BTreeMap::new(),
            roles: BTreeMap::new(),
            regions: BTreeMap::new(),
            sessions: BTreeMap::new(),
            faults: VecDeque::new(),
            outages: BTreeMap::new(),
            held: None,
            answered_ms: BTreeMap::new(),
            date: DateHeader::True,
            lies: BTreeMap::new(),
            refusals: BTreeMap::new(),
            longest_life_seconds: None,
            calls: Vec::new(),
            looks: 0,
            codes: BTreeMap::new(),
            sso: Sso::default(),
            signin: Signin::default(),
            serial: 0,
        }
    }

    /// AWS's time, here: milliseconds since the Unix epoch.
    pub(super) fn now_ms(&self) -> i64 {
        #[expect(clippy::disallowed_methods, reason = "the stand-in has a clock of its own, beside this machine's")]
        let real = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis());
        i64::try_from(real).unwrap() + self.offset_ms
    }

    pub(super) fn add_user(&mut self, account: &str, name: &str) -> Key {
        let key = Key { access_key_id: self.unique("AKIA", 20), secret_access_key: self.unique("user/secret+", 40) };
        let user = User {
            secret_access_key: key.secret_access_key.clone(),
            arn: format!("arn:aws:iam::{account}:user/{name}"),
            account: account.to_owned(),
            active: true,
        };
        self.users.insert(key.access_key_id.clone(), user);
        key
    }

    /// A new session of someone.
    pub(super) fn mint(&mut self, seconds: i64, principal: Principal) -> Minted {
        let seconds = self.longest_life_seconds.map_or(seconds, |longest| longest.min(seconds));
        // Real expiries have whole seconds.
        let expires_at_ms = (self.now_ms() + seconds * 1_000).div_euclid(1_000) * 1_000;
        let minted = Minted {
            access_key_id: self.unique("ASIA", 20),
            secret_access_key: self.unique("session/secret+", 40),
            token: self.unique("session/token+", 120),
            expires_at_ms,
        };
        let (secret_access_key, token) = (minted.secret_access_key.clone(), minted.token.clone());
        self.sessions.insert(
            minted.access_key_id.clone(),
            Session { secret_access_key, token, expires_at_ms, principal, v1: false, ended: false },
        );
        minted
    }

    /// What goes wrong with this request.
    pub(super) fn take_fault(&mut self, service: Service) -> Option<Fault> {
        let next = self.faults.iter().position(|(only, _)| only.is_none_or(|only| only == service));
        next.and_then(|next| self.faults.remove(next)).map(|(_, fault)| fault).or_else(|| self.outage(service))
    }

    pub(super) fn set_outage(&mut self, service: Option<Service>, fault: Option<Fault>) {
        match fault {
            Some(fault) => self.outages.insert(service, fault),
            None => self.outages.remove(&service),
        };
    }

    /// What goes wrong with a service until told otherwise.
    pub(super) fn outage(&self, service: Service) -> Option<Fault> {
        self.outages.get(&Some(service)).or(self.outages.get(&None)).copied()
    }

    /// A text of this length that was never given before; markers that a search for leaks can find.
    pub(super) fn unique(&mut self, prefix: &str, length: usize) -> String {
        self.serial += 1;
        let mut state = self.serial.wrapping_mul(0x9E37_79B9_7F4A_7C15);
        let mut text = format!("{prefix}{}", if prefix.len() == 4 { "" } else { "MARK" });
        while text.len() < length {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            text.push(char::from(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567"[(state >> 59) as usize]));
        }
        text
    }
}
