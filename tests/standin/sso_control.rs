//! How tests arrange SSO and Signin: in Rust by methods, and from outside by requests.

use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use super::grants::{RefreshToken, Rotation};
use super::server::StandIn;
use super::services::{Service, text};
use super::signin::SigninSettings;
use super::sso::{Said, SsoSettings, bare};
use super::world::World;

impl StandIn {
    /// Changes how Identity Center behaves.
    pub fn sso(&self, change: impl FnOnce(&mut SsoSettings)) {
        change(&mut self.shared.world().sso.settings);
    }

    /// Changes how Signin behaves.
    pub fn signin(&self, change: impl FnOnce(&mut SigninSettings)) {
        change(&mut self.shared.world().signin.settings);
    }

    /// Changes what becomes of used refresh tokens of SSO.
    pub fn set_rotation(&self, rotation: Rotation) {
        self.sso(|settings| settings.rotation = rotation);
    }

    /// One more start URL.
    pub fn add_sso_instance(&self, start_url: &str) {
        self.shared.world().sso.instances.insert(bare(start_url).to_owned());
    }

    /// The person may use a role.
    pub fn assign(&self, account_id: &str, account_name: &str, role_name: &str) {
        self.shared.world().sso.assign(account_id, account_name, role_name);
    }

    /// The person may not use a role any more; the account stays.
    pub fn unassign(&self, account_id: &str, role_name: &str) {
        assert!(self.shared.world().sso.unassign(account_id, role_name), "it was not assigned");
    }

    /// The user codes that wait for an answer.
    pub fn waiting_user_codes(&self) -> Vec<String> {
        let world = self.shared.world();
        world.sso.waiting(world.now_ms())
    }

    /// The person allows one device, or all that wait; how many there were.
    pub fn approve(&self, user_code: Option<&str>) -> usize {
        let mut world = self.shared.world();
        let now_ms = world.now_ms();
        world.sso.say(Said::Allow, user_code, now_ms)
    }

    /// The person denies one device, or all that wait; how many there were.
    pub fn deny(&self, user_code: Option<&str>) -> usize {
        let mut world = self.shared.world();
        let now_ms = world.now_ms();
        world.sso.say(Said::Deny, user_code, now_ms)
    }

    /// Everyone is signed out of SSO: no token is good any more.
    pub fn end_sso_sessions(&self) {
        self.shared.world().sso.sessions.iter_mut().for_each(|session| session.revoked = true);
    }

    /// Everyone is signed out of Signin; minted credentials live on, as they do at AWS.
    pub fn end_signin_sessions(&self) {
        self.shared.world().signin.sessions.iter_mut().for_each(|session| session.revoked = true);
    }

    /// The portal takes none of the access tokens of now; they can be refreshed.
    pub fn revoke_access_tokens(&self) {
        self.shared.world().sso.access_tokens.values_mut().for_each(|token| token.revoked = true);
    }

    /// None of SSO's refresh tokens of now is taken; the access tokens are good until they expire.
    pub fn revoke_refresh_tokens(&self) {
        self.shared.world().sso.refresh_tokens.values_mut().for_each(|token| token.revoked = true);
    }

    /// AWS forgets the registered clients.
    pub fn forget_clients(&self) {
        self.shared.world().sso.clients.clear();
    }

    /// Whether the portal would take this access token now.
    pub fn is_signed_in(&self, access_token: &str) -> bool {
        let world = self.shared.world();
        world.sso.signed_in(access_token, world.now_ms()).is_some()
    }

    /// The refresh token of the last sign-in that is good now; `None` once that session is over.
    pub fn newest_refresh_token(&self, service: Service) -> Option<String> {
        let world = self.shared.world();
        let (sessions, tokens) = match service {
            Service::Signin => (&world.signin.sessions, &world.signin.refresh_tokens),
            _ => (&world.sso.sessions, &world.sso.refresh_tokens),
        };
        let last = sessions.len().checked_sub(1).filter(|last| sessions[*last].is_live(world.now_ms()))?;
        let is_good = |token: &RefreshToken| token.session == last && token.replaced_at_ms.is_none() && !token.revoked;
        tokens.iter().find(|(_, token)| is_good(token)).map(|(text, _)| text.clone())
    }

    /// The stand-in's clock.
    pub fn now_ms(&self) -> i64 {
        self.shared.world().now_ms()
    }

    /// When a service's last answer was sent; `None` while one is made.
    pub fn answered_ms(&self, service: Service) -> Option<i64> {
        self.shared.world().answered_ms.get(&service).copied()
    }

    pub fn live_sso_sessions(&self) -> usize {
        let world = self.shared.world();
        world.sso.live_sessions(world.now_ms())
    }

    pub fn live_signin_sessions(&self) -> usize {
        let world = self.shared.world();
        world.signin.sessions.iter().filter(|session| session.is_live(world.now_ms())).count()
    }
}

/// The same from outside; `None` is what was not understood.
pub(super) fn carry_out(world: &mut World, command: &str, given: &Value) -> Option<Value> {
    let now_ms = world.now_ms();
    Some(match command {
        "sso" => changed(&mut world.sso.settings, given)?,
        "signin" => changed(&mut world.signin.settings, given)?,
        "sso-instance" => {
            world.sso.instances.insert(bare(text(given, "start_url")?).to_owned());
            json!({})
        }
        "assign" => {
            let account = text(given, "account_id")?;
            let name = text(given, "account_name").unwrap_or(account);
            world.sso.assign(account, name, text(given, "role_name")?);
            json!({})
        }
        "unassign" => {
            json!({"assigned": world.sso.unassign(text(given, "account_id")?, text(given, "role_name")?)})
        }
        "waiting" => json!({"user_codes": world.sso.waiting(now_ms)}),
        "approve" => json!({"answered": world.sso.say(Said::Allow, text(given, "user_code"), now_ms)}),
        "deny" => json!({"answered": world.sso.say(Said::Deny, text(given, "user_code"), now_ms)}),
        "end-sessions" => {
            // Without a service it is those of both.
            let service = text(given, "service");
            if service != Some("signin") {
                world.sso.sessions.iter_mut().for_each(|session| session.revoked = true);
            }
            if service != Some("sso") {
                world.signin.sessions.iter_mut().for_each(|session| session.revoked = true);
            }
            json!({})
        }
        "revoke-access-tokens" => {
            world.sso.access_tokens.values_mut().for_each(|token| token.revoked = true);
            json!({})
        }
        "revoke-refresh-tokens" => {
            world.sso.refresh_tokens.values_mut().for_each(|token| token.revoked = true);
            json!({})
        }
        "forget-clients" => {
            world.sso.clients.clear();
            json!({})
        }
        "sessions" => json!({
            "sso": world.sso.live_sessions(now_ms),
            "signin": world.signin.sessions.iter().filter(|session| session.is_live(now_ms)).count(),
        }),
        _ => return None,
    })
}

/// Settings with some of their fields changed; all of them are the answer. A field that there is not changes nothing.
fn changed<S: Serialize + DeserializeOwned>(settings: &mut S, given: &Value) -> Option<Value> {
    let mut all = serde_json::to_value(&*settings).ok()?;
    for (name, value) in given.as_object()? {
        all[name.as_str()] = value.clone();
    }
    *settings = serde_json::from_value(all.clone()).ok()?;
    Some(all)
}
