//! Values of settings that AWS or an SDK refuses for their form, whatever else is right.

use super::commands::unset;
use super::{Case, Cause, Finding, Findings, Rule};
use crate::core::fix::Fix;
use crate::core::nearest::did_you_mean;
use crate::core::printable::printable;
use crate::core::profile::{Section, Value};
use crate::core::role_arn::{self, account};
use crate::core::url_host::target;

pub(super) const RULE: Rule = Rule { decides: &[Cause::ProfileBroken], look };

fn look(case: &Case<'_>, findings: &mut Findings) {
    variables(case, findings);
    for section in case.chain() {
        for (name, mistake) in
            [("role_arn", role_arn::mistake as fn(&str) -> Option<String>), ("sso_account_id", account)]
        {
            if let Some(value) = section.get(name) {
                tell(case, section, name, value, mistake(&value.text), findings);
            }
        }
        for holder in [Some(section), case.sso_session(section)].into_iter().flatten() {
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
        |uri: &str| (!target(uri).is_http()).then(|| "is not a URL: it must begin with http:// or https://".to_owned());
    for (name, mistake) in [
        ("AWS_ROLE_ARN", role.and_then(role_arn::mistake)),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", uri.and_then(no_url)),
    ] {
        let Some(mistake) = mistake else { continue };
        findings.add(
            Finding::error(Cause::ProfileBroken, format!("{name} {mistake}"))
                .evidence(format!("{name} is set in this shell"))
                .fix(Fix::command("Correct the variable, or unset it.", unset(case, &[name]))),
        );
    }
    if variables.get("AWS_WEB_IDENTITY_TOKEN_FILE").is_some()
        && variables.get("AWS_ROLE_ARN").is_none()
        && case.chain().iter().all(|section| section.get("role_arn").is_none())
    {
        findings.add(
            Finding::error(
                Cause::ProfileBroken,
                "AWS_WEB_IDENTITY_TOKEN_FILE is set without AWS_ROLE_ARN, so programs don't know the role for the token",
            )
            .evidence("boto3, the AWS CLI and Go programs fail; the others ignore the token")
            .fix(Fix::advice("Set AWS_ROLE_ARN too."))
            .fix(Fix::command("Or unset the other variable.", unset(case, &["AWS_WEB_IDENTITY_TOKEN_FILE"]))),
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
        Finding::error(Cause::ProfileBroken, format!("{name} of profile \"{}\" {mistake}", printable(&section.name)))
            .evidence(format!("the setting is at {}", case.at(value.origin)))
            .fix(Fix::advice(format!("Correct {name} at {}.", case.at(value.origin)))),
    );
}

fn start_url(text: &str) -> Option<String> {
    (!target(text).is_http()).then(|| "is not a URL: it must begin with https://".to_owned())
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
