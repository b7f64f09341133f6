//! The last line of defence: whatever a rule puts into its sentences, no secret of this machine leaves in a report.

use super::{Case, Finding, Outcome, Report, ResolvedFrom, Verdict};
use crate::core::access_key::{SECRET_LENGTH, is_secret, may_be_secret};
use crate::core::redact::{Values, without_whole_secrets};

/// Shorter values may be words of a sentence by chance.
const SHORTEST: usize = 16;
const HIDDEN: &str = "(not shown)";

/// Takes the secrets in question out of a report, and names that may be secrets: a key may have been pasted where the name of a
/// profile belongs.
pub(super) fn redact(case: &Case<'_>, report: Report) -> Report {
    let values = case.subjects.iter().flat_map(|subject| {
        [subject.secret_access_key, subject.session_token, subject.security_token].into_iter().flatten()
    });
    let of_files = case.evidence.profiles_of_daemon.profiles.values();
    let names = of_files.flat_map(|section| {
        let named = ["source_profile", "sso_session", "evercred_source_profile"].map(|key| section.get(key));
        named.into_iter().flatten().map(|value| value.text.as_str()).chain([section.name.as_str()])
    });
    let names = names.chain(case.profile.as_deref()).filter(|name| may_be_secret(name));
    let settings =
        case.chain().into_iter().flat_map(|section| section.settings.values().map(|value| value.text.as_str()));
    let variables = case.evidence.variables.iter().filter(|(name, _)| name.starts_with("AWS_")).map(|(_, value)| value);
    let misplaced = settings.chain(variables).flat_map(str::split_whitespace).filter_map(misplaced);
    let secrets = values.map(|value| value.text).chain(names).chain(misplaced).map(str::to_owned);
    let secrets = Values::new(secrets, SHORTEST);
    let clean = |text: String| without_whole_secrets(&secrets.hide(&text, HIDDEN)).into_owned();
    let findings = report.findings.into_iter().map(|mut finding| {
        finding.title = clean(finding.title);
        finding.evidence = finding.evidence.into_iter().map(clean).collect();
        for fix in &mut finding.fix {
            fix.text = clean(std::mem::take(&mut fix.text));
            fix.command = fix.command.take().map(clean);
        }
        finding
    });
    let findings: Vec<Finding> = findings.collect();
    let outcome = match report.verdict.outcome {
        Outcome::Fails(why) => Outcome::Fails(clean(why)),
        Outcome::NotTested { why, on_purpose } => Outcome::NotTested { why: clean(why), on_purpose },
        Outcome::Works { of_shell } => Outcome::Works { of_shell: of_shell.map(clean) },
    };
    let verdict = Verdict { subject: clean(report.verdict.subject), outcome };
    let not_checked = report.not_checked.into_iter().map(|(id, why)| (id, clean(why))).collect();
    let choices = report.choices.into_iter().map(|(client, uses)| {
        let uses = match uses {
            ResolvedFrom::Profile { name, provider } => ResolvedFrom::Profile { name: clean(name), provider },
            ResolvedFrom::Fails(why) => ResolvedFrom::Fails(clean(why)),
            other => other,
        };
        (client, uses)
    });
    Report { choices: choices.collect(), findings, not_checked, profile: report.profile.map(clean), verdict, ..report }
}

/// A word that has the form of a whole secret, where no secret belongs; as a path it may have a slash in front.
fn misplaced(word: &str) -> Option<&str> {
    let bare = word.strip_prefix('/').filter(|_| word.len() > SECRET_LENGTH).unwrap_or(word);
    let has = |test: fn(&u8) -> bool| bare.as_bytes().iter().any(test);
    // A path has no such mix of letters.
    let is_mixed = has(u8::is_ascii_uppercase) && has(u8::is_ascii_lowercase) && has(u8::is_ascii_digit);
    (is_secret(bare) && is_mixed).then_some(bare)
}

#[cfg(test)]
mod tests {
    use super::super::testing::evidence;
    use super::super::{Answers, diagnose};

    const SECRET: &str = "s3cretA/MARKED+aZ4aZ4aZ4aZ4aZ4aZ4aZ4aZ4a";

    #[test]
    fn a_secret_in_the_place_of_a_profiles_name_is_not_shown() {
        for setting in [
            "login_session",
            "credential_source",
            "credential_process",
            "web_identity_token_file",
            "role_arn",
            "mfa_serial",
            "region",
            "endpoint_url",
            "sso_start_url",
            "services",
        ] {
            let besides = "role_arn = arn:aws:iam::111122223333:role/App\nsso_region = eu-west-1\n";
            let config = format!("[profile dev]\n{besides}{setting} = {SECRET}\n");
            let out = diagnose(&evidence(&config, "", &[], "dev"), &Answers::default()).document().to_string();
            assert!(!out.contains("MARKED"), "{setting}: {out}");
        }
        let by_variable = evidence("[profile dev]\nregion = eu-west-1\n", "", &[("AWS_PROFILE", SECRET)], "");
        let config =
            format!("[profile dev]\nrole_arn = arn:aws:iam::111122223333:role/App\nsource_profile = {SECRET}\n");
        for evidence in [by_variable, evidence(&config, "", &[], "dev"), evidence("", "", &[], SECRET)] {
            let report = diagnose(&evidence, &Answers::default());
            assert!(!report.findings.is_empty());
            let (document, text) = (report.document().to_string(), report.text(true));
            for out in [document, text] {
                assert!(!out.contains(SECRET) && !out.contains("MARKED"), "{out}");
            }
        }
    }
}
