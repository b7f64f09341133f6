//! What the stand-in knows of IAM Identity Center: who may do what, registered clients, and who is signed in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::grants::{Code, RefreshToken, Rotation, SignedIn};
use super::world::World;

/// The start URL that is known from the beginning.
pub const START_URL: &str = "https://d-9067012345.awsapps.com/start";

/// How Identity Center behaves. In the control command `sso` the keys are these fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SsoSettings {
    /// Who signs in; the name of the sessions of their roles.
    pub person: String,
    /// How long a registration is good.
    pub client_seconds: i64,
    pub device_code_seconds: i64,
    pub device_interval_seconds: i64,
    /// So many of the next polls are told to slow down, whenever they come.
    pub slow_downs: u32,
    /// How long an authorization code is good.
    pub code_seconds: i64,
    /// A page that is opened counts as allowed, without a click.
    pub auto_approve: bool,
    /// `/authorize` sends back another state than it was given.
    pub tamper_state: bool,
    pub access_token_seconds: i64,
    /// How long someone stays signed in, whatever is refreshed.
    pub session_seconds: i64,
    pub rotation: Rotation,
    /// How long `Rotation::RotateGrace` still takes an old refresh token.
    pub grace_seconds: i64,
    /// How long the credentials of a role live.
    pub role_seconds: i64,
    /// The portal throttles who calls more often.
    pub portal_calls_per_second: Option<u32>,
    /// How many accounts or roles the portal lists at once, at most.
    pub page_size: usize,
    /// Where `/vanity` leads.
    pub vanity_leads_to: String,
}

impl Default for SsoSettings {
    fn default() -> Self {
        Self {
            person: "someone".to_owned(),
            client_seconds: 90 * 86_400,
            device_code_seconds: 600,
            device_interval_seconds: 1,
            slow_downs: 0,
            code_seconds: 600,
            auto_approve: false,
            tamper_state: false,
            access_token_seconds: 3_600,
            session_seconds: 8 * 3_600,
            rotation: Rotation::Rotate,
            grace_seconds: 60,
            role_seconds: 3_600,
            portal_calls_per_second: None,
            page_size: 2,
            vanity_leads_to: START_URL.to_owned(),
        }
    }
}

/// An account in which the person has roles.
#[derive(Default)]
pub(super) struct Account {
    pub name: String,
    pub roles: BTreeSet<String>,
}

/// A registered client.
pub(super) struct Client {
    pub secret: String,
    pub expires_at_ms: i64,
    pub scopes: Vec<String>,
    /// Empty for one that was registered without: the older form.
    pub grant_types: Vec<String>,
    pub redirect_uris: Vec<String>,
    pub issuer_url: Option<String>,
}

/// What the person said to a device's request.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Nothing,
    Allow,
    Deny,
    /// The tokens were fetched already.
    Fetched,
}

/// A device that waits for its person.
pub(super) struct Device {
    pub client_id: String,
    pub user_code: String,
    pub expires_at_ms: i64,
    pub interval_seconds: i64,
    pub polled_at_ms: Option<i64>,
    pub said: Said,
}

pub(super) struct AccessToken {
    pub session: usize,
    pub expires_at_ms: i64,
    pub revoked: bool,
}

#[derive(Default)]
pub(super) struct Sso {
    pub settings: SsoSettings,
    /// Start URLs beside `START_URL`.
    pub instances: BTreeSet<String>,
    pub accounts: BTreeMap<String, Account>,
    pub clients: BTreeMap<String, Client>,
    pub devices: BTreeMap<String, Device>,
    pub codes: BTreeMap<String, Code>,
    pub sessions: Vec<SignedIn>,
    pub access_tokens: BTreeMap<String, AccessToken>,
    pub refresh_tokens: BTreeMap<String, RefreshToken>,
    /// When the portal was called in the last second.
    pub portal_calls_ms: VecDeque<i64>,
}

/// A start URL as people write it: with a slash or the portal's fragment at its end, or without.
pub(super) fn bare(start_url: &str) -> &str {
    start_url.trim_end_matches(['/', '#'])
}

impl Sso {
    pub(super) fn knows(&self, start_url: &str) -> bool {
        let asked = bare(start_url);
        asked == START_URL || self.instances.contains(asked)
    }

    pub(super) fn assign(&mut self, account_id: &str, account_name: &str, role_name: &str) {
        let account = self.accounts.entry(account_id.to_owned()).or_default();
        account.name = account_name.to_owned();
        account.roles.insert(role_name.to_owned());
    }

    pub(super) fn unassign(&mut self, account_id: &str, role_name: &str) -> bool {
        self.accounts.get_mut(account_id).is_some_and(|account| account.roles.remove(role_name))
    }

    /// The devices' codes that wait for an answer.
    pub(super) fn waiting(&self, now_ms: i64) -> Vec<String> {
        let waits = |device: &&Device| device.said == Said::Nothing && now_ms < device.expires_at_ms;
        self.devices.values().filter(waits).map(|device| device.user_code.clone()).collect()
    }

    /// The person answers one device, or all that wait; how many there were.
    pub(super) fn say(&mut self, said: Said, user_code: Option<&str>, now_ms: i64) -> usize {
        let mut answered = 0;
        for device in self.devices.values_mut() {
            let asked = user_code.is_none_or(|code| code == device.user_code);
            if asked && device.said == Said::Nothing && now_ms < device.expires_at_ms {
                device.said = said;
                answered += 1;
            }
        }
        answered
    }

    /// The session of an access token that is good now.
    pub(super) fn signed_in(&self, access_token: &str, now_ms: i64) -> Option<usize> {
        let token = self.access_tokens.get(access_token)?;
        let live = !token.revoked && now_ms < token.expires_at_ms && self.sessions[token.session].is_live(now_ms);
        live.then_some(token.session)
    }

    pub(super) fn live_sessions(&self, now_ms: i64) -> usize {
        self.sessions.iter().filter(|session| session.is_live(now_ms)).count()
    }
}

/// Someone signed in: a session, and the first tokens of it.
pub(super) fn sign_in(world: &mut World, client_id: &str) -> Value {
    let ends_at_ms = world.now_ms() + world.sso.settings.session_seconds * 1_000;
    world.sso.sessions.push(SignedIn { ends_at_ms, revoked: false });
    let session = world.sso.sessions.len() - 1;
    let refreshes = world.sso.clients.get(client_id).is_some_and(|client| !client.scopes.is_empty());
    let refresh_token = refreshes.then(|| new_refresh_token(world, session, client_id));
    tokens(world, session, refresh_token)
}

pub(super) fn new_refresh_token(world: &mut World, session: usize, client_id: &str) -> String {
    let token = world.unique("sso/refresh+", 80);
    world.sso.refresh_tokens.insert(token.clone(), RefreshToken::new(session, client_id));
    token
}

/// A new access token, as the answers show it; it does not outlive the session.
pub(super) fn tokens(world: &mut World, session: usize, refresh_token: Option<String>) -> Value {
    let (now_ms, token) = (world.now_ms(), world.unique("sso/access+", 80));
    let left = (world.sso.sessions[session].ends_at_ms - now_ms).div_euclid(1_000);
    let seconds = world.sso.settings.access_token_seconds.min(left);
    let issued = AccessToken { session, expires_at_ms: now_ms + seconds * 1_000, revoked: false };
    world.sso.access_tokens.insert(token.clone(), issued);
    let mut answer = json!({"accessToken": token, "tokenType": "Bearer", "expiresIn": seconds});
    if let Some(refresh_token) = refresh_token {
        answer["refreshToken"] = refresh_token.into();
    }
    answer
}
