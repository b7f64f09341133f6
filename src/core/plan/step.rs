//! The steps of a plan: each says exactly what has to be done, with everything it needs, and nothing else.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use sha2::{Digest, Sha256};

use super::chain::Chain;
use crate::core::aws_error::{INVALID_RESPONSE, METADATA_UNAVAILABLE, PROCESS_FAILED};
use crate::core::hex::hex;
use crate::core::secret::Secret;
use crate::core::session::{LoginSession, Session, SsoSession};
use crate::core::time::AwsTime;

/// How one profile's credentials are got: the steps in the order in which they run, never empty.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Plan {
    /// The profile.
    pub profile: String,
    /// The first step needs no credentials. Each later step is signed with those of the step before it.
    pub steps: Chain,
    /// The endpoint of the profile's own calls. Steps without a call probe AWS time at it. Plans share it.
    pub endpoint: Arc<Endpoint>,
    /// The profile's setting `region`.
    pub region: Option<String>,
    /// What was said about when it is renewed.
    pub renew: Option<RenewAs>,
    /// What a person may want to know about how the files were read.
    pub notes: Vec<String>,
}

/// When evercred renews a profile's credentials, if the settings say so.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RenewAs {
    /// Before they expire, even if that runs a program that may need the user.
    Auto,
    /// On request only.
    OnDemand,
}

/// One step of a plan.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The profile whose settings made this step: for people, not part of what identifies the credential.
    pub profile: String,
    /// What is done.
    pub source: Source,
}

/// What one step does.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// Keys that stand in a file.
    Static(StaticKeys),
    /// `credential_source = Environment`: the caller's, which a daemon does not have.
    Environment,
    /// `credential_source = EcsContainer`.
    Container,
    /// `credential_source = Ec2InstanceMetadata`.
    InstanceMetadata,
    /// `credential_process` of another program.
    Process {
        /// The command line as it stands in the file.
        command: String,
    },
    /// The token of an IAM Identity Center session, from the AWS tools' cache: asks for role credentials, and is shared by
    /// every role behind the session. People see it and the role as one step.
    SsoToken(Arc<SsoSession>),
    /// Role credentials of IAM Identity Center.
    Sso(Box<SsoRole>),
    /// A session of `aws login`.
    Login(LoginSession),
    /// AssumeRoleWithWebIdentity.
    WebIdentity(WebIdentity),
    /// GetSessionToken with an MFA code.
    SessionToken(SessionToken),
    /// AssumeRole.
    AssumeRole(AssumeRole),
}

/// Keys as they stand in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StaticKeys {
    /// `aws_access_key_id`.
    pub access_key_id: String,
    /// `aws_secret_access_key`.
    pub secret_access_key: Secret,
    /// `aws_session_token` (or the older `aws_security_token`).
    pub session_token: Option<Secret>,
    /// What the tool that wrote temporary keys said about their expiry.
    pub expires: StatedExpiry,
}

/// The expiry that stands beside temporary keys in the credentials file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StatedExpiry {
    /// Nothing is said, or nothing that can be read.
    Unstated,
    /// A time with a zone, or an epoch.
    At(AwsTime),
    /// A time without a zone: one of the two, depending on whether UTC or local time was meant.
    Either {
        /// The earlier reading.
        earlier: AwsTime,
        /// The later reading.
        later: AwsTime,
    },
}

/// The parameters of an AssumeRole call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AssumeRole {
    /// The role.
    pub role_arn: String,
    /// The session's name, shown in CloudTrail.
    pub role_session_name: String,
    /// The external id that the role's trust policy asks for.
    pub external_id: Option<String>,
    /// Seconds asked for; `None` leaves it to AWS (one hour).
    pub duration_seconds: Option<u32>,
    /// The MFA device whose code the call must carry.
    pub mfa_serial: Option<String>,
    /// A program that prints the device's code: the way to it, no part of what identifies the credential.
    pub mfa_process: Option<String>,
    /// Where the call goes.
    pub endpoint: Arc<Endpoint>,
}

/// The parameters of an AssumeRoleWithWebIdentity call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct WebIdentity {
    /// The role.
    pub role_arn: String,
    /// The file with the token.
    pub token_file: String,
    /// The session's name.
    pub role_session_name: String,
    /// Seconds asked for.
    pub duration_seconds: Option<u32>,
    /// Where the call goes.
    pub endpoint: Endpoint,
}

/// A role of IAM Identity Center.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SsoRole {
    /// Whose token asks for it.
    pub session: Arc<SsoSession>,
    /// `sso_account_id`.
    pub account_id: String,
    /// `sso_role_name`.
    pub role_name: String,
}

/// The parameters of a GetSessionToken call.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SessionToken {
    /// The device.
    pub mfa_serial: Option<String>,
    /// A program that prints the device's code: the way to it, no part of what identifies the credential.
    pub mfa_process: Option<String>,
    /// Seconds asked for.
    pub duration_seconds: Option<u32>,
    /// Where the call goes.
    pub endpoint: Endpoint,
}

/// Where a call goes.
#[derive(Clone, Debug, PartialEq, Eq, Hash, serde::Serialize, serde::Deserialize)]
pub struct Endpoint {
    /// The region that is signed for.
    pub region: String,
    /// An endpoint that the person configured instead of AWS's own.
    pub url: Option<String>,
    /// `use_fips_endpoint`.
    pub fips: bool,
    /// `use_dualstack_endpoint`.
    pub dual_stack: bool,
    /// The profile's `ca_bundle`, unless a variable overrides it: the trusted certificates.
    #[serde(default)]
    pub ca_bundle: Option<CaBundle>,
}

/// A file with the certificates that calls trust. Two bundles with the same path are equal, whatever setting names
/// them.
#[derive(Clone, Debug, serde::Serialize, serde::Deserialize)]
pub struct CaBundle {
    /// Its path.
    pub path: String,
    /// The setting that names it, for messages: the profile and the line.
    pub named_by: String,
}

impl PartialEq for CaBundle {
    fn eq(&self, other: &Self) -> bool {
        self.path == other.path
    }
}

impl Eq for CaBundle {}

impl Hash for CaBundle {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.path.hash(state);
    }
}

/// The services of AWS that are called.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Service {
    /// The Security Token Service.
    Sts,
    /// The access portal of IAM Identity Center, which gives role credentials.
    Portal,
    /// The OpenID Connect service of IAM Identity Center, which gives and renews tokens.
    Oidc,
    /// AWS Sign-In, behind `aws login`.
    Signin,
}

/// What makes a credential the same credential: a digest of everything that decides who it is, from the first step on.
/// Two profiles whose plans begin with the same steps share those nodes.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize)]
#[serde(from = "String", into = "String")]
pub struct NodeKey(Arc<str>);

impl From<String> for NodeKey {
    fn from(text: String) -> Self {
        Self(text.into())
    }
}

impl From<NodeKey> for String {
    fn from(key: NodeKey) -> Self {
        key.as_str().to_owned()
    }
}

impl NodeKey {
    /// The key as text, for the state file.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl Plan {
    /// Whether it is nothing but keys that stand in a file.
    pub fn is_keys_alone(&self) -> bool {
        self.steps.only().is_some_and(|step| matches!(step.source, Source::Static(_)))
    }

    /// The key of the credential behind each step.
    pub fn keys(&self) -> Vec<NodeKey> {
        self.steps.links().into_iter().map(|link| link.key().clone()).collect()
    }
}

impl Step {
    /// The key of a step that needs no other before it.
    pub fn key(&self) -> NodeKey {
        self.source.key("")
    }
}

impl Source {
    /// The key of the credentials from this source. `parent` is the key of the credentials that sign the call; for a
    /// first step, the endpoint for which they are valid.
    pub(super) fn key(&self, parent: &str) -> NodeKey {
        NodeKey::from(digest(parent, self))
    }

    /// The service that the step's call goes to, where it is one to AWS.
    pub fn service(&self) -> Option<Service> {
        match self {
            Self::Static(_) | Self::AssumeRole(_) | Self::WebIdentity(_) | Self::SessionToken(_) => Some(Service::Sts),
            Self::Sso(_) => Some(Service::Portal),
            Self::SsoToken(_) => Some(Service::Oidc),
            Self::Login(_) => Some(Service::Signin),
            Self::Environment | Self::Container | Self::InstanceMetadata | Self::Process { .. } => None,
        }
    }

    /// The sign-in session whose cache file holds what the step gives.
    pub fn session(&self) -> Option<Session> {
        match self {
            Self::SsoToken(session) => Some(Session::Sso(SsoSession::clone(session))),
            Self::Login(session) => Some(Session::Login(session.clone())),
            _ => None,
        }
    }

    /// The MFA device whose code the step's call must carry.
    pub fn device(&self) -> Option<&str> {
        match self {
            Self::SessionToken(session) => session.mfa_serial.as_deref(),
            Self::AssumeRole(role) => role.mfa_serial.as_deref(),
            _ => None,
        }
    }

    /// The lifetime in seconds that the step requests.
    pub fn duration_seconds(&self) -> Option<u32> {
        match self {
            Self::AssumeRole(role) => role.duration_seconds,
            Self::WebIdentity(role) => role.duration_seconds,
            _ => None,
        }
    }

    /// The program that prints the code of that device.
    pub fn code_program(&self) -> Option<&str> {
        match self {
            Self::SessionToken(session) => session.mfa_process.as_deref(),
            Self::AssumeRole(role) => role.mfa_process.as_deref(),
            _ => None,
        }
    }

    /// The error code for an unusable answer of this source.
    pub fn bad_answer_code(&self) -> &'static str {
        match self {
            Self::Process { .. } => PROCESS_FAILED,
            Self::Container | Self::InstanceMetadata => METADATA_UNAVAILABLE,
            _ => INVALID_RESPONSE,
        }
    }

    /// Where the step's own call goes; static keys are tried where they are used.
    pub fn endpoint(&self) -> Option<&Endpoint> {
        match self {
            Self::SsoToken(session) => Some(&session.oidc),
            Self::Sso(role) => Some(&role.session.portal),
            Self::Login(session) => Some(&session.endpoint),
            Self::AssumeRole(role) => Some(&role.endpoint),
            Self::WebIdentity(role) => Some(&role.endpoint),
            Self::SessionToken(session) => Some(&session.endpoint),
            _ => None,
        }
    }
}

/// The region, FIPS and dual-stack switches are the way to AWS, not part of who the credential is; an endpoint that was
/// configured is, as another emulator is another AWS.
fn digest(parent: &str, source: &Source) -> String {
    fn opt(text: Option<&str>) -> &str {
        text.unwrap_or("\u{0}")
    }
    let number = |n: &Option<u32>| n.map_or_else(String::new, |n| n.to_string());
    let mut hasher = Sha256::new();
    let mut put = |field: &str| {
        // Length first, so that no two lists of fields give the same bytes.
        hasher.update((field.len() as u64).to_be_bytes());
        hasher.update(field.as_bytes());
    };
    put("evercred.node/1");
    put(parent);
    match source {
        Source::Static(keys) => {
            put("static");
            put(&keys.access_key_id);
            put(keys.secret_access_key.expose());
            put(opt(keys.session_token.as_ref().map(Secret::expose)));
        }
        Source::Environment => put("environment"),
        Source::Container => put("container"),
        Source::InstanceMetadata => put("instance-metadata"),
        Source::Process { command } => {
            put("process");
            put(command);
        }
        // Not the endpoint: profiles that have another one share the cache file all the same.
        Source::SsoToken(session) => {
            let SsoSession { name, start_url, region, .. } = &**session;
            put("sso-token");
            for field in [opt(name.as_deref()), start_url, region] {
                put(field);
            }
        }
        Source::Sso(role) => {
            let SsoRole { session, account_id, role_name } = &**role;
            put("sso");
            for field in [account_id, role_name, opt(session.portal.url.as_deref())] {
                put(field);
            }
        }
        Source::Login(LoginSession { login_session, .. }) => {
            put("login");
            put(login_session);
        }
        Source::WebIdentity(WebIdentity { role_arn, token_file, role_session_name, duration_seconds, endpoint }) => {
            put("web-identity");
            for field in
                [role_arn, token_file, role_session_name, &number(duration_seconds), opt(endpoint.url.as_deref())]
            {
                put(field);
            }
        }
        Source::SessionToken(SessionToken { mfa_serial, mfa_process: _, duration_seconds, endpoint }) => {
            put("session-token");
            for field in [opt(mfa_serial.as_deref()), &number(duration_seconds), opt(endpoint.url.as_deref())] {
                put(field);
            }
        }
        Source::AssumeRole(role) => {
            put("assume-role");
            for field in [
                &role.role_arn,
                &role.role_session_name,
                opt(role.external_id.as_deref()),
                &number(&role.duration_seconds),
                opt(role.mfa_serial.as_deref()),
                opt(role.endpoint.url.as_deref()),
            ] {
                put(field);
            }
        }
    }
    hex(&hasher.finalize())
}
