//! The file with a web identity token: whether it is there, and whether the token in it is still good.

use super::evidence::TokenState;
use super::{Case, Cause, Finding, Findings, ResolvedFrom, Rule};
use crate::core::fix::Fix;
use crate::core::plan::Source;
use crate::core::printable::printable;

pub(super) const RULE: Rule = Rule { decides: &[Cause::CredentialsMissing, Cause::CredentialsExpired], look };

fn look(case: &Case<'_>, findings: &mut Findings) {
    for (path, place) in in_question(case) {
        let Some(facts) = case.evidence.token_files.iter().find(|facts| facts.path == path) else { continue };
        let title = |what: &str| format!("the web identity token file {} {what}", printable(&path));
        let (now, uncertainty) = case.aws_time();
        let finding = match &facts.state {
            TokenState::Unusable(why) => Finding::error(Cause::CredentialsMissing, title(&printable(why))),
            TokenState::There { ends: Some(at) } if now - *at > uncertainty => {
                Finding::error(Cause::CredentialsExpired, title("has an expired token"))
                    .evidence(format!("the token's expiry (exp) was {at}"))
            }
            TokenState::There { .. } => continue,
        };
        findings.add(
            finding
                .evidence(format!("{place} names the file"))
                .fix(Fix::advice("Run the program that writes the file again, or correct the path.")),
        );
    }
}

/// The files that programs read here, each with what names it.
fn in_question(case: &Case<'_>) -> Vec<(String, String)> {
    const VARIABLE: &str = "AWS_WEB_IDENTITY_TOKEN_FILE";
    let mut found = Vec::new();
    if let Some(path) = case.evidence.variables.get(VARIABLE)
        && super::client_resolution::choices(case).iter().any(|(_, uses)| *uses == ResolvedFrom::WebIdentity)
    {
        found.push((path.to_owned(), VARIABLE.to_owned()));
    }
    let steps = case.plan.iter().flatten().flat_map(|plan| &plan.steps);
    found.extend(steps.filter_map(|step| match &step.source {
        Source::WebIdentity(identity) => Some((
            identity.token_file.clone(),
            format!("web_identity_token_file of profile \"{}\"", printable(&step.profile)),
        )),
        _ => None,
    }));
    found
}

#[cfg(test)]
mod tests {
    use super::super::evidence::TokenFile;
    use super::super::testing::{evidence, found, report};
    use super::super::{Answers, Certainty, Severity};
    use super::*;
    use crate::core::time::AwsTime;

    const VARIABLES: [(&str, &str); 2] =
        [("AWS_WEB_IDENTITY_TOKEN_FILE", "/t"), ("AWS_ROLE_ARN", "arn:aws:iam::111122223333:role/App")];

    #[test]
    fn a_token_file_without_a_token_or_with_an_old_one_is_found_and_a_good_one_is_not() {
        let ends = |millis| TokenState::There { ends: Some(AwsTime::from_millis(millis)) };
        for (state, id) in [
            (TokenState::Unusable("is empty".to_owned()), Some(Cause::CredentialsMissing)),
            (ends(1_000_000_000_000), Some(Cause::CredentialsExpired)),
            (ends(2_000_000_000_000), None),
            (TokenState::There { ends: None }, None),
        ] {
            let mut evidence = evidence("", "", &VARIABLES, "");
            evidence.token_files = vec![TokenFile { path: "/t".to_owned(), state: state.clone() }];
            let seen = found(&report(&evidence, &Answers::default(), &RULE));
            let expected: Vec<_> = id.into_iter().map(|id| (id, Severity::Error, Certainty::Confirmed)).collect();
            assert_eq!(seen, expected, "{state:?}");
        }
    }

    #[test]
    fn a_token_file_of_a_profile_that_is_not_in_question_is_nobodys_trouble() {
        let config = "[profile a]\nregion = eu-west-1\n[profile b]\nrole_arn = arn:aws:iam::111122223333:role/App\n\
                      web_identity_token_file = /t\n";
        for (named, count) in [("a", 0), ("b", 1)] {
            let mut evidence = evidence(config, "", &[], named);
            evidence.token_files =
                vec![TokenFile { path: "/t".to_owned(), state: TokenState::Unusable("does not exist".to_owned()) }];
            assert_eq!(found(&report(&evidence, &Answers::default(), &RULE)).len(), count, "{named}");
        }
    }
}
