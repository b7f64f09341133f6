//! Lines of the AWS files that some client refuses or reads otherwise, by the table of constructs (`core/clients/constructs.rs`).

use std::collections::BTreeMap;

use super::{Case, Cause, FileFacts, FileRole, FileState, Finding, Findings, Rule};
use crate::core::aws_file::{Document, Fault, Line, LineKind, deciding};
use crate::core::clients::{Construct, Reading};
use crate::core::fix::{Fix, word};
use crate::core::printable::printable;
use crate::core::profile::{Lost, Origin, Problem, Section, SourceFile};

pub(super) const RULE: Rule = Rule {
    decides: &[
        Cause::ProfileDuplicated,
        Cause::ProfileBroken,
        Cause::RegionInvalid,
        Cause::RegionInconsistent,
        Cause::AccessKeyMalformed,
        Cause::SecretKeyMalformed,
        Cause::SessionTokenMalformed,
    ],
    look,
};

fn look(case: &Case<'_>, findings: &mut Findings) {
    let is_refused = |problem: &&Problem| problem.fatal || problem.construct.and_then(Construct::refusal).is_some();
    for problem in case.evidence.problems.iter().filter(is_refused).filter(|problem| !is_unreadable(case, problem)) {
        findings.add(refused(case, problem));
    }
    for (file, text) in
        [(SourceFile::Config, &case.evidence.config_text), (SourceFile::Credentials, &case.evidence.credentials_text)]
    {
        let Some(text) = text else { continue };
        let document = Document::parse(text.as_bytes());
        comments(case, file, &document, findings);
        broken_over_lines(case, file, &document, findings);
        if file == SourceFile::Config && case.profile.as_deref() == Some("default") {
            findings.add_all(default_twice(case, &document));
        }
    }
}

/// Whether the whole file can't be read, which `aws_files` reports.
fn is_unreadable(case: &Case<'_>, problem: &Problem) -> bool {
    let role = if problem.origin.file == SourceFile::Config { FileRole::Config } else { FileRole::Credentials };
    let is_unreadable = |facts: &FileFacts| {
        facts.role == role && matches!(facts.state, FileState::Unreadable { .. } | FileState::Directory { .. })
    };
    case.evidence.files.iter().any(is_unreadable)
}

/// A line for which some clients refuse the whole file, or which evercred ignores.
fn refused(case: &Case<'_>, problem: &Problem) -> Finding {
    let (place, path) = (case.at(problem.origin), case.path(problem.origin.file));
    let title = format!("some programs can't read {}", printable(&path));
    let (id, title) = match &problem.subject {
        Some(subject) => {
            (Cause::ProfileDuplicated, format!("{} is set twice in {}", printable(subject), printable(&path)))
        }
        None => (Cause::ProfileBroken, title),
    };
    let is_read = problem.lost == Lost::Nothing;
    let seen = match problem.construct {
        None => "evercred can't read it, and uses the other file".to_owned(),
        Some(construct) => {
            let readers = [&construct.clients(Reading::Alike)[..], &["evercred"]].concat().join(", ");
            let rest = if is_read { format!("{readers} read it") } else { "evercred reads the other lines".to_owned() };
            construct.refusal().map_or_else(|| rest.clone(), |refusal| format!("{refusal}; {rest}"))
        }
    };
    let glued = glued_header(case, problem);
    let fix = match (problem.construct, &problem.fix) {
        _ if let Some(header) = &glued => Fix::advice(format!(
            "Put {header} on a line of its own, above the settings of that section: it is at the end of {place}."
        )),
        (_, Some(fix)) => Fix::advice(fix.clone()),
        (Some(Construct::ByteOrderMark), _) => Fix::command(
            "Save it as UTF-8 without a byte order mark.",
            format!(r"perl -i -pe 's/^\xEF\xBB\xBF// if $. == 1' {}", word(&path)),
        ),
        (Some(Construct::SectionTwice), _) => {
            Fix::advice(format!("Move the settings at {place} to the first section, and delete this one."))
        }
        (Some(Construct::SettingTwice), _) => {
            Fix::advice(format!("Keep the right line, and delete the other: this one is at {place}."))
        }
        _ => Fix::advice(format!("Correct {place}.")),
    };
    // boto3, the AWS CLI and evercred read a line that is not fatal.
    let finding = if problem.fatal { Finding::error(id, title) } else { Finding::warning(id, title) };
    finding.evidence(format!("{place}: {}", printable(&problem.message))).evidence(seen).fix(fix)
}

/// The section header at the end of a line above the first section: the line break before it was lost.
fn glued_header(case: &Case<'_>, problem: &Problem) -> Option<String> {
    let evidence = case.evidence;
    let text = match problem.origin.file {
        _ if problem.construct != Some(Construct::NoSection) => return None,
        SourceFile::Credentials => evidence.credentials_text.as_ref()?,
        SourceFile::Config | SourceFile::Settings => evidence.config_text.as_ref()?,
    };
    let line = text.lines().nth(usize::try_from(problem.origin.line).ok()?.checked_sub(1)?)?.trim();
    let header = line.get(line.rfind('[')?..)?;
    header.ends_with(']').then(|| printable(header))
}

/// A part of the keys whose end is in the next line. The end is never shown.
fn broken_over_lines(case: &Case<'_>, file: SourceFile, document: &Document<'_>, findings: &mut Findings) {
    /// A shorter line may be anything.
    const SHORTEST: usize = 8;
    for (at, lines) in document.lines().windows(2).enumerate() {
        let [Line { kind: LineKind::Property { key, .. }, .. }, next] = lines else { continue };
        let rest = document.slice(&next.bytes).trim();
        let is_base64 = |c: char| c.is_ascii_alphanumeric() || "+/".contains(c);
        let is_setting_or_fault = matches!(
            next.kind,
            LineKind::Property { .. } | LineKind::Broken(Fault::NoEquals | Fault::NoEqualsButColon)
        );
        if !is_setting_or_fault || rest.len() < SHORTEST || !rest.trim_end_matches('=').chars().all(is_base64) {
            continue;
        }
        let key = document.slice(key).to_ascii_lowercase();
        let origin = Origin { file, line: u32::try_from(at + 1).unwrap_or(u32::MAX) };
        let Some((id, place)) = of_key(case, &key, origin) else { continue };
        let below = Origin { line: origin.line.saturating_add(1), ..origin };
        findings.add(
            Finding::error(id, format!("{key} in {place} is broken over two lines"))
                .evidence(format!("{key} is at {}", case.at(origin)))
                .evidence(format!("{} is not a setting, and looks like the rest of the value", case.at(below)))
                .fix(Fix::advice(format!("Join the lines {} and {} of {}.", origin.line, below.line, case.path(file)))),
        );
    }
}

/// `[profile default]` above `[default]`: some clients read the later section.
fn default_twice(case: &Case<'_>, document: &Document<'_>) -> Option<Finding> {
    let is_of_it = |problem: &&Problem| problem.construct == Some(Construct::DefaultTwice);
    let ignored = case.evidence.problems.iter().rfind(is_of_it)?;
    let prefixed = case.section()?;
    let line = |origin: Origin| usize::try_from(origin.line).unwrap_or(usize::MAX);
    // botocore reads the later section.
    if ignored.origin.line < prefixed.origin.line {
        return None;
    }
    let below = document.lines().iter().skip(line(ignored.origin));
    let of_section = below.take_while(|line| !matches!(line.kind, LineKind::Section { .. }));
    let region = of_section.into_iter().find_map(|line| match &line.kind {
        LineKind::Property { key, value, .. } if document.slice(key).eq_ignore_ascii_case("region") => {
            Some(document.slice(value))
        }
        _ => None,
    });
    let used = prefixed.get("region").map(|region| region.text.as_str());
    let id = if region == used { Cause::ProfileDuplicated } else { Cause::RegionInconsistent };
    let clients = |reading| Construct::DefaultTwice.clients(reading).join(", ");
    let shown = |region: Option<&str>| region.map_or_else(|| "no region".to_owned(), printable);
    let finding = Finding::warning(id, "programs read different default profiles")
        .evidence(format!(
            "{} and evercred read [profile default] ({}): {}",
            clients(Reading::Alike),
            case.at(prefixed.origin),
            shown(used)
        ))
        .evidence(format!(
            "{} read [default] ({}): {}",
            clients(Reading::Otherwise),
            case.at(ignored.origin),
            shown(region)
        ));
    Some(finding.fix(Fix::advice(format!("Move all settings to one section, and delete {}.", case.at(ignored.origin)))))
}

/// A comment after a value, which some clients read as part of the value.
fn comments(case: &Case<'_>, file: SourceFile, document: &Document<'_>, findings: &mut Findings) {
    let clients = |reading| Construct::CommentBehindValue.clients(reading).join(", ");
    let mut chain: Option<BTreeMap<(Origin, &str), &Section>> = None;
    for (at, line) in document.lines().iter().enumerate() {
        let LineKind::Property { key, value, .. } = &line.kind else { continue };
        let rest = document.slice(&(value.end..line.bytes.end)).trim();
        if !rest.starts_with(['#', ';']) {
            continue;
        }
        let key = document.slice(key).to_ascii_lowercase();
        let origin = Origin { file, line: u32::try_from(at + 1).unwrap_or(u32::MAX) };
        let Some((id, place)) = of_key(case, &key, origin).or_else(|| {
            let chain = chain.get_or_insert_with(|| settings_by_place(case));
            of_profile(chain, &key, origin)
        }) else {
            continue;
        };
        findings.add(
            Finding::error(
                id,
                format!("{} read the comment after {key} in {place} as part of the value", clients(Reading::Otherwise)),
            )
            .evidence(format!("a comment follows the value of {key} at {}", case.at(origin)))
            .evidence(format!(
                "{} and evercred remove the comment: AWS may accept the value here, and refuse it elsewhere",
                clients(Reading::Alike)
            ))
            .fix(Fix::advice(format!("Put the comment on a line of its own above {key} at {}.", case.at(origin)))),
        );
    }
}

/// The effect of a comment after a part of the keys in question, and the place of the keys.
fn of_key(case: &Case<'_>, key: &str, origin: Origin) -> Option<(Cause, String)> {
    let id = match key {
        "aws_access_key_id" => Cause::AccessKeyMalformed,
        "aws_secret_access_key" => Cause::SecretKeyMalformed,
        "aws_session_token" | "aws_security_token" => Cause::SessionTokenMalformed,
        _ => return None,
    };
    // Other sections are not in question.
    let subject = case.subjects.iter().find(|subject| subject.parts().any(|part| part.origin == Some(origin)))?;
    Some((id, subject.label()))
}

/// The settings of the profile in question and of those that its credentials come from, by the lines that set them.
fn settings_by_place<'a>(case: &Case<'a>) -> BTreeMap<(Origin, &'a str), &'a Section> {
    let of_section =
        |section: &'a Section| section.settings.iter().map(move |(key, value)| ((value.origin, key), section));
    case.chain().into_iter().flat_map(of_section).collect()
}

/// The same for the other settings that decide whether AWS accepts anything, of the profile in question and of those that its
/// credentials come from.
fn of_profile(chain: &BTreeMap<(Origin, &str), &Section>, key: &str, origin: Origin) -> Option<(Cause, String)> {
    if !deciding().any(|setting| setting == key) {
        return None;
    }
    let section = chain.get(&(origin, key))?;
    // The region of a source profile applies to that profile only.
    let id = if key == "region" { Cause::RegionInvalid } else { Cause::ProfileBroken };
    Some((id, format!("profile \"{}\"", section.name)))
}
