//! The credential provider chain of each client. The first step with an answer decides; the answer may be an error. Where
//! settings are incomplete, one client skips them and another one stops.
//!
//! Steps marked (t) were tried: with boto3 1.43, the AWS CLI 1.45 and `credential-provider-node` 3.972 in tests/clients
//! (`test_choice.py`), in Go and Java by hand. Rust's chain was tried by hand with aws-config 1.13 on the same stories. All else
//! of Go and Java is as their sources read: the file is named at each chain.

use super::client::{Provider, ResolvedFrom};
use super::client_view::{ClientView, fails};
use crate::core::clients::Client;
use crate::core::doctor::{Evidence, Variables};
use crate::core::profile::{Profiles, Section, SourceFile};

/// The credentials that a client uses with these variables and files; `named` is the profile that the user names.
pub(super) fn resolve(client: Client, evidence: &Evidence, named: Option<&str>) -> ResolvedFrom {
    first(&ClientView::new(client, evidence, named)).unwrap_or(ResolvedFrom::Nothing)
}

/// The credentials that a client uses with this profile alone, without variables.
pub(super) fn resolve_section(client: Client, section: &Section, profiles: &Profiles) -> ResolvedFrom {
    let variables = Variables::default();
    first(&ClientView::of_section(client, section, profiles, &variables)).unwrap_or(ResolvedFrom::Nothing)
}

/// The first step of the chain that has an answer.
fn first(view: &ClientView<'_>) -> Option<ResolvedFrom> {
    match view.client {
        Client::Botocore => botocore(view),
        Client::JavaScript => javascript(view),
        Client::Go => go(view),
        Client::Java => java(view),
        Client::Rust => rust(view),
    }
}

/// `botocore/credentials.py`: `create_credential_resolver` and `ProfileProviderBuilder.providers`.
fn botocore(view: &ClientView<'_>) -> Option<ResolvedFrom> {
    // (t) An id without its secret is an error; the other clients skip it (`EnvProvider`).
    let half = || {
        let is_half = view.set("AWS_ACCESS_KEY_ID") && !view.set("AWS_SECRET_ACCESS_KEY");
        is_half.then(|| fails("AWS_SECRET_ACCESS_KEY is not set (PartialCredentialsError)"))
    };
    // (t) `AssumeRoleWithWebIdentityProvider` takes the token and the role each from the variables, else from the profile.
    let web_identity = || {
        let has_role = view.set("AWS_ROLE_ARN") || view.has("role_arn");
        match (view.set("AWS_WEB_IDENTITY_TOKEN_FILE"), view.has("web_identity_token_file")) {
            (false, false) => None,
            _ if !has_role => Some(fails("a web identity token file has no role ARN (InvalidConfigError)")),
            (true, _) => Some(ResolvedFrom::WebIdentity),
            (false, true) => Some(view.by(Provider::TokenFile)),
        }
    };
    // (t) `SSOProvider`: an account or a role name is the sign; a session or a start URL alone is skipped.
    let sso = || {
        let is_meant = view.has("sso_account_id") || view.has("sso_role_name");
        is_meant.then(|| view.sso_or("(InvalidConfigError)"))
    };
    // (t) `SharedCredentialProvider` reads only the credentials file: it must have both the secret and the id.
    let credentials_file = || match view.file_of("aws_access_key_id")? {
        SourceFile::Credentials if view.file_of("aws_secret_access_key") == Some(SourceFile::Credentials) => {
            Some(view.by(Provider::Keys))
        }
        SourceFile::Credentials => Some(fails(
            "aws_access_key_id has no aws_secret_access_key beside it in the credentials file (PartialCredentialsError)",
        )),
        SourceFile::Config | SourceFile::Settings => None,
    };
    // (t) `ConfigProvider`, after the process provider, reads only the config file.
    let config_file = || match view.file_of("aws_secret_access_key") {
        _ if view.file_of("aws_access_key_id") != Some(SourceFile::Config) => None,
        Some(SourceFile::Config) => Some(view.by(Provider::Keys)),
        _ => Some(fails(
            "aws_access_key_id has no aws_secret_access_key beside it in the config file (PartialCredentialsError)",
        )),
    };
    let of_profile = || {
        sso()
            .or_else(credentials_file)
            .or_else(|| view.if_has("login_session", Provider::Login))
            .or_else(|| view.if_has("credential_process", Provider::Process))
            .or_else(config_file)
    };
    // (t) A profile with a key that is its own source is resolved without its role (`_resolve_credentials_from_profile`).
    let own_source = || match of_profile() {
        None => fails("the source_profile is the profile itself, which has no credentials (InvalidConfigError)"),
        Some(ResolvedFrom::Fails(why)) => ResolvedFrom::Fails(why),
        Some(from) => view.by(if from.uses_keys() { Provider::RoleWithKeys } else { Provider::Role }),
    };
    // (t) `AssumeRoleProvider` leaves a profile with a token file alone, and comes before the variables' web identity.
    let role = || match (view.has("source_profile"), view.has("credential_source")) {
        _ if !view.has("role_arn") || view.has("web_identity_token_file") => None,
        (true, true) => Some(fails("the profile has both source_profile and credential_source (InvalidConfigError)")),
        (false, false) => {
            Some(fails("role_arn has neither source_profile nor credential_source (PartialCredentialsError)"))
        }
        _ if view.is_own_source() && (view.has("aws_access_key_id") || view.has("aws_secret_access_key")) => {
            Some(own_source())
        }
        _ => Some(view.lacks_source().map_or_else(|| view.role(), fails)),
    };
    // (t) Every service client looks for the token of the profile's sso_session (`SSOTokenProvider`), also beside keys.
    let session = || {
        let why = "the profile's sso_session is in no file, or incomplete (InvalidConfigError)";
        view.has_broken_session().then(|| fails(why))
    };
    // (t) The profile must exist, even if the variables have keys (`ProfileNotFound`).
    view.no_such_profile()
        .or_else(session)
        .or_else(half)
        .or_else(|| view.keys_in_variables())
        .or_else(role)
        .or_else(web_identity)
        .or_else(of_profile)
        .or_else(|| view.container())
}

/// `credential-provider-node`'s `defaultProvider.ts`, and `credential-provider-ini`'s `resolveProfileData.ts`.
fn javascript(view: &ClientView<'_>) -> Option<ResolvedFrom> {
    // (t) Keys in the variables are skipped if a profile is named.
    let variables = || if view.is_named { None } else { view.keys_in_variables() };
    // (t) Two sources, or none, are as if there were no role.
    let is_role = view.has("role_arn") && view.has("source_profile") != view.has("credential_source");
    let process = || view.if_has("credential_process", Provider::Process);
    // (t) `validateSsoProfile.ts` ends the chain where something is missing.
    let sso = || view.has_any_sso().then(|| view.sso_or("(CredentialsProviderError)"));
    let of_profile = || match is_role {
        // (t) The profile is skipped then, but `defaultProvider.ts` tries a process once more (`fromProcess`).
        true if view.lacks_source().is_some() => process(),
        true => Some(view.role()),
        false => view
            .if_keys()
            .or_else(|| view.if_token_file())
            .or_else(process)
            .or_else(sso)
            .or_else(|| view.if_has("login_session", Provider::Login)),
    };
    variables().or_else(of_profile).or_else(|| view.web_identity()).or_else(|| view.container())
}

/// `config/resolve_credentials.go`: `resolveCredentialChain` and `resolveCredsFromProfile`. Before them the whole profile is
/// read and checked (`config/shared_config.go`), so a mistake in it is an error even if the variables have keys.
fn go(view: &ClientView<'_>) -> Option<ResolvedFrom> {
    // `mergeSections`: "partial credentials found for profile". It looks at each file for itself.
    let half = || {
        let is_split = view.file_of("aws_access_key_id") != view.file_of("aws_secret_access_key");
        is_split.then(|| fails("the profile has half a key in one file (partial credentials)"))
    };
    let sources = ["source_profile", "credential_source", "web_identity_token_file"].map(|key| view.has(key));
    let count = sources.iter().filter(|is_there| **is_there).count();
    // `validateCredentialsRequireARN`, then `validateCredentialType`.
    let of_role = || {
        (count > 0 && !view.has("role_arn"))
            .then(|| fails("the profile has a source for a role but no role_arn (CredentialRequiresARNError)"))
    };
    let several = || {
        (count + usize::from(view.has("credential_process")) > 1).then(|| {
            fails(
                "the profile has more than one of source_profile, credential_source, credential_process \
                 and web_identity_token_file",
            )
        })
    };
    // `setFromIniSections`: SharedConfigAssumeRoleError, and "failed to find SSO session section".
    // A profile that is its own source may have SSO settings in the place of keys.
    let source = || view.lacks_source().filter(|_| !view.is_own_source() || !view.has_any_sso()).map(fails);
    let session = || view.lacks_session().then(|| fails("the profile's sso_session is in no file"));
    // Only the token's file is asked for: without a role it is an error (`assumeWebIdentity`).
    let web_identity = || match view.set("AWS_WEB_IDENTITY_TOKEN_FILE") {
        true if view.set("AWS_ROLE_ARN") => Some(ResolvedFrom::WebIdentity),
        true => Some(fails("AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not")),
        false => None,
    };
    // A role_arn is assumed with the credentials that are found, also with keys next to a token file or a credential_source.
    let then_role = |uses| match uses {
        ResolvedFrom::Profile { provider: Provider::Keys, .. } if view.has("role_arn") => {
            view.by(Provider::RoleWithKeys)
        }
        ResolvedFrom::Profile { provider, .. } if provider != Provider::TokenFile && view.has("role_arn") => {
            view.role()
        }
        ResolvedFrom::Container if view.has("role_arn") => view.by(Provider::Role),
        other => other,
    };
    // The position of login_session is a guess (its source was not available); the rest was read.
    let of_profile = || {
        view.if_has("source_profile", Provider::Role)
            .or_else(|| view.if_keys())
            .or_else(|| view.if_has("credential_source", Provider::Role))
            .or_else(|| view.if_token_file())
            .or_else(|| view.has_any_sso().then(|| view.sso_or("(required configuration is missing)")))
            .or_else(|| view.if_has("login_session", Provider::Login))
            .or_else(|| view.if_has("credential_process", Provider::Process))
            .or_else(|| view.container())
            .map(then_role)
    };
    // (t) A named profile must exist (SharedConfigProfileNotExistError), even if the variables have keys.
    view.no_such_profile()
        .or_else(half)
        .or_else(of_role)
        .or_else(several)
        .or_else(source)
        .or_else(session)
        .or_else(|| view.keys_in_variables())
        .or_else(web_identity)
        .or_else(of_profile)
}

/// `DefaultCredentialsProvider.java` and `ProfileCredentialsUtils.java`. `AwsCredentialsProviderChain` takes every exception
/// as "try the next provider", so an unusable profile is skipped, whatever else it has.
fn java(view: &ClientView<'_>) -> Option<ResolvedFrom> {
    let sso = || view.sso_lacks().is_none().then(|| view.by(Provider::Sso));
    let role = || match (view.has("source_profile"), view.has("credential_source")) {
        (true, true) => None,
        _ if view.lacks_source().is_some() => None,
        _ => Some(view.role()),
    };
    let has_source = view.has("source_profile") || view.has("credential_source");
    let of_profile = || {
        if let Some(uses) = view.if_token_file() {
            return Some(uses);
        }
        if view.has_any_sso() {
            return sso();
        }
        if view.has("role_arn") && has_source {
            return role();
        }
        view.if_has("login_session", Provider::Login)
            .or_else(|| view.if_has("credential_process", Provider::Process))
            .or_else(|| view.if_keys())
    };
    // (t) The web identity of the variables comes before the profile.
    view.keys_in_variables().or_else(|| view.web_identity()).or_else(of_profile).or_else(|| view.container())
}

/// `aws-config` 1.13: `default_provider/credentials.rs`, `profile/credentials/repr.rs` (`resolve_chain`, `base_provider`). The
/// chain tries the next provider only after `CredentialsNotLoaded`; an invalid profile ends it.
fn rust(view: &ClientView<'_>) -> Option<ResolvedFrom> {
    // `repr.rs`, `role_arn_from_profile` and `chain_provider`: a token file makes the role a base, not a link.
    let role = || match (view.has("source_profile"), view.has("credential_source")) {
        _ if !view.has("role_arn") || view.has("web_identity_token_file") => None,
        (true, true) => Some(fails("the profile has both source_profile and credential_source")),
        (false, false) => Some(fails("role_arn has neither source_profile nor credential_source")),
        _ => Some(view.role()),
    };
    let token_file = || match view.has("role_arn") {
        _ if !view.has("web_identity_token_file") => None,
        true => Some(view.by(Provider::TokenFile)),
        false => Some(fails("web_identity_token_file is set and role_arn is not")),
    };
    // `sso_from_profile` and `profile/credentials/exec.rs`: half of account and role name is an error; without a start URL, a
    // region, or both account and role name, the profile is "not loaded" and skipped with all other settings.
    let sso = || match view.has("sso_session") {
        _ if view.lacks_session() => Some(fails("the profile's sso_session is in no file")),
        true if view.has("sso_start_url") || view.has("sso_region") => {
            Some(fails("beside sso_session, the profile must not have sso_start_url and sso_region too"))
        }
        _ if view.has("sso_account_id") != view.has("sso_role_name") => {
            Some(fails("the profile has one of sso_account_id and sso_role_name"))
        }
        _ => view.sso_lacks().is_none().then(|| view.by(Provider::Sso)),
    };
    let keys = || match (view.has("aws_access_key_id"), view.has("aws_secret_access_key")) {
        (true, true) => Some(view.by(Provider::Keys)),
        (false, false) if !view.has("aws_session_token") => None,
        _ => Some(fails("the profile has an incomplete key")),
    };
    let base = || match view.has_any_sso() {
        true => sso(),
        false => view
            .if_has("login_session", Provider::Login)
            .or_else(|| view.if_has("credential_process", Provider::Process))
            .or_else(keys),
    };
    let as_role = |from| if matches!(from, ResolvedFrom::Fails(_)) { from } else { view.by(Provider::Role) };
    let of_profile = || {
        // A source that can't be used is "not loaded" too (`MissingProfile`, `ProfileDidNotContainCredentials`). A profile that is
        // its own source may have any other provider in the place of keys.
        let is_role = view.has("role_arn") && !view.has("web_identity_token_file");
        if is_role && view.lacks_source().is_some() && !view.has("credential_source") {
            return base().filter(|_| view.is_own_source()).map(as_role);
        }
        role().or_else(|| view.if_has("credential_source", Provider::Source)).or_else(token_file).or_else(base)
    };
    view.keys_in_variables().or_else(of_profile).or_else(|| view.web_identity()).or_else(|| view.container())
}
