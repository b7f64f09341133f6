//! What may be wrong with an account's keys and regions, and how tests arrange it: in Rust by methods, and from outside by
//! requests.

use serde_json::{Value, json};

use super::server::StandIn;
use super::world::{Key, Minted, Principal, World};

/// What a region is to the account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RegionState {
    /// Keys are taken there.
    Enabled,
    /// An opt-in region that the account has not enabled: no key of it is known there.
    NotEnabled,
    /// Enabled, with STS turned off in the account's settings.
    StsOff,
}

/// A session that is simply there.
#[derive(Clone, Debug)]
pub struct NewSession<'a> {
    /// `arn:…:user/NAME`, or `arn:…:assumed-role/NAME/SESSION`.
    pub arn: &'a str,
    /// From now; a negative number is in the past.
    pub seconds: i64,
    /// With a token of the first version, as the global endpoint gives it: opt-in regions don't take it.
    pub v1: bool,
    /// Whether an MFA code was shown.
    pub mfa: bool,
}

/// The keys of a session.
#[derive(Clone, Debug)]
pub struct SessionKeys {
    pub access_key_id: String,
    pub secret_access_key: String,
    pub session_token: String,
}

/// The regions that were launched after March 2019 have to be enabled, and don't take tokens of the first version (IAM User
/// Guide, "Manage AWS STS in an AWS Region").
const OPT_IN: &[&str] = &[
    "af-south-1",
    "ap-east-1",
    "ap-east-2",
    "ap-south-2",
    "ap-southeast-3",
    "ap-southeast-4",
    "ap-southeast-5",
    "ap-southeast-7",
    "ca-west-1",
    "eu-central-2",
    "eu-south-1",
    "eu-south-2",
    "il-central-1",
    "me-central-1",
    "me-south-1",
    "mx-central-1",
];

impl StandIn {
    /// What a region is to the account. Where nothing was said it is enabled.
    pub fn set_region(&self, region: &str, state: RegionState) {
        self.shared.world().regions.insert(region.to_owned(), state);
    }

    /// Nobody knows a key or a session any more: it, or the user or role that it is of, was deleted.
    pub fn revoke(&self, access_key_id: &str) {
        assert!(self.shared.world().revoke(access_key_id), "there was no such key");
    }

    /// A session that nobody asked for.
    pub fn mint_session(&self, session: &NewSession<'_>) -> SessionKeys {
        let Minted { access_key_id, secret_access_key, token, .. } = self.shared.world().mint_session(session);
        SessionKeys { access_key_id, secret_access_key, session_token: token }
    }

    /// A user of an account of another partition.
    pub fn add_user_of(&self, partition: &str, account: &str, name: &str) -> Key {
        let mut world = self.shared.world();
        let key = world.add_user(account, name);
        if let Some(user) = world.users.get_mut(&key.access_key_id) {
            user.arn = format!("arn:{partition}:iam::{account}:user/{name}");
        }
        key
    }
}

impl World {
    pub(super) fn region(&self, region: &str) -> RegionState {
        self.regions.get(region).copied().unwrap_or(RegionState::Enabled)
    }

    pub(super) fn revoke(&mut self, access_key_id: &str) -> bool {
        self.users.remove(access_key_id).is_some() | self.sessions.remove(access_key_id).is_some()
    }

    pub(super) fn mint_session(&mut self, session: &NewSession<'_>) -> Minted {
        let NewSession { arn, seconds, v1, mfa } = *session;
        let mut parts = arn.split(':').skip(4);
        let account = parts.next().unwrap_or_default().to_owned();
        let role =
            parts.next().unwrap_or_default().strip_prefix("assumed-role/").and_then(|rest| rest.split('/').next());
        let role_arn = role.map(|name| format!("arn:aws:iam::{account}:role/{name}"));
        let principal = Principal { arn: arn.to_owned(), account, role_arn, temporary: true, mfa };
        let minted = self.mint(seconds, principal);
        if let Some(session) = self.sessions.get_mut(&minted.access_key_id) {
            session.v1 = v1;
        }
        minted
    }
}

/// Whether a region takes tokens of the second version only.
pub(super) fn is_opt_in(region: &str) -> bool {
    OPT_IN.contains(&region)
}

/// The partition of a region: keys of one are unknown in the others.
pub(super) fn partition(region: &str) -> &'static str {
    match region {
        _ if region.starts_with("cn-") => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        _ => "aws",
    }
}

/// The commands about keys and regions; `None` for what is none or is not understood.
pub(super) fn carry_out(world: &mut World, command: &str, given: &Value) -> Option<Value> {
    let text = |name: &str| given[name].as_str();
    match command {
        "region" => {
            let state = match text("state")? {
                "enabled" => RegionState::Enabled,
                "not-enabled" => RegionState::NotEnabled,
                "sts-off" => RegionState::StsOff,
                _ => return None,
            };
            world.regions.insert(text("region")?.to_owned(), state);
            Some(json!({}))
        }
        "revoke" => world.revoke(text("access_key_id")?).then(|| json!({})),
        "session" => {
            let minted = world.mint_session(&NewSession {
                arn: text("arn")?,
                seconds: given["seconds"].as_i64().unwrap_or(3_600),
                v1: given["v1"].as_bool().unwrap_or(false),
                mfa: given["mfa"].as_bool().unwrap_or(false),
            });
            Some(json!({
                "access_key_id": minted.access_key_id,
                "secret_access_key": minted.secret_access_key,
                "session_token": minted.token,
            }))
        }
        _ => None,
    }
}
