//! Profiles that get their credentials from evercred: the line `credential_process = … evercred credential-process PROFILE`.

use super::client_resolution::{deciding_settings, of_section, who_uses_what};
use super::{Case, Cause, Daemon, Finding, Findings, Provider, Rule};
use crate::core::fix::Fix;
use crate::core::plan::{helper_profile, program_of};
use crate::core::printable::printable;
use crate::core::profile::Section;

pub(super) const RULE: Rule = Rule { decides: &[Cause::AdoptionBroken, Cause::ProfileBroken], look };

fn look(case: &Case<'_>, findings: &mut Findings) {
    if !case.evidence.settings_refused.is_empty() {
        let finding = Finding::warning(Cause::AdoptionBroken, "evercred's own settings can't be used");
        let mistakes = case.evidence.settings_refused.iter();
        findings.add(
            mistakes
                .fold(finding, |finding, mistake| finding.evidence(printable(mistake)))
                .evidence("the daemon does not start with these settings, so programs get no credentials from it")
                .fix(Fix::see("List the problems of the settings.", "evercred config check")),
        );
    }
    let Some(section) = case.section() else { return };
    let Some(line) = section.get("credential_process") else { return };
    let Some(program) = program_of(&line.text) else { return };
    let place = case.at(line.origin);
    let is_there = case.evidence.programs.get(&program).is_none_or(Option::is_some);
    let Some(asked) = helper_profile(&line.text) else {
        if !is_there {
            findings.add(foreign_program_is_gone(section, &program, &place));
        }
        return;
    };
    let name = &section.name;
    if !is_there {
        findings.add(
            Finding::error(
                Cause::AdoptionBroken,
                format!("profile \"{name}\" runs an evercred program that does not exist"),
            )
            .evidence(format!("{place} runs {}, which does not exist", printable(&program)))
            .fix(Fix::advice(format!(
                "Correct the path of evercred in the line at {place}: `command -v evercred` prints it."
            ))),
        );
    } else if !program.starts_with('/') {
        findings.add(
            Finding::warning(Cause::AdoptionBroken, format!("profile \"{name}\" finds evercred only through PATH"))
                .evidence(format!(
                    "{place} names the program without its directory; editors and services have another PATH"
                ))
                .fix(Fix::advice(format!(
                    "Write the full path into the line at {place}: `command -v evercred` prints it."
                ))),
        );
    }
    if !case.evidence.profiles_of_daemon.profiles.contains_key(&asked) {
        findings.add(
            Finding::error(
                Cause::AdoptionBroken,
                format!("profile \"{name}\" asks evercred for a profile that does not exist"),
            )
            .evidence(format!("{place} asks for \"{}\"", printable(&asked)))
            .fix(Fix::advice(format!("Correct the name at the end of the line at {place}."))),
        );
    }
    other_settings(case, section, &place, findings);
    silent_daemon(case, name, findings);
}

/// Other settings of the profile that some client uses instead of evercred.
fn other_settings(case: &Case<'_>, section: &Section, place: &str, findings: &mut Findings) {
    let profiles = &case.evidence.profiles;
    let resolved = of_section(section, profiles);
    if resolved.iter().all(|(_, from)| from.is_provider(Provider::Process)) {
        return;
    }
    let name = &section.name;
    let finding = Finding::error(
        Cause::AdoptionBroken,
        format!("some programs don't ask evercred for the credentials of profile \"{name}\""),
    )
    .evidence(format!("the credential_process is at {place}; {}", who_uses_what(&resolved)));
    let others = deciding_settings(section, profiles).into_iter().filter(|(name, _)| *name != "credential_process");
    let finding = finding.evidence_of(others.map(|(name, value)| format!("{name}: {}", case.at(value.origin))));
    findings.add(finding.fix(Fix::advice(format!(
        "Add the prefix evercred_ to the settings that are for evercred (evercred_role_arn), and remove the keys of [{name}]."
    ))));
}

fn silent_daemon(case: &Case<'_>, name: &str, findings: &mut Findings) {
    let Daemon::Silent { why, .. } = &case.evidence.daemon else { return };
    findings.add(
        Finding::error(Cause::AdoptionBroken, format!("profile \"{name}\" needs the daemon, which does not answer"))
            .evidence(printable(why))
            .fixes(
                case.evidence
                    .has_service_manager
                    .then(|| Fix::command("Start it, now and at each login.", "evercred service install")),
            )
            .fix(Fix::command("Run it in another terminal.", "evercredd")),
    );
}

/// Another tool's program.
fn foreign_program_is_gone(section: &Section, program: &str, place: &str) -> Finding {
    Finding::error(Cause::ProfileBroken, format!("profile \"{}\" runs a program that does not exist", section.name))
        .evidence(format!("credential_process at {place} runs {}", printable(program)))
        .fix(Fix::advice("Install the program, or write its full path into the line."))
}
