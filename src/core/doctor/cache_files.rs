//! Checks which users can read and change the cache files of the AWS tools: tokens, client secrets and credentials.

use std::collections::BTreeMap;

use super::{Case, Cause, Certainty, FileFacts, FileRole, FileState, Finding, Findings, Group, Severity};
use crate::core::fix::{Fix, word};
use crate::core::printable::printable;

/// The maximum number of files shown for a directory.
const SHOWN: usize = 5;

/// One finding for each directory and kind of access.
pub(super) fn look(case: &Case<'_>, findings: &mut Findings) {
    let mut directories: BTreeMap<&str, Vec<&FileFacts>> = BTreeMap::new();
    for file in case.evidence.files.iter().filter(|file| file.role == FileRole::CacheFile) {
        let directory = file.path.rsplit_once('/').map_or("", |(directory, _)| directory);
        directories.entry(directory).or_default().push(file);
    }
    for (directory, files) in directories {
        let with = |bits: u32| {
            let has = |file: &&FileFacts| file.state.of_others().is_some_and(|others| others & 0o6 == bits);
            files.iter().copied().filter(has).collect::<Vec<_>>()
        };
        let (readable, writable) = (with(0o4), [with(0o2), with(0o6)].concat());
        if !writable.is_empty() {
            let title = format!("other users can change files in {}", printable(directory));
            let what = "they can replace the tokens and credentials that AWS programs cache there";
            findings.add(finding(directory, &writable, Severity::Error, title).evidence(what));
        }
        if !readable.is_empty() {
            let title = format!("other users can read files in {}", printable(directory));
            let what = "such files hold tokens and credentials";
            findings.add(finding(directory, &readable, Severity::Warning, title).evidence(what));
        }
        let foreign: Vec<&FileFacts> = files.iter().copied().filter(|file| is_of_another(case, file)).collect();
        if !foreign.is_empty() {
            let title = format!("another user owns files in {}", printable(directory));
            let finding = shown(Finding::error(Cause::FilePermissions, title), &foreign);
            findings.add(finding.fix(command(
                "Change their owner.",
                "sudo chown \"$(id -u):$(id -g)\"",
                directory,
                &foreign,
            )));
        }
    }
}

/// The group that has a permission, as part of a sentence.
pub(super) fn of_group(mode: u32, bit: u32, group: &Group) -> String {
    match group {
        _ if mode & bit == 0 => String::new(),
        Group::Private => String::new(),
        Group::Shared(name) => format!(", group {}", printable(name)),
        Group::AccessList => ", with an access control list".to_owned(),
        Group::Unknown(gid) => format!(", gid {gid}, whose members are unknown"),
    }
}

/// Root can change every file, and reads those of users on purpose.
fn is_of_another(case: &Case<'_>, file: &FileFacts) -> bool {
    let me = case.evidence.uid;
    matches!(file.state, FileState::Present { uid, .. } if uid != me && uid != 0 && me != 0)
}

fn finding(directory: &str, files: &[&FileFacts], severity: Severity, title: String) -> Finding {
    let is_sure = |file: &&FileFacts| match &file.state {
        FileState::Present { mode, group, .. } => mode & 0o006 != 0 || matches!(group, Group::Shared(_)),
        _ => false,
    };
    let certainty = if files.iter().any(is_sure) { Certainty::Confirmed } else { Certainty::Likely };
    let has_list = |file: &&FileFacts| matches!(&file.state, FileState::Present { group: Group::AccessList, .. });
    let restrict = if files.iter().any(has_list) { "setfacl -b" } else { "chmod 600" };
    let finding = shown(Finding::new(Cause::FilePermissions, severity, title).certainty(certainty), files);
    let finding = finding.fix(command("Restrict them to their owner.", restrict, directory, files));
    if restrict == "chmod 600" {
        finding
    } else {
        finding.fix(command("Then set the mode.", "chmod 600", directory, files))
    }
}

/// The first files as evidence, with owner and mode.
fn shown(finding: Finding, files: &[&FileFacts]) -> Finding {
    let mut finding = finding;
    for file in files.iter().take(SHOWN) {
        if let FileState::Present { uid, mode, group } = &file.state {
            let group = of_group(*mode, 0o060, group);
            finding =
                finding.evidence(format!("{} has mode {mode:03o} (owner uid {uid}{group})", printable(&file.path)));
        }
    }
    match files.len().saturating_sub(SHOWN) {
        0 => finding,
        more => finding.evidence(format!("and {more} more")),
    }
}

/// A command for the files, or for all files of their directory if there are many.
fn command(text: &str, command: &str, directory: &str, files: &[&FileFacts]) -> Fix {
    if files.iter().any(|file| file.path.chars().any(char::is_control)) {
        return Fix::advice(format!("{text} A path has control characters in it."));
    }
    let all = format!("{}/*", word(directory));
    let names: Vec<String> = files.iter().map(|file| word(&file.path)).collect();
    let names = if files.len() > SHOWN { all } else { names.join(" ") };
    Fix::command(text, format!("{command} {names}"))
}
