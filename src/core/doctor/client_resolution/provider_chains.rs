//! Each kind of program's chain of places where it looks for credentials, in its order. The first step that has an answer
//! decides; that may be to give up. What one passes over as incomplete, another stops at.
//!
//! Steps marked (t) were tried: with boto3 1.43, the AWS CLI 1.45 and `credential-provider-node` 3.972 in tests/clients
//! (`test_choice.py`), in Go and Java by hand. Rust's chain was tried by hand with aws-config 1.13 on the same stories. All else
//! of Go and Java is as their sources read: the file is named at each chain.

use super::client::{Client, ResolvedFrom};
pub(super) use super::client_view::ROLE;
use super::client_view::{ClientView, KEYS, LOGIN, PROCESS, SOURCE, SSO, TOKEN_FILE, fails};
use crate::core::doctor::{Evidence, Variables};
use crate::core::profile::{Profiles, Section, SourceFile};

/// What a program would use; `named` is a profile that it is told by AWS_PROFILE besides what stands in the variables.
pub(super) fn choose(client: Client, evidence: &Evidence, named: Option<&str>) -> ResolvedFrom {
    first(&ClientView::new(client, evidence, named)).unwrap_or(ResolvedFrom::Nothing)
}

/// Which of a profile's own settings a program goes by; `None` where it gives up, or where there is nothing.
pub(in crate::core::doctor) fn way(client: Client, section: &Section, profiles: &Profiles) -> Option<&'static str> {
    match first(&ClientView::of_section(client, section, profiles, &Variables::default()))? {
        ResolvedFrom::Profile { way, .. } => Some(way),
        _ => None,
    }
}

/// The first step of the chain that has an answer.
fn first(place: &ClientView<'_>) -> Option<ResolvedFrom> {
    match place.client {
        Client::Botocore => botocore(place),
        Client::JavaScript => javascript(place),
        Client::Go => go(place),
        Client::Java => java(place),
        Client::Rust => rust(place),
    }
}

/// `botocore/credentials.py`: `create_credential_resolver` and `ProfileProviderBuilder.providers`.
fn botocore(place: &ClientView<'_>) -> Option<ResolvedFrom> {
    // (t) An id without its secret is an error, where the others pass it over (`EnvProvider`).
    let half = || {
        let is_half = place.set("AWS_ACCESS_KEY_ID") && !place.set("AWS_SECRET_ACCESS_KEY");
        is_half.then(|| fails("AWS_SECRET_ACCESS_KEY is not set (PartialCredentialsError)"))
    };
    // (t) `AssumeRoleProvider` leaves a profile with a token file alone, and comes before the variables' web identity.
    let role = || match (place.has("source_profile"), place.has("credential_source")) {
        _ if !place.has("role_arn") || place.has("web_identity_token_file") => None,
        (true, true) => Some(fails("the profile has both source_profile and credential_source (InvalidConfigError)")),
        (false, false) => {
            Some(fails("role_arn has neither source_profile nor credential_source (PartialCredentialsError)"))
        }
        _ if place.lacks_source() => Some(fails("the source_profile is in no file (InvalidConfigError)")),
        _ => Some(place.by(ROLE)),
    };
    // (t) `AssumeRoleWithWebIdentityProvider` takes the token and the role each from the variables, else from the profile.
    let web_identity = || {
        let has_role = place.set("AWS_ROLE_ARN") || place.has("role_arn");
        match (place.set("AWS_WEB_IDENTITY_TOKEN_FILE"), place.has("web_identity_token_file")) {
            (false, false) => None,
            _ if !has_role => Some(fails("a web identity token file has no role ARN (InvalidConfigError)")),
            (true, _) => Some(ResolvedFrom::WebIdentity),
            (false, true) => Some(place.by(TOKEN_FILE)),
        }
    };
    // (t) `SSOProvider`: an account or a role name is the sign; a session or a start URL alone is passed over.
    let sso = || {
        let is_meant = place.has("sso_account_id") || place.has("sso_role_name");
        is_meant.then(|| place.sso_or("(InvalidConfigError)"))
    };
    // (t) `SharedCredentialProvider` reads the credentials file alone: the secret must stand beside the id.
    let credentials_file = || match place.file_of("aws_access_key_id")? {
        SourceFile::Credentials if place.file_of("aws_secret_access_key") == Some(SourceFile::Credentials) => {
            Some(place.by(KEYS))
        }
        SourceFile::Credentials => Some(fails(
            "aws_access_key_id has no aws_secret_access_key beside it in the credentials file (PartialCredentialsError)",
        )),
        SourceFile::Config | SourceFile::Settings => None,
    };
    // (t) `ConfigProvider`, behind a process, reads the config file alone.
    let config_file = || match place.file_of("aws_secret_access_key") {
        _ if place.file_of("aws_access_key_id") != Some(SourceFile::Config) => None,
        Some(SourceFile::Config) => Some(place.by(KEYS)),
        _ => Some(fails(
            "aws_access_key_id has no aws_secret_access_key beside it in the config file (PartialCredentialsError)",
        )),
    };
    // (t) The profile must be there, also beside keys in the variables (`ProfileNotFound`).
    place
        .no_such_profile()
        .or_else(half)
        .or_else(|| place.keys_in_variables())
        .or_else(role)
        .or_else(web_identity)
        .or_else(sso)
        .or_else(credentials_file)
        .or_else(|| place.if_has("login_session", LOGIN))
        .or_else(|| place.if_has("credential_process", PROCESS))
        .or_else(config_file)
        .or_else(|| place.container())
}

/// `credential-provider-node`'s `defaultProvider.ts`, and `credential-provider-ini`'s `resolveProfileData.ts`.
fn javascript(place: &ClientView<'_>) -> Option<ResolvedFrom> {
    // (t) Keys in the variables are passed over where a profile is named.
    let variables = || if place.is_named { None } else { place.keys_in_variables() };
    // (t) Two sources, or none, are as if there were no role.
    let is_role = place.has("role_arn") && place.has("source_profile") != place.has("credential_source");
    let process = || place.if_has("credential_process", PROCESS);
    // (t) `validateSsoProfile.ts` ends the chain where something is missing.
    let sso = || place.has_any_sso().then(|| place.sso_or("(CredentialsProviderError)"));
    let of_profile = || match is_role {
        // (t) The profile is passed over then, but `defaultProvider.ts` asks for a process once more (`fromProcess`).
        true if place.lacks_source() => process(),
        true => Some(place.by(ROLE)),
        false => place
            .if_keys()
            .or_else(|| place.if_token_file())
            .or_else(process)
            .or_else(sso)
            .or_else(|| place.if_has("login_session", LOGIN)),
    };
    variables().or_else(of_profile).or_else(|| place.web_identity()).or_else(|| place.container())
}

/// `config/resolve_credentials.go`: `resolveCredentialChain` and `resolveCredsFromProfile`; before them the profile is read
/// and checked whole (`config/shared_config.go`), so what is wrong with it is an error also beside keys in the variables.
fn go(place: &ClientView<'_>) -> Option<ResolvedFrom> {
    // `mergeSections`: "partial credentials found for profile". It looks at each file for itself.
    let half = || {
        let is_split = place.file_of("aws_access_key_id") != place.file_of("aws_secret_access_key");
        is_split.then(|| fails("the profile has half a key in one file (partial credentials)"))
    };
    let sources = ["source_profile", "credential_source", "web_identity_token_file"].map(|key| place.has(key));
    let count = sources.iter().filter(|is_there| **is_there).count();
    // `validateCredentialsRequireARN`, then `validateCredentialType`.
    let of_role = || {
        (count > 0 && !place.has("role_arn"))
            .then(|| fails("the profile has a source of a role and no role_arn (CredentialRequiresARNError)"))
    };
    let several = || {
        (count + usize::from(place.has("credential_process")) > 1).then(|| {
            fails(
                "the profile has more than one of source_profile, credential_source, credential_process \
                 and web_identity_token_file",
            )
        })
    };
    // `setFromIniSections`: SharedConfigAssumeRoleError, and "failed to find SSO session section".
    let source = || place.lacks_source().then(|| fails("the source_profile is in no file"));
    let session = || place.lacks_session().then(|| fails("the profile's sso_session is in no file"));
    // Only the token's file is asked for: without a role it is an error (`assumeWebIdentity`).
    let web_identity = || match place.set("AWS_WEB_IDENTITY_TOKEN_FILE") {
        true if place.set("AWS_ROLE_ARN") => Some(ResolvedFrom::WebIdentity),
        true => Some(fails("AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not")),
        false => None,
    };
    // Whatever is found in a profile with a role_arn, the role is assumed with it, keys beside a token file included.
    let then_role = |uses| match uses {
        ResolvedFrom::Profile { way, .. } if way != TOKEN_FILE && place.has("role_arn") => place.by(ROLE),
        ResolvedFrom::Container if place.has("role_arn") => place.by(ROLE),
        other => other,
    };
    // Where login_session stands among these is a guess (its source was not at hand); the rest was read.
    let of_profile = || {
        place
            .if_has("source_profile", ROLE)
            .or_else(|| place.if_keys())
            .or_else(|| place.if_has("credential_source", ROLE))
            .or_else(|| place.if_token_file())
            .or_else(|| place.has_any_sso().then(|| place.sso_or("(required configuration is missing)")))
            .or_else(|| place.if_has("login_session", LOGIN))
            .or_else(|| place.if_has("credential_process", PROCESS))
            .or_else(|| place.container())
            .map(then_role)
    };
    // (t) A profile that is named must be there (SharedConfigProfileNotExistError), also beside keys in the variables.
    place
        .no_such_profile()
        .or_else(half)
        .or_else(of_role)
        .or_else(several)
        .or_else(source)
        .or_else(session)
        .or_else(|| place.keys_in_variables())
        .or_else(web_identity)
        .or_else(of_profile)
}

/// `DefaultCredentialsProvider.java` and `ProfileCredentialsUtils.java`. `AwsCredentialsProviderChain` takes every exception
/// for "look further", so a profile that can't be used is passed over, whatever else it holds.
fn java(place: &ClientView<'_>) -> Option<ResolvedFrom> {
    let sso = || place.sso_lacks().is_none().then(|| place.by(SSO));
    let role = || match (place.has("source_profile"), place.has("credential_source")) {
        (true, true) => None,
        _ if place.lacks_source() => None,
        _ => Some(place.by(ROLE)),
    };
    let has_source = place.has("source_profile") || place.has("credential_source");
    let of_profile = || {
        if let Some(uses) = place.if_token_file() {
            return Some(uses);
        }
        if place.has_any_sso() {
            return sso();
        }
        if place.has("role_arn") && has_source {
            return role();
        }
        place
            .if_has("login_session", LOGIN)
            .or_else(|| place.if_has("credential_process", PROCESS))
            .or_else(|| place.if_keys())
    };
    // (t) The web identity of the variables comes before the profile.
    place.keys_in_variables().or_else(|| place.web_identity()).or_else(of_profile).or_else(|| place.container())
}

/// `aws-config` 1.13: `default_provider/credentials.rs`, `profile/credentials/repr.rs` (`resolve_chain`, `base_provider`). The
/// chain looks further only where a provider has nothing (`CredentialsNotLoaded`); a profile that makes no sense ends it.
fn rust(place: &ClientView<'_>) -> Option<ResolvedFrom> {
    // `repr.rs`, `role_arn_from_profile` and `chain_provider`: a token file makes the role a base, not a link.
    let role = || match (place.has("source_profile"), place.has("credential_source")) {
        _ if !place.has("role_arn") || place.has("web_identity_token_file") => None,
        (true, true) => Some(fails("the profile has both source_profile and credential_source")),
        (false, false) => Some(fails("role_arn has neither source_profile nor credential_source")),
        _ => Some(place.by(ROLE)),
    };
    let token_file = || match place.has("role_arn") {
        _ if !place.has("web_identity_token_file") => None,
        true => Some(place.by(TOKEN_FILE)),
        false => Some(fails("web_identity_token_file is set and role_arn is not")),
    };
    // `sso_from_profile` and `profile/credentials/exec.rs`: half of account and role name is an error; without a start URL, a
    // region, or both account and role name, the profile is "not loaded" and passed over with all else that it holds.
    let sso = || match place.has("sso_session") {
        _ if place.lacks_session() => Some(fails("the profile's sso_session is in no file")),
        true if place.has("sso_start_url") || place.has("sso_region") => {
            Some(fails("beside sso_session, the profile must not have sso_start_url and sso_region too"))
        }
        _ if place.has("sso_account_id") != place.has("sso_role_name") => {
            Some(fails("the profile has one of sso_account_id and sso_role_name"))
        }
        _ => place.sso_lacks().is_none().then(|| place.by(SSO)),
    };
    let keys = || match (place.has("aws_access_key_id"), place.has("aws_secret_access_key")) {
        (true, true) => Some(place.by(KEYS)),
        (false, false) if !place.has("aws_session_token") => None,
        _ => Some(fails("the profile has a part of a key")),
    };
    let of_profile = || {
        // A source that is in no file is "not loaded" too (`MissingProfile`).
        let is_role = place.has("role_arn") && !place.has("web_identity_token_file");
        if is_role && place.lacks_source() && !place.has("credential_source") {
            return None;
        }
        let base = role().or_else(|| place.if_has("credential_source", SOURCE)).or_else(token_file);
        if base.is_none() && place.has_any_sso() {
            return sso();
        }
        base.or_else(|| place.if_has("login_session", LOGIN))
            .or_else(|| place.if_has("credential_process", PROCESS))
            .or_else(keys)
    };
    place.keys_in_variables().or_else(of_profile).or_else(|| place.web_identity()).or_else(|| place.container())
}
