//! The files themselves: their paths, their permissions, and whether they have the profile.

use super::cache_files::of_group;
use super::commands::{argument, export, unset};
use super::{
    Case, Cause, Certainty, Daemon, DanglingLink, FileFacts, FileRole, FileState, Finding, Findings, Group, Rule,
    Severity, cache_files,
};
use crate::core::clients::{Construct, Reading};
use crate::core::fix::{Fix, word};
use crate::core::nearest::did_you_mean;
use crate::core::plan::PlanErrorCode;
use crate::core::printable::{line, printable};
use crate::core::profile::{Lost, SourceFile, Value};
use crate::core::variables;

pub(super) const RULE: Rule = Rule {
    decides: &[Cause::FilePermissions, Cause::FilesElsewhere, Cause::ProfileBroken, Cause::DaemonEnvironmentDiffers],
    look,
};

fn look(case: &Case<'_>, findings: &mut Findings) {
    for file in &case.evidence.files {
        permissions(case, file, findings);
        dangling(case, file, findings);
    }
    cache_files::look(case, findings);
    elsewhere(case, findings);
    ignored_part(case, findings);
    broken(case, findings);
    daemon(case, findings);
}

fn permissions(case: &Case<'_>, file: &FileFacts, findings: &mut Findings) {
    // Unused files are harmless.
    if !matches!(file.role, FileRole::Config | FileRole::Credentials) && !file.role.is_directory() {
        return;
    }
    changeable(case, file, findings);
    let (what, path) = (file.role.label(), printable(&file.path));
    let is_secret = file.role == FileRole::Credentials;
    let ownership =
        |uid, mode| format!("it belongs to uid {uid} (mode {mode:03o}), and you are uid {}", case.evidence.uid);
    match &file.state {
        FileState::Unreadable { why, fix, owner_and_mode } => {
            let finding = Finding::error(Cause::FilePermissions, format!("{what} can't be read"))
                .evidence(format!("{path}: {}", printable(why)));
            let of_another = owner_and_mode.filter(|(owner, _)| *owner != case.evidence.uid);
            let finding = finding.evidence_of(of_another.map(|(owner, mode)| ownership(owner, mode)));
            let variable = if is_secret { "AWS_SHARED_CREDENTIALS_FILE" } else { "AWS_CONFIG_FILE" };
            findings.add(finding.fix(match fix {
                Some(command) => Fix::command("Make it readable.", command.clone()),
                None => Fix::advice(format!("Put a readable file there, or name another one ({variable}).")),
            }));
        }
        FileState::Directory { fix } => {
            // The other file may have all that the profile needs.
            let severity = if matches!(case.plan, Some(Ok(_))) { Severity::Warning } else { Severity::Error };
            findings.add(
                Finding::new(Cause::FilePermissions, severity, format!("{what} is a directory"))
                    .evidence(format!("{path} is a directory: programs read no settings from it"))
                    .fixes(fix.as_ref().map(|command| Fix::command("Remove the directory.", command.clone())))
                    .fixes(
                        fix.is_none().then(|| Fix::advice(format!("Move the directory away, and put {what} there."))),
                    ),
            );
        }
        FileState::Present { uid, mode, group }
            if is_secret && file.state.of_others().is_some_and(|bits| bits & 0o4 != 0) =>
        {
            findings.add(
                Finding::warning(Cause::FilePermissions, format!("other users can read {what}"))
                    .evidence(format!("{path} has mode {mode:03o} (owner uid {uid}{})", of_group(*mode, 0o040, group)))
                    .fix(only_owner(file, group, "chmod 600")),
            );
        }
        FileState::Present { uid: uid @ 0, mode, .. } if is_secret && case.evidence.uid != 0 => {
            findings.add(
                Finding::warning(Cause::FilePermissions, format!("{what} belongs to another user"))
                    .evidence(format!("{path}: {}", ownership(*uid, *mode)))
                    .fix(make_yours(file)),
            );
        }
        _ => {}
    }
}

/// A broken symbolic link in the place of an AWS file: programs see no file, and the profile may be in it.
fn dangling(case: &Case<'_>, file: &FileFacts, findings: &mut Findings) {
    let Some(DanglingLink { link, target }) = &file.dangling else { return };
    let is_link_of =
        |role| case.evidence.files.iter().any(|other| other.role == role && other.dangling == file.dangling);
    // A link in the place of their directory is one finding.
    let what = match file.role {
        FileRole::Config if is_link_of(FileRole::Credentials) => "the AWS files do not exist",
        FileRole::Config => "the AWS config file does not exist",
        FileRole::Credentials if !is_link_of(FileRole::Config) => "the AWS credentials file does not exist",
        _ => return,
    };
    let severity = if matches!(case.plan, Some(Ok(_))) { Severity::Warning } else { Severity::Error };
    let (link, target) = (printable(link), printable(target));
    let title = format!("{what}: {link} is a symbolic link to {target}, which does not exist");
    let finding = Finding::new(Cause::FilesElsewhere, severity, title);
    let finding = match &case.profile {
        Some(profile) if severity == Severity::Error => {
            finding.evidence(format!("profile \"{}\" may be in that file", line(profile)))
        }
        _ => finding.evidence("programs read no settings from it"),
    };
    findings.add(finding.fix(Fix::advice(format!("Create {target}, or remove the symbolic link {link}."))));
}

/// A user who can write the config file can make every AWS program of its owner run a command (`credential_process`). So can a
/// user who can rename one of its parent directories.
fn changeable(case: &Case<'_>, file: &FileFacts, findings: &mut Findings) {
    /// In a directory with this bit only a file's owner can replace or remove it.
    const STICKY: u32 = 0o1000;
    /// The uid that a user namespace shows for owners outside of it, for example the machine's root.
    const OVERFLOW: u32 = 65_534;
    let FileState::Present { uid, mode, group } = &file.state else { return };
    let (what, path, me) = (file.role.label(), printable(&file.path), case.evidence.uid);
    let is_protected = file.role.is_directory() && mode & STICKY != 0;
    let bits = file.state.of_others().unwrap_or_default();
    if bits & 0o2 != 0 && !is_protected {
        // The group's bits don't show its members.
        let is_sure = mode & 0o002 != 0 || matches!(group, Group::Shared(_));
        findings.add(
            Finding::error(Cause::FilePermissions, format!("other users can change {what}"))
                .certainty(if is_sure { Certainty::Confirmed } else { Certainty::Likely })
                .evidence(format!("{path} has mode {mode:03o} (owner uid {uid}{})", of_group(*mode, 0o020, group)))
                .evidence(if file.role.is_directory_of_caches() {
                    "they can replace the tokens and credentials that AWS programs cache there"
                } else {
                    "a credential_process that they write there runs as you in every AWS program"
                })
                .fix(only_owner(file, group, "chmod go-w")),
        );
    }
    // Root can change every file, and reads those of users on purpose (for example in containers).
    let is_of_another = *uid != me && *uid != 0 && me != 0;
    if is_of_another
        && !is_protected
        && !(matches!(file.role, FileRole::Ancestor | FileRole::CacheAncestor) && *uid == OVERFLOW)
    {
        findings.add(
            Finding::error(Cause::FilePermissions, format!("another user owns {what}"))
                .evidence(format!("{path} belongs to uid {uid} (mode {mode:03o}), and you are uid {me}"))
                .fix(make_yours(file)),
        );
    }
}

/// A command that removes the permissions of others.
fn only_owner(file: &FileFacts, group: &Group, command: &str) -> Fix {
    let command = match group {
        Group::AccessList => format!("setfacl -b {} && {command}", word(&file.path)),
        _ => command.to_owned(),
    };
    on_file("Restrict it to its owner.", &command, file)
}

fn make_yours(file: &FileFacts) -> Fix {
    on_file("Change its owner.", "sudo chown \"$(id -u):$(id -g)\"", file)
}

/// A command about a file; only advice if its path can't be part of a line.
fn on_file(text: &str, command: &str, file: &FileFacts) -> Fix {
    if file.path.chars().any(char::is_control) {
        return Fix::advice(format!("{text} Its path has control characters in it."));
    }
    Fix::command(text, format!("{command} {}", word(&file.path)))
}

/// Files that are named but don't exist, and files that are not read.
fn elsewhere(case: &Case<'_>, findings: &mut Findings) {
    let variables = &case.evidence.variables;
    let of_role = |role| case.evidence.files.iter().find(|facts| facts.role == role);
    let is_there = |facts: &&FileFacts| matches!(facts.state, FileState::Present { .. });
    for (variable, file) in
        [("AWS_CONFIG_FILE", SourceFile::Config), ("AWS_SHARED_CREDENTIALS_FILE", SourceFile::Credentials)]
    {
        let Some(value) = variables.get(variable) else { continue };
        let (role, usual) = match file {
            SourceFile::Config => (FileRole::Config, FileRole::UsualConfig),
            _ => (FileRole::Credentials, FileRole::UsualCredentials),
        };
        if of_role(role).is_some_and(|facts| facts.state == FileState::Missing) {
            findings.add(
                Finding::error(Cause::FilesElsewhere, format!("{variable} names a file that does not exist"))
                    .evidence(format!("{variable} is {}", printable(value)))
                    .fix(Fix::command("Use the default file.", unset(case, &[variable]))),
            );
        }
        if let Some(usual) = of_role(usual).filter(is_there) {
            findings.add(
                Finding::info(Cause::FilesElsewhere, format!("{} is not read", printable(&usual.path)))
                    .evidence(format!("{variable} names another file: {}", printable(&case.path(file))))
                    .fix(Fix::command("Use the default file.", unset(case, &[variable]))),
            );
        }
    }
    let windows: Vec<String> = case
        .evidence
        .files
        .iter()
        .filter(|facts| facts.role == FileRole::Windows && facts.state != FileState::Missing)
        .map(|facts| printable(&facts.path))
        .collect();
    if !windows.is_empty() {
        let finding = Finding::info(
            Cause::FilesElsewhere,
            "Windows programs have their own AWS files, which Linux programs don't read",
        );
        findings.add(finding.evidence_of(windows.iter().map(|path| format!("{path} exists"))));
    }
    // The files of another user: HOME is root's, and sudo was run by that user.
    if case.evidence.uid == 0
        && let Some(person) = variables.get("SUDO_USER").filter(|person| *person != "root")
        && [FileRole::Config, FileRole::Credentials].into_iter().filter_map(of_role).all(|facts| !is_there(&facts))
    {
        findings.add(
            Finding::warning(Cause::FilesElsewhere, "evercred runs as root, and root has no AWS files")
                .evidence(format!("{} ran sudo; doctor does not read that user's files", printable(person)))
                .fix(Fix::advice("Run it without sudo.")),
        );
    }
}

/// A profile that can't give credentials.
fn broken(case: &Case<'_>, findings: &mut Findings) {
    let (Some(profile), Some(Err(error))) = (&case.profile, &case.plan) else { return };
    let place = error.origin.map(|origin| case.at(origin));
    let finding = match error.code {
        // Another finding, if it is one.
        PlanErrorCode::NoCredentials | PlanErrorCode::IncompleteStatic | PlanErrorCode::UnreadableFile => return,
        PlanErrorCode::MissingProfile => {
            let mut names = case.evidence.profiles_of_daemon.profiles.keys().map(String::as_str);
            let by = case.evidence.variables.first(&variables::PROFILE);
            let by = by.filter(|_| case.evidence.named.is_none());
            let finding =
                Finding::error(Cause::ProfileBroken, format!("profile \"{}\" is in no AWS file", line(profile)))
                    .evidence(format!("the files have no such section{}", did_you_mean(profile, names.clone())))
                    .evidence(format!(
                        "doctor checked {} and {}",
                        case.path(SourceFile::Config),
                        case.path(SourceFile::Credentials)
                    ));
            let finding = if case.evidence.settings_refused.is_empty() {
                finding
            } else {
                finding.evidence("it may be a [[profile]] of evercred.toml, which can't be used")
            };
            let finding = if profile.trim() == profile {
                finding
            } else {
                let finding = finding
                    .evidence("the name has blanks around it; for boto3 and the AWS CLI they are part of the name");
                match by {
                    Some((variable, _)) if names.any(|name| name == profile.trim()) => finding.fix(Fix::command(
                        "Set the variable without the blanks.",
                        export(case, &[(variable, &word(profile.trim()))]),
                    )),
                    _ => finding,
                }
            };
            let finding = match ignored_section(case, profile) {
                Some((said, fix)) => finding.evidence(said).fix(fix),
                None => finding,
            };
            match by {
                Some((variable, _)) => finding
                    .evidence(format!("{variable} names the profile; boto3, the AWS CLI and Go programs fail"))
                    .fix(Fix::see("List the profiles.", "evercred profiles"))
                    .fix(Fix::command("Unset the variable.", unset(case, &[variable]))),
                None => finding.fix(Fix::see("List the profiles.", "evercred profiles")),
            }
        }
        _ => {
            let finding = Finding::error(Cause::ProfileBroken, format!("profile \"{profile}\" can't give credentials"))
                .evidence(match &place {
                    Some(place) => format!("{place}: {}", printable(&error.message)),
                    None => printable(&error.message),
                });
            let is_wrong = |source: &&Value| Some(source.origin) == error.origin;
            let sources = case.chain().into_iter().filter_map(|section| section.get("source_profile"));
            let ignored = sources.filter(is_wrong).find_map(|source| ignored_section(case, &source.text));
            finding.fix(match place {
                _ if let Some((_, fix)) = ignored => fix,
                Some(place) => Fix::advice(format!("Correct {place}.")),
                None => Fix::see(
                    "Show how evercred obtains its credentials.",
                    format!("evercred plan {}", argument(profile)),
                ),
            })
        }
    };
    findings.add(finding);
}

/// A section of that name that the SDKs ignore because of its header: the evidence, and the fix.
pub(super) fn ignored_section(case: &Case<'_>, profile: &str) -> Option<(String, Fix)> {
    let (problem, is_prefixed) = case.evidence.problems.iter().find_map(|problem| {
        let is_meant = problem.ignored_names().any(|name| name == profile);
        let is_prefixed = matches!(&problem.lost, Lost::Header(header) if header.starts_with("profile"));
        is_meant.then_some((problem, is_prefixed))
    })?;
    let (place, name) = (case.at(problem.origin), printable(profile));
    let fix = match problem.origin.file {
        SourceFile::Config if !is_prefixed => {
            Fix::advice(format!("Replace [{name}] with [profile {name}] at {place}."))
        }
        SourceFile::Credentials if is_prefixed => {
            Fix::advice(format!("Replace [profile {name}] with [{name}] at {place}."))
        }
        SourceFile::Config => {
            let quote = if profile.contains('\'') { '"' } else { '\'' };
            let clients = Construct::QuotedName.clients(Reading::Alike).join(", ");
            Fix::advice(format!("Write [profile {quote}{name}{quote}] at {place}: {clients} and evercred read it."))
        }
        _ => Fix::advice(format!(
            "Rename the profile at {place} to a name without blanks: only {} read this name.",
            Construct::NameWithBlank.clients(Reading::Otherwise).join(", ")
        )),
    };
    Some((format!("{place}: {}", printable(&problem.message)), fix))
}

/// The same if the profile exists: the ignored section may have some of its settings.
fn ignored_part(case: &Case<'_>, findings: &mut Findings) {
    let Some(profile) = case.profile.as_deref().filter(|_| case.section().is_some()) else { return };
    let Some((said, fix)) = ignored_section(case, profile) else { return };
    let title = format!("a section that may be meant for profile \"{}\" is ignored", printable(profile));
    findings.add(Finding::warning(Cause::ProfileBroken, title).evidence(said).fix(fix));
}

/// The daemon reads other files, or reaches AWS with other settings.
fn daemon(case: &Case<'_>, findings: &mut Findings) {
    if let Daemon::Silent { why, other_files: true } = &case.evidence.daemon {
        findings.add(
            Finding::warning(Cause::DaemonEnvironmentDiffers, "the daemon reads other AWS files than this shell")
                .evidence(printable(why))
                .fix(Fix::command("Let the daemon read the files of this shell.", "evercred service install")),
        );
    }
    if let Some(drift) = &case.evidence.drift {
        findings.add(
            Finding::warning(
                Cause::DaemonEnvironmentDiffers,
                "the daemon reaches AWS with other settings than this shell",
            )
            .evidence(printable(drift))
            .fix(Fix::see("Compare the settings of both.", "evercred service status"))
            .fix(Fix::command("Give the daemon the settings of this shell.", "evercred service install")),
        );
    }
}
