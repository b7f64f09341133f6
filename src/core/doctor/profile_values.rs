//! Values of settings that AWS or an SDK refuses for their form, whatever else is right.

use super::commands::unset;
use super::{Case, Cause, Finding, Findings, Rule, Severity};
use crate::core::access_key::is_account;
use crate::core::fix::Fix;
use crate::core::nearest::did_you_mean;
use crate::core::partitions::known_partition;
use crate::core::printable::printable;
use crate::core::profile::{Section, Value};
use crate::core::url_host::target;

pub(super) const RULE: Rule = Rule { decides: &[Cause::ProfileBroken], look };

fn look(case: &Case<'_>, findings: &mut Findings) {
    variables(case, findings);
    for section in case.chain() {
        for (name, mistake) in [("role_arn", role_arn as fn(&str) -> Option<String>), ("sso_account_id", account)] {
            if let Some(value) = section.get(name) {
                tell(case, section, name, value, mistake(&value.text), findings);
            }
        }
        let session = section.get("sso_session").and_then(|name| case.evidence.profiles.sso_sessions.get(&name.text));
        for holder in [Some(section), session.map(AsRef::as_ref)].into_iter().flatten() {
            if let Some(value) = holder.get("sso_start_url") {
                tell(case, section, "sso_start_url", value, start_url(&value.text), findings);
            }
        }
        if let Some(value) = section.get("services") {
            tell(case, section, "services", value, services(case, &value.text), findings);
        }
    }
}

/// The same in variables.
fn variables(case: &Case<'_>, findings: &mut Findings) {
    let variables = &case.evidence.variables;
    let role = variables.get("AWS_ROLE_ARN").filter(|_| variables.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some());
    let uri = variables.get("AWS_CONTAINER_CREDENTIALS_FULL_URI");
    let no_url =
        |uri: &str| (!target(uri).is_http()).then(|| "is no URL: it begins with http:// or https://".to_owned());
    for (name, mistake) in
        [("AWS_ROLE_ARN", role.and_then(role_arn)), ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.and_then(no_url))]
    {
        let Some(mistake) = mistake else { continue };
        findings.add(
            Finding::new(Cause::ProfileBroken, Severity::Error, format!("{name} {mistake}"))
                .evidence(format!("{name} is set in this shell"))
                .fix(Fix::command("Take it away, or set it right.", unset(case, &[name]))),
        );
    }
    if variables.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some()
        && variables.get("AWS_ROLE_ARN").is_none()
        && case.chain().iter().all(|section| section.get("role_arn").is_none())
    {
        findings.add(
            Finding::new(
                Cause::ProfileBroken,
                Severity::Error,
                "AWS_WEB_IDENTITY_TOKEN_FILE is set and AWS_ROLE_ARN is not: no role is named that the token is for",
            )
            .evidence("boto3, the AWS CLI and Go programs stop there; the others pass it over")
            .fix(Fix::advice("Set AWS_ROLE_ARN too."))
            .fix(Fix::command("Or take the other away.", unset(case, &["AWS_WEB_IDENTITY_TOKEN_FILE"]))),
        );
    }
}

fn tell(
    case: &Case<'_>,
    section: &Section,
    name: &str,
    value: &Value,
    mistake: Option<String>,
    findings: &mut Findings,
) {
    let Some(mistake) = mistake else { return };
    findings.add(
        Finding::new(
            Cause::ProfileBroken,
            Severity::Error,
            format!("{name} of profile \"{}\" {mistake}", printable(&section.name)),
        )
        .evidence(format!("it stands at {}", case.at(value.origin)))
        .fix(Fix::advice(format!("Correct {name} at {}.", case.at(value.origin)))),
    );
}

/// `arn:aws:iam::111122223333:role/path/Name` (IAM User Guide, "IAM identifiers"). Of another service's ARN AWS says "Request ARN is
/// invalid".
fn role_arn(text: &str) -> Option<String> {
    let parts: Vec<&str> = text.splitn(6, ':').collect();
    let ["arn", partition, "iam", "", account, resource] = parts.as_slice() else {
        return Some("is not the ARN of a role: arn:aws:iam::ACCOUNT:role/NAME".to_owned());
    };
    if known_partition(partition).is_none() {
        return Some("names a partition that AWS does not have (aws, aws-cn, aws-us-gov, …)".to_owned());
    }
    if let Some(mistake) = self::account(account) {
        return Some(format!("has an account in it that {mistake}"));
    }
    match resource.split_once('/') {
        Some(("role", name)) if !name.is_empty() => None,
        Some((kind @ ("user" | "group" | "instance-profile" | "policy" | "mfa"), _)) => {
            Some(format!("is the ARN of a {kind}, and not of a role"))
        }
        _ => Some("names no role: behind the account stands role/NAME".to_owned()),
    }
}

fn account(text: &str) -> Option<String> {
    if is_account(text) {
        return None;
    }
    Some(if text.bytes().all(|byte| byte.is_ascii_digit()) {
        format!("is no account number: it has {} digits, and all have 12, with zeroes in front", text.len())
    } else {
        "is no account number: it is not made of digits alone".to_owned()
    })
}

fn start_url(text: &str) -> Option<String> {
    (!target(text).is_http()).then(|| "is no URL: it begins with https://".to_owned())
}

/// botocore: "The profile is configured to use the services section but the … services configuration does not exist"
/// (InvalidConfigError). The others pass over it, and over the endpoints that were meant.
fn services(case: &Case<'_>, name: &str) -> Option<String> {
    let sections = &case.evidence.profiles_of_daemon.services;
    let near = did_you_mean(name, sections.keys().map(String::as_str));
    (!sections.contains_key(name))
        .then(|| format!("names a section that is in no AWS file: [services {}]{near}", printable(name)))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{evidence, one, report};
    use super::super::{Answers, Cause};
    use super::*;

    #[test]
    fn an_arn_that_is_no_roles_is_told_with_what_is_wrong() {
        for good in ["arn:aws:iam::111122223333:role/App", "arn:aws-us-gov:iam::000000000001:role/a/b/App"] {
            assert_eq!(role_arn(good), None);
        }
        for (text, said) in [
            ("App", "not the ARN"),
            ("arn:aws:sts::111122223333:assumed-role/App/me", "not the ARN"),
            ("arn:aws:iam::111122223333:user/App", "of a user"),
            ("arn:aws:iam::1111222233:role/App", "10 digits"),
            ("arn:aws:iam::my-account:role/App", "digits alone"),
            ("arn:amazon:iam::111122223333:role/App", "a partition"),
            ("arn:aws:iam::111122223333:role/", "names no role"),
            ("arn:aws:iam::111122223333:App", "names no role"),
        ] {
            assert!(role_arn(text).is_some_and(|mistake| mistake.contains(said)), "{text}: {:?}", role_arn(text));
        }
    }

    #[test]
    fn only_the_profiles_in_question_are_looked_at() {
        let config = "[profile dev]\nsso_account_id = 1111\nsso_role_name = R\nsso_start_url = corp.awsapps.com/start\n\
                      sso_region = eu-west-1\n[profile other]\nrole_arn = App\n";
        let found = report(&evidence(config, "", &[], "dev"), &Answers::default(), &RULE);
        let titles: Vec<&str> = found.findings.iter().map(|finding| finding.title.as_str()).collect();
        assert_eq!(titles.len(), 2, "{titles:?}");
        assert!(titles.iter().any(|title| title.contains("sso_start_url")));
        let config = "[profile dev]\nservices = loca\n[services local]\ns3 =\n  endpoint_url = http://localhost\n";
        let found = report(&evidence(config, "", &[], "dev"), &Answers::default(), &RULE);
        assert!(one(&found, Cause::ProfileBroken).title.contains("did you mean \"local\""), "{found:#?}");
    }
}
