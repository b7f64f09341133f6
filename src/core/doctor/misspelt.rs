//! Names of settings that no SDK reads, and that are almost those of settings that decide about credentials or region.

use super::{Case, Cause, Finding, Findings, Rule, Severity, region};
use crate::core::aws_file::{deciding, is_setting};
use crate::core::fix::Fix;
use crate::core::nearest::misspelt;
use crate::core::printable::printable;
use crate::core::profile::{Section, Value};

/// So many letters are different at most.
const MOST: usize = 2;

pub(super) const RULE: Rule = Rule { decides: &[Cause::ProfileBroken], look };

fn look(case: &Case<'_>, findings: &mut Findings) {
    for section in case.chain() {
        let label = format!("profile \"{}\"", section.name);
        in_section(case, section, &label, findings);
        if let Some(session) = case.sso_session(section) {
            in_section(case, session, &format!("the sso-session \"{}\"", session.name), findings);
        }
    }
}

fn in_section(case: &Case<'_>, section: &Section, label: &str, findings: &mut Findings) {
    for (key, value) in section.settings.iter() {
        // Tools that copy between regions have a source_region.
        if is_setting(key) || key == "source_region" {
            continue;
        }
        let lacking = deciding().filter(|setting| section.get(setting).is_none());
        if let Some(meant) = misspelt(key, lacking, MOST) {
            findings.add(finding(case, label, key, value, meant));
        }
    }
}

fn finding(case: &Case<'_>, label: &str, key: &str, value: &Value, meant: &str) -> Finding {
    let (key, place) = (printable(key), case.at(value.origin));
    let is_needed = match meant {
        "region" => region::name(case).is_none(),
        "aws_session_token" => case.subjects.iter().any(|subject| subject.is_temporary() && subject.token().is_none()),
        _ => false,
    };
    let severity = if is_needed || matches!(case.plan, Some(Err(_))) { Severity::Error } else { Severity::Warning };
    let title = format!("no SDK reads the setting {key} of {}; did you mean \"{meant}\"?", printable(label));
    Finding::new(Cause::ProfileBroken, severity, title)
        .evidence(format!("{key} is at {place}, and {} has no {meant}", printable(label)))
        .fix(Fix::advice(format!("Write {meant} in the place of {key} at {place}.")))
}

#[cfg(test)]
mod tests {
    use super::super::testing::{evidence, found, report};
    use super::super::{Answers, diagnose};
    use super::*;

    const KEYS: &str =
        "aws_access_key_id = AKIAIOSFODNN7EXAMPLE\naws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY\n";

    #[test]
    fn a_misspelt_setting_is_the_first_error_and_its_line_is_the_fix() {
        let role = "role_arn = arn:aws:iam::111122223333:role/R\n";
        for (config, credentials, meant, line) in [
            (
                format!("region = eu-west-1\n{}source_profile = base\n", role.replace("role_arn", "role_arm")),
                format!("[base]\n{KEYS}"),
                "role_arn",
                "config:3",
            ),
            (
                format!("region = eu-west-1\n{role}source_profle = base\n"),
                format!("[base]\n{KEYS}"),
                "source_profile",
                "config:4",
            ),
            ("regoin = eu-west-1\n".to_owned(), format!("[dev]\n{KEYS}"), "region", "config:2"),
            (
                "region = eu-west-1\ncredential_proces = /bin/x\n".to_owned(),
                String::new(),
                "credential_process",
                "config:3",
            ),
            (
                "region = eu-west-1\nsso_sesion = corp\nsso_account_id = 111122223333\nsso_role_name = R\n".to_owned(),
                String::new(),
                "sso_session",
                "config:3",
            ),
            (
                "region = eu-west-1\n".to_owned(),
                format!("[dev]\n{}", KEYS.replace("access_key =", "acess_key =")),
                "aws_secret_access_key",
                "credentials:3",
            ),
            (
                format!("region = eu-west-1\n{role}source_profile = base\n"),
                format!("[base]\n{}", KEYS.replace("access_key =", "acess_key =")),
                "aws_secret_access_key",
                "credentials:3",
            ),
        ] {
            let report =
                diagnose(&evidence(&format!("[profile dev]\n{config}"), &credentials, &[], "dev"), &Answers::default());
            let first = report.findings.first().unwrap_or_else(|| panic!("{meant}: {report:#?}"));
            assert!((first.id, first.severity) == (Cause::ProfileBroken, Severity::Error), "{meant}: {report:#?}");
            assert!(first.title.contains(&format!("did you mean \"{meant}\"")), "{meant}: {first:#?}");
            assert!(first.fix[0].text.contains(line), "{meant}: {first:#?}");
            assert!(report.verdict.line(None, None).contains("did you mean"), "{report:#?}");
        }
    }

    #[test]
    fn a_setting_that_is_there_or_far_from_every_name_is_no_mistake() {
        let config = "[profile dev]\nregion = eu-west-1\nregions = x\noutput = json\ncli_pager =\nsource_identity = me\nparent_profile = x\ns3 =\n  addressing_style = path\n";
        let report = report(&evidence(config, &format!("[dev]\n{KEYS}"), &[], "dev"), &Answers::default(), &RULE);
        assert_eq!(found(&report), []);
    }
}
