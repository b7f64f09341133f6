//! Which way to credentials programs take here and now, and where they disagree.
//!
//! The orders are those of the SDKs' sources as of 2026; what is marked (t) was tried with the real client.

use super::{Case, Evidence, Finding, Findings, Id, Severity, key_shape};
use crate::core::fix::Fix;
use crate::core::plan::{PlanErrorCode, helper_profile};
use crate::core::profile::{Section, SourceFile};

/// Programs that choose alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Client {
    /// boto3, the AWS CLI and everything else on botocore (`botocore/credentials.py`, `create_credential_resolver`).
    Botocore,
    /// The SDK for JavaScript, v3 (`credential-provider-node`, `defaultProvider.ts`).
    JavaScript,
    /// The SDK for Go, v2 (`config/resolve_credentials.go`).
    Go,
    /// The SDK for Java, v2 (`DefaultCredentialsProvider`). System properties of its own are not seen here.
    Java,
    /// The SDK for Rust (`aws-config`, `default_provider/credentials.rs`).
    Rust,
}

impl Client {
    /// All that are looked at.
    pub const ALL: [Self; 5] = [Self::Botocore, Self::JavaScript, Self::Go, Self::Java, Self::Rust];

    /// What people call it.
    pub fn called(self) -> &'static str {
        match self {
            Self::Botocore => "boto3 and the AWS CLI",
            Self::JavaScript => "JavaScript (v3)",
            Self::Go => "Go (v2)",
            Self::Java => "Java (v2)",
            Self::Rust => "Rust",
        }
    }
}

/// Where a program takes its credentials from.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Uses {
    /// Keys in the variables.
    Environment,
    /// AWS_WEB_IDENTITY_TOKEN_FILE and AWS_ROLE_ARN.
    WebIdentity,
    /// A profile, and which of its settings.
    Profile {
        /// The profile.
        name: String,
        /// `role_arn`, `SSO`, `static keys`, `credential_process`, …
        way: &'static str,
    },
    /// AWS_CONTAINER_CREDENTIALS_RELATIVE_URI or AWS_CONTAINER_CREDENTIALS_FULL_URI.
    Container,
    /// It gives up before it has looked everywhere; the end of a sentence.
    Fails(String),
    /// Nothing but the metadata of an EC2 instance is left, which a laptop has not.
    Nothing,
}

impl Uses {
    /// Whether there are credentials at its end, as far as can be seen.
    fn gives(&self) -> bool {
        !matches!(self, Self::Nothing | Self::Fails(_))
    }

    /// As the end of a sentence: "use …".
    pub fn said(&self) -> String {
        match self {
            Self::Environment => "the keys in the variables".to_owned(),
            Self::WebIdentity => "the web identity in the variables (AWS_WEB_IDENTITY_TOKEN_FILE)".to_owned(),
            Self::Profile { name, way } => format!("{way} of profile \"{name}\""),
            Self::Container => "the container endpoint in the variables".to_owned(),
            Self::Fails(why) => format!("nothing: {why}"),
            Self::Nothing => "nothing".to_owned(),
        }
    }
}

/// What a program would use; `named` is a profile that it is told by AWS_PROFILE besides what stands in the variables.
fn choose(client: Client, evidence: &Evidence, named: Option<&str>) -> Uses {
    let variables = &evidence.variables;
    let set = |name: &str| variables.get(name).is_some();
    let by_variable = match client {
        // (t) botocore looks at AWS_DEFAULT_PROFILE first, Go second, the others not at all.
        Client::Botocore => variables.get("AWS_DEFAULT_PROFILE").or(named).or(variables.get("AWS_PROFILE")),
        Client::Go => named.or(variables.get("AWS_PROFILE")).or(variables.get("AWS_DEFAULT_PROFILE")),
        _ => named.or(variables.get("AWS_PROFILE")),
    };
    let profile = by_variable.unwrap_or("default");
    let section = evidence.profiles.profiles.get(profile);
    if let (Some(name), None, Client::Botocore | Client::Go) = (by_variable, section, client) {
        // (t) botocore: ProfileNotFound, also beside keys in the variables; Go: SharedConfigProfileNotExistError.
        return Uses::Fails(format!("profile \"{name}\" is in no file"));
    }
    let keys = match client {
        // (t) An id without its secret is an error there, and passed over elsewhere.
        Client::Botocore if set("AWS_ACCESS_KEY_ID") && !set("AWS_SECRET_ACCESS_KEY") => {
            return Uses::Fails("AWS_SECRET_ACCESS_KEY is not set (PartialCredentialsError)".to_owned());
        }
        Client::Go => {
            variables.first(&["AWS_ACCESS_KEY_ID", "AWS_ACCESS_KEY"]).is_some()
                && variables.first(&["AWS_SECRET_ACCESS_KEY", "AWS_SECRET_KEY"]).is_some()
        }
        // (t) JavaScript goes by the profile where one is named.
        Client::JavaScript if by_variable.is_some() => false,
        _ => set("AWS_ACCESS_KEY_ID") && set("AWS_SECRET_ACCESS_KEY"),
    };
    let of_profile = || {
        let way = way(client, section?)?;
        Some(Uses::Profile { name: profile.to_owned(), way })
    };
    let web_identity = || (set("AWS_WEB_IDENTITY_TOKEN_FILE") && set("AWS_ROLE_ARN")).then_some(Uses::WebIdentity);
    let container = || {
        let names = ["AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", "AWS_CONTAINER_CREDENTIALS_FULL_URI"];
        variables.first(&names).is_some().then_some(Uses::Container)
    };
    if keys {
        return Uses::Environment;
    }
    let found = match client {
        // A role with its source comes before the web identity of the variables, everything else of the profile behind it.
        Client::Botocore => match of_profile() {
            Some(role @ Uses::Profile { way: ROLE, .. }) => Some(role),
            other => web_identity().or(other),
        },
        // (t) The web identity of the variables comes before the profile.
        Client::Go | Client::Java => web_identity().or_else(of_profile),
        Client::JavaScript | Client::Rust => of_profile().or_else(web_identity),
    };
    found.or_else(container).unwrap_or(Uses::Nothing)
}

const ROLE: &str = "role_arn";
const SSO: &str = "the SSO settings";
const KEYS: &str = "the static keys";
const PROCESS: &str = "the credential_process";
const LOGIN: &str = "the login_session";
const TOKEN_FILE: &str = "the web_identity_token_file";

/// Which of a profile's settings a program goes by.
fn way(client: Client, section: &Section) -> Option<&'static str> {
    let has = |key: &str| section.get(key).is_some();
    let keys = has("aws_access_key_id") && has("aws_secret_access_key");
    let in_credentials_file =
        section.get("aws_access_key_id").is_some_and(|value| value.origin.file == SourceFile::Credentials);
    let role = has("role_arn") && (has("source_profile") || has("credential_source"));
    let token_file = has("role_arn") && has("web_identity_token_file");
    let sso = has("sso_account_id") || has("sso_role_name") || has("sso_start_url");
    let (process, login) = (has("credential_process"), has("login_session"));
    let order: &[(bool, &'static str)] = match client {
        // (t) Keys in the credentials file come before a process, keys in the config file behind it.
        Client::Botocore => &[
            (role, ROLE),
            (token_file, TOKEN_FILE),
            (sso, SSO),
            (keys && in_credentials_file, KEYS),
            (login, LOGIN),
            (process, PROCESS),
            (keys, KEYS),
        ],
        // (t) `resolveProfileData.ts`: keys come before SSO.
        Client::JavaScript => {
            &[(role, ROLE), (keys, KEYS), (token_file, TOKEN_FILE), (process, PROCESS), (sso, SSO), (login, LOGIN)]
        }
        // (t) `resolveCredsFromProfile`: keys come before SSO and a process.
        Client::Go => {
            &[(role, ROLE), (keys, KEYS), (token_file, TOKEN_FILE), (sso, SSO), (login, LOGIN), (process, PROCESS)]
        }
        // `ProfileCredentialsUtils`: keys come last.
        Client::Java => {
            &[(role, ROLE), (token_file, TOKEN_FILE), (sso, SSO), (login, LOGIN), (process, PROCESS), (keys, KEYS)]
        }
        // `profile/credentials/repr.rs`, `base_provider`: keys come last.
        Client::Rust => {
            &[(role, ROLE), (token_file, TOKEN_FILE), (sso, SSO), (login, LOGIN), (process, PROCESS), (keys, KEYS)]
        }
    };
    order.iter().find(|(is_there, _)| *is_there).map(|(_, way)| *way)
}

/// What every client would use, in the clients' order.
pub(super) fn choices(case: &Case<'_>) -> Vec<(Client, Uses)> {
    let named = case.evidence.named.as_deref();
    Client::ALL.iter().map(|client| (*client, choose(*client, case.evidence, named))).collect()
}

pub(super) fn look(case: &Case<'_>, findings: &mut Findings) {
    findings.looked_for(&[Id::ClientsDisagree, Id::CredentialsMissing]);
    let choices = choices(case);
    missing(case, &choices, findings);
    half_a_key(case, findings);
    // What evercred itself has exported is the profile's own.
    let is_own = case.profile.is_some() && case.evidence.variables.get("EVERCRED_PROFILE") == case.profile.as_deref();
    let is_in_no_file = case.section().is_none() && case.profile.is_some();
    if !is_own && !is_in_no_file {
        disagreement(case, &choices, findings);
    }
}

fn disagreement(case: &Case<'_>, choices: &[(Client, Uses)], findings: &mut Findings) {
    let Some((_, first)) = choices.first() else { return };
    if choices.iter().all(|(_, uses)| uses == first) || !choices.iter().any(|(_, uses)| uses.gives()) {
        return;
    }
    let mut groups: Vec<(&Uses, Vec<&str>)> = Vec::new();
    for (client, uses) in choices {
        match groups.iter_mut().find(|(other, _)| *other == uses) {
            Some((_, clients)) => clients.push(client.called()),
            None => groups.push((uses, vec![client.called()])),
        }
    }
    let finding =
        Finding::new(Id::ClientsDisagree, Severity::Warning, "not every program would use the same credentials here");
    let finding = groups
        .iter()
        .fold(finding, |finding, (uses, clients)| finding.evidence(format!("{}: {}", clients.join(", "), uses.said())));
    let fix = match &case.profile {
        Some(profile) => Fix::advice(format!(
            "Leave one way only: either the variables, or profile \"{profile}\" with one way to its credentials."
        )),
        None => Fix::advice("Leave one way only: either the variables, or a profile."),
    };
    findings.add(finding.fix(fix));
}

fn missing(case: &Case<'_>, choices: &[(Client, Uses)], findings: &mut Findings) {
    // A profile of evercred.toml is the daemon's alone, and its plan may be good.
    if choices.iter().any(|(_, uses)| uses.gives()) || matches!(case.plan, Some(Ok(_))) {
        return;
    }
    let finding = match (&case.profile, &case.plan) {
        (Some(profile), Some(Err(error))) => {
            // Those are findings of their own.
            if !matches!(error.code, PlanErrorCode::NoCredentials | PlanErrorCode::IncompleteStatic) {
                return;
            }
            let place = error.origin.map(|origin| format!(" ({})", case.at(origin))).unwrap_or_default();
            Finding::new(
                Id::CredentialsMissing,
                Severity::Error,
                format!("nothing gives credentials for profile \"{profile}\""),
            )
            .evidence(format!("{}{place}", error.message))
            .fix(Fix::command("For a user's key: it is asked for.", configure(profile)))
            .fix(Fix::command("For IAM Identity Center.", format!("aws configure sso --profile {profile}")))
        }
        _ => Finding::new(Id::CredentialsMissing, Severity::Error, "nothing here gives credentials")
            .evidence(
                "no keys, web identity or container endpoint are in the variables, and there is no profile \"default\"",
            )
            .fix(Fix::command("Name a profile; these are in the files.", "evercred profiles"))
            .fix(Fix::command("Or make one: for a user's key.", "aws configure"))
            .fix(Fix::command("Or for IAM Identity Center.", "aws configure sso")),
    };
    let near = case.subjects.iter().find_map(|subject| key_shape::near_miss(case, subject));
    findings.add(match near {
        Some((found, meant)) => {
            finding.evidence(format!("{found} is no name that an SDK reads; {meant} may have been meant"))
        }
        None => finding,
    });
}

fn configure(profile: &str) -> String {
    if profile == "default" { "aws configure".to_owned() } else { format!("aws configure --profile {profile}") }
}

/// Half of a key in the variables: an error for some, passed over by others.
fn half_a_key(case: &Case<'_>, findings: &mut Findings) {
    let variables = &case.evidence.variables;
    let lacking = match (variables.get("AWS_ACCESS_KEY_ID"), variables.get("AWS_SECRET_ACCESS_KEY")) {
        (Some(_), None) => ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"),
        (None, Some(_)) => ("AWS_SECRET_ACCESS_KEY", "AWS_ACCESS_KEY_ID"),
        _ => return,
    };
    let (there, lacks) = lacking;
    let mut finding = Finding::new(
        Id::CredentialsMissing,
        Severity::Error,
        format!("{there} is set and {lacks} is not: half a key signs nothing"),
    )
    .evidence("boto3 and the AWS CLI stop there where the id is set; the others pass it over and use what comes next");
    let subject = case.subjects.iter().find(|subject| subject.whose == super::Whose::Environment);
    if let Some((found, meant)) = subject.and_then(|subject| key_shape::near_miss(case, subject)) {
        finding = finding.evidence(format!("{found} is no name that an SDK reads; {meant} may have been meant"));
    }
    findings.add(
        finding
            .fix(Fix::advice(format!("Export {lacks} too.")))
            .fix(Fix::command("Or take the half out of this shell.", format!("unset {there}"))),
    );
}

/// Whether a profile's line is our own helper's.
pub(super) fn is_adopted(section: &Section) -> bool {
    section.get("credential_process").is_some_and(|line| helper_profile(&line.text).is_some())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::doctor::testing::evidence;

    fn uses(client: Client, config: &str, credentials: &str, variables: &[(&str, &str)]) -> String {
        choose(client, &evidence(config, credentials, variables, ""), None).said()
    }

    /// What each client uses, in the order of [`Client::ALL`].
    fn all(config: &str, credentials: &str, variables: &[(&str, &str)]) -> Vec<String> {
        Client::ALL.iter().map(|client| uses(*client, config, credentials, variables)).collect()
    }

    const ENV: [(&str, &str); 2] = [("AWS_ACCESS_KEY_ID", "AKIA"), ("AWS_SECRET_ACCESS_KEY", "s")];
    const DEV: &str = "[dev]\naws_access_key_id = A\naws_secret_access_key = s\n";

    #[test]
    fn keys_in_the_variables_come_before_a_named_profile_in_all_but_javascript() {
        let with = [&ENV[..], &[("AWS_PROFILE", "dev")]].concat();
        let found = all("", DEV, &with);
        let (keys, profile) = ("the keys in the variables", "the static keys of profile \"dev\"");
        assert_eq!(found, [keys, profile, keys, keys, keys]);
        assert_eq!(all("", DEV, &ENV), [keys; 5]);
    }

    #[test]
    fn a_profile_that_is_in_no_file_is_an_error_for_some_and_passed_over_by_others() {
        let with = [&ENV[..], &[("AWS_PROFILE", "gone")]].concat();
        let found = all("", DEV, &with);
        assert!(found[0].contains("in no file") && found[2].contains("in no file"), "{found:?}");
        assert_eq!((found[1].as_str(), found[3].as_str()), ("nothing", "the keys in the variables"));
    }

    #[test]
    fn the_older_name_of_the_profile_variable_counts_for_some() {
        let both = [("AWS_PROFILE", "dev"), ("AWS_DEFAULT_PROFILE", "prod")];
        let found = all("", &format!("{DEV}{}", DEV.replace("dev", "prod")), &both);
        assert!(found[0].contains("prod") && found[1..].iter().all(|uses| uses.contains("dev")), "{found:?}");
        let found = all("", DEV, &[("AWS_DEFAULT_PROFILE", "dev")]);
        assert_eq!(found.iter().filter(|uses| uses.contains("dev")).count(), 2, "{found:?}");
    }

    #[test]
    fn keys_beside_other_settings_are_used_by_some() {
        let (keys, sso, process) = ("the static keys", "the SSO settings", "the credential_process")
            .map_all(|way| format!("{way} of profile \"default\""));
        let credentials = "[default]\naws_access_key_id = A\naws_secret_access_key = s\n";
        let with = |line: &str| all(&format!("[default]\n{line}\n"), credentials, &[]);
        assert_eq!(with("sso_account_id = 1"), [&sso, &keys, &keys, &sso, &sso].map(Clone::clone));
        assert_eq!(with("credential_process = x"), [&keys, &keys, &keys, &process, &process].map(Clone::clone));
        let role = with("role_arn = r\nsource_profile = b");
        assert!(role.iter().all(|uses| uses.starts_with("role_arn")), "{role:?}");
    }

    #[test]
    fn a_web_identity_in_the_variables_comes_before_a_process_in_some() {
        let variables = [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "r")];
        let found = all("[default]\ncredential_process = x\n", "", &variables);
        let web: Vec<bool> = found.iter().map(|uses| uses.contains("web identity")).collect();
        assert_eq!(web, [true, false, true, true, false], "{found:?}");
    }

    #[test]
    fn the_container_endpoint_is_the_last_of_all() {
        let variables = [("AWS_CONTAINER_CREDENTIALS_FULL_URI", "http://127.0.0.1:1")];
        assert!(all("", "", &variables).iter().all(|uses| uses.contains("container")));
        let found = all("", &DEV.replace("dev", "default"), &variables);
        assert!(found.iter().all(|uses| uses.contains("static keys")), "{found:?}");
        assert!(all("", "", &[]).iter().all(|uses| uses == "nothing"));
    }

    trait MapAll<T> {
        fn map_all(self, map: impl Fn(T) -> String) -> (String, String, String);
    }

    impl<T> MapAll<T> for (T, T, T) {
        fn map_all(self, map: impl Fn(T) -> String) -> (String, String, String) {
            (map(self.0), map(self.1), map(self.2))
        }
    }
}
