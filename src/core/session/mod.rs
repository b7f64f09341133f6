//! Sign-in sessions as the AWS tools keep them: where a session's cache file is, what is in it, and how it is changed.
//!
//! IAM Identity Center (`sso_session`, or the legacy form without one) and `aws login` have the same shape: a file that many
//! programs read and write, a short-lived token in it, and a refresh token that gets the next one and may change with it.

mod authorize;
mod cache_access;
mod cache_file;
mod left_over;
mod login_token;
mod refresh;
mod server_answer;
mod sso_token;

pub use authorize::{
    Authorization, REDIRECT_PATH, Redirect, login_url, read_pasted, read_redirect, registration_file, sso_url,
};
pub use cache_access::{Access, CacheAccess, CacheFileFacts, CacheProblem, set_aside};
pub use cache_file::{CacheFile, CacheFolder};
pub use left_over::{LeftOverIs, MARK, is_left_over, judge_left_over, left_over_suffix};
pub use login_token::{LoginRefresh, LoginToken, login_session_of};
pub use refresh::{
    After, Before, Found, Refused, Save, TokenAnswer, after_refresh, after_refusal, as_known, before_refresh,
    before_save, is_older, is_whole,
};
pub use server_answer::{DeviceAuthorization, registration_expiry, role_expiry};
pub use sso_token::{Registration, SsoRefresh, SsoToken, is_vanity, region_of_start_url};

use sha2::{Digest, Sha256};

use crate::core::credential::Grant;
use crate::core::hex::hex;
use crate::core::plan::Endpoint;
use crate::core::redact::without_whole_secrets;
use crate::core::secret::Secret;
use crate::core::time::WallTime;

/// What a client of IAM Identity Center may do where nothing else is said: list accounts and roles, and get credentials.
pub const DEFAULT_SCOPE: &str = "sso:account:access";

/// A session of IAM Identity Center, as the files describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsoSession {
    /// The `sso-session` section; `None` in the legacy form.
    pub name: Option<String>,
    /// `sso_start_url`.
    pub start_url: String,
    /// `sso_region`.
    pub region: String,
    /// `sso_registration_scopes`; none in the legacy form.
    pub scopes: Vec<String>,
    /// Where tokens come from.
    pub oidc: Endpoint,
    /// Where role credentials come from.
    pub portal: Endpoint,
}

/// A session of `aws login`, as the files describe it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoginSession {
    /// The value of `login_session`: the ARN of who signed in.
    pub login_session: String,
    /// Where its credentials come from.
    pub endpoint: Endpoint,
}

/// A sign-in session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Session {
    /// Of IAM Identity Center.
    Sso(SsoSession),
    /// Of `aws login`.
    Login(LoginSession),
}

/// What a cache file holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CachedToken {
    /// Of IAM Identity Center.
    Sso(Box<SsoToken>),
    /// Of `aws login`.
    Login(Box<LoginToken>),
}

/// Why a cache file is not used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unusable {
    /// The end of a sentence that begins with the file. It shows no secret of it.
    pub why: String,
    /// It is a whole file of another session: nothing of it is ours to replace.
    pub foreign: bool,
}

/// What a session is, by its label, for the beginning of a sentence: as [`Session::described`] says it.
pub fn described(label: &str) -> String {
    if label.starts_with("arn:") {
        format!("the login session {label}")
    } else if label.contains("://") {
        format!("the SSO sign-in at {label}")
    } else {
        format!("the SSO session \"{label}\"")
    }
}

impl Session {
    /// What people call it: the section's name, or what stands in its place.
    pub fn label(&self) -> &str {
        match self {
            Self::Sso(session) => session.name.as_deref().unwrap_or(&session.start_url),
            Self::Login(session) => &session.login_session,
        }
    }

    /// What it is, for the beginning of a sentence.
    pub fn described(&self) -> String {
        match self {
            Self::Sso(SsoSession { name: Some(name), .. }) => format!("the SSO session \"{name}\""),
            Self::Sso(SsoSession { start_url, .. }) => described(start_url),
            // A secret may be in the place of the ARN.
            Self::Login(session) => format!("the login session {}", without_whole_secrets(&session.login_session)),
        }
    }

    /// Its file in the cache.
    pub fn cache_file(&self) -> CacheFile {
        match self {
            Self::Sso(session) => CacheFile::of_sso(session.name.as_deref().unwrap_or(&session.start_url)),
            Self::Login(session) => CacheFile::of_login(&session.login_session),
        }
    }

    /// Reads a cache file's text.
    ///
    /// # Errors
    /// Why it can't be this session's.
    pub fn read(&self, text: &str) -> Result<CachedToken, Unusable> {
        match self {
            Self::Sso(session) => SsoToken::read(text, session).map(|token| CachedToken::Sso(Box::new(token))),
            Self::Login(_) => LoginToken::read(text).map(|token| CachedToken::Login(Box::new(token))),
        }
    }

    /// The session that the text of a cache file names. It is enough to read the file's tokens without the AWS files.
    pub fn of_token(text: &str) -> Option<Self> {
        let document: serde_json::Value = serde_json::from_str(text).ok()?;
        let field = |name: &str| document.get(name).and_then(serde_json::Value::as_str).map(str::to_owned);
        let region = field("region").unwrap_or_default();
        let endpoint = Endpoint { region: region.clone(), url: None, fips: false, dual_stack: false, ca_bundle: None };
        if document.get("accessToken")?.is_object() {
            let login_session = field("loginSession").unwrap_or_default();
            return Some(Self::Login(LoginSession { login_session, endpoint }));
        }
        let (start_url, scopes) = (field("startUrl").unwrap_or_default(), Vec::new());
        Some(Self::Sso(SsoSession { name: None, start_url, region, scopes, oidc: endpoint.clone(), portal: endpoint }))
    }

    /// Where its tokens come from.
    pub fn endpoint(&self) -> &Endpoint {
        match self {
            Self::Sso(session) => &session.oidc,
            Self::Login(session) => &session.endpoint,
        }
    }
}

impl CachedToken {
    /// When it expires, by the clock of the machine that wrote the file: the AWS tools stamp it with their own.
    pub fn expires(&self) -> WallTime {
        match self {
            Self::Sso(token) => token.expires,
            Self::Login(token) => token.expires,
        }
    }

    /// What gets the next token, where there is such a thing.
    pub fn refresh_token(&self) -> Option<&Secret> {
        match self {
            Self::Sso(token) => token.refresh.as_ref().map(|refresh| &refresh.refresh_token),
            Self::Login(token) => token.refresh.as_ref().map(|refresh| &refresh.refresh_token),
        }
    }

    /// What it is good for.
    pub fn grant(&self) -> Grant {
        match self {
            Self::Sso(token) => Grant::Token(token.access_token.clone()),
            Self::Login(token) => Grant::Keys(token.credentials.clone()),
        }
    }

    /// The text of the file with an answer in it, and the token then; `None` for an answer of another kind.
    fn renewed(
        &self,
        old: Option<&str>,
        session: &Session,
        answer: &TokenAnswer,
        expires: WallTime,
    ) -> Option<(String, Self)> {
        let next = answer.refresh_token.as_ref();
        match (self, session, &answer.grant) {
            (Self::Sso(token), Session::Sso(session), Grant::Token(access_token)) => {
                let (text, token) = token.renewed(old, session, access_token, next, expires);
                Some((text, Self::Sso(Box::new(token))))
            }
            (Self::Login(token), Session::Login(_), Grant::Keys(credentials)) => {
                let (text, token) = token.renewed(old, credentials, next, expires);
                Some((text, Self::Login(Box::new(token))))
            }
            _ => None,
        }
    }

    /// The text of the file with this token in it; what was in the old text and is not known here stays.
    pub fn text(&self, old: Option<&str>, session: &Session) -> String {
        match (self, session) {
            (Self::Sso(token), Session::Sso(session)) => token.text(old, session),
            (Self::Login(token), _) => token.text(old),
            (Self::Sso(_), Session::Login(_)) => String::new(),
        }
    }

    /// SHA-256 of its secrets, in hexadecimal: recognises the token without storing it.
    pub fn digest(&self) -> String {
        let mut hash = Sha256::new();
        hash.update(self.secret().expose());
        hash.update([0]);
        hash.update(self.refresh_token().map_or("", Secret::expose));
        hex(&hash.finalize())
    }

    fn secret(&self) -> &Secret {
        match self {
            Self::Sso(token) => &token.access_token,
            Self::Login(token) => &token.credentials.secret_access_key,
        }
    }

    /// Whether both are one and the same token.
    pub fn is_same(&self, other: &Self) -> bool {
        self.secret() == other.secret() && self.refresh_token() == other.refresh_token()
    }
}
