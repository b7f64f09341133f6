//! What only the text of the files shows: what botocore refuses or reads otherwise than the SDKs' specification says. It reads them
//! with Python's `configparser` (`botocore/configloader.py`, `raw_config_parse`; all of this was tried with boto3 1.43).

use std::collections::BTreeMap;

use super::{Case, Cause, Finding, Findings, Rule, Severity};
use crate::core::aws_file::{Document, LineKind};
use crate::core::fix::{Fix, word};
use crate::core::printable::printable;
use crate::core::profile::{Origin, Section, SourceFile};

pub(super) const RULE: Rule = Rule {
    decides: &[
        Cause::ProfileDuplicated,
        Cause::ProfileBroken,
        Cause::RegionInvalid,
        Cause::AccessKeyMalformed,
        Cause::SecretKeyMalformed,
        Cause::SessionTokenMalformed,
    ],
    look,
};

fn look(case: &Case<'_>, findings: &mut Findings) {
    for (file, text) in
        [(SourceFile::Config, &case.evidence.config_text), (SourceFile::Credentials, &case.evidence.credentials_text)]
    {
        let Some(text) = text else { continue };
        let document = Document::parse(text.as_bytes());
        byte_order_mark(case, file, text, findings);
        duplicated(case, file, &document, findings);
        comments(case, file, &document, findings);
    }
}

/// `configparser` reads the file as UTF-8, to which the mark is a character before the first header: MissingSectionHeaderError.
fn byte_order_mark(case: &Case<'_>, file: SourceFile, text: &str, findings: &mut Findings) {
    if !text.starts_with('\u{feff}') {
        return;
    }
    let path = case.path(file);
    let take_away = format!(r"perl -i -pe 's/^\xEF\xBB\xBF// if $. == 1' {}", word(&path));
    findings.add(
        Finding::new(Cause::ProfileBroken, Severity::Error, format!("boto3 and the AWS CLI can't read {}", printable(&path)))
            .evidence("it begins with a byte order mark, which some editors on Windows write; boto3 says \"Unable to parse config file\"")
            .fix(Fix::command("Save it as UTF-8 without a byte order mark.", take_away)),
    );
}

/// A section that stands twice in one file, or a setting twice in one section. By the SDKs' specification the later ones win;
/// `configparser` is strict (DuplicateSectionError, DuplicateOptionError), and boto3 shows both as "Unable to parse config file".
fn duplicated(case: &Case<'_>, file: SourceFile, document: &Document<'_>, findings: &mut Findings) {
    let mut sections: BTreeMap<&str, usize> = BTreeMap::new();
    let mut settings: BTreeMap<String, usize> = BTreeMap::new();
    let mut section = "";
    for (at, line) in document.lines().iter().enumerate() {
        match &line.kind {
            LineKind::Section { name, .. } => {
                section = document.slice(name);
                settings.clear();
                let first = *sections.entry(section).or_insert(at);
                if first != at {
                    let fix = "Put the settings of both together, and delete the section";
                    findings.add(twice(case, file, &format!("[{section}]"), (first, at), fix));
                }
            }
            LineKind::Property { key, .. } => {
                let key = document.slice(key).to_ascii_lowercase();
                let what = format!("{key} in [{section}]");
                let first = *settings.entry(key).or_insert(at);
                if first != at {
                    let fix = "Keep the right one of both, and delete the line";
                    findings.add(twice(case, file, &what, (first, at), fix));
                }
            }
            _ => {}
        }
    }
}

fn twice(case: &Case<'_>, file: SourceFile, what: &str, (first, second): (usize, usize), fix: &str) -> Finding {
    let path = printable(&case.path(file));
    let (first, second) = (first + 1, second + 1);
    Finding::new(Cause::ProfileDuplicated, Severity::Error, format!("{} stands twice in {path}", printable(what)))
        .evidence(format!("in the lines {first} and {second}"))
        .evidence(
            "boto3 and the AWS CLI refuse the whole file for it (\"Unable to parse config file\"); for other SDKs the later one wins",
        )
        .fix(Fix::advice(format!("{fix} at {path}:{second}, or at {path}:{first}.")))
}

/// A comment behind a value. The SDKs' specification takes it away; `configparser` has no comments there, so for boto3 and the AWS
/// CLI it is part of the value.
fn comments(case: &Case<'_>, file: SourceFile, document: &Document<'_>, findings: &mut Findings) {
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
            Finding::new(
                id,
                Severity::Error,
                format!("boto3 and the AWS CLI take the comment behind {key} in {place} for a part of the value"),
            )
            .evidence(format!("a comment stands behind {key} at {}", case.at(origin)))
            .evidence("the other SDKs take it away, as their specification says; that AWS accepts the value here says nothing of boto3")
            .fix(Fix::advice(format!("Put the comment on a line of its own above {key} at {}.", case.at(origin)))),
        );
    }
}

/// What a comment behind a part of the keys in question spoils, and where these are.
fn of_key(case: &Case<'_>, key: &str, origin: Origin) -> Option<(Cause, String)> {
    let id = match key {
        "aws_access_key_id" => Cause::AccessKeyMalformed,
        "aws_secret_access_key" => Cause::SecretKeyMalformed,
        "aws_session_token" | "aws_security_token" => Cause::SessionTokenMalformed,
        _ => return None,
    };
    // Sections that are not in question are somebody else's.
    let subject = case.subjects.iter().find(|subject| {
        let parts = [subject.access_key_id, subject.secret_access_key, subject.session_token, subject.security_token];
        parts.into_iter().flatten().any(|part| part.origin == Some(origin))
    })?;
    Some((id, subject.called()))
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
    const SETTINGS: [&str; 15] = [
        "region",
        "role_arn",
        "source_profile",
        "credential_source",
        "external_id",
        "mfa_serial",
        "duration_seconds",
        "role_session_name",
        "web_identity_token_file",
        "sso_session",
        "sso_account_id",
        "sso_role_name",
        "sso_region",
        "sso_start_url",
        "endpoint_url",
    ];
    if !SETTINGS.contains(&key) {
        return None;
    }
    let section = chain.get(&(origin, key))?;
    // The region of a profile on the way to another counts for that one alone.
    let id = if key == "region" { Cause::RegionInvalid } else { Cause::ProfileBroken };
    Some((id, format!("profile \"{}\"", section.name)))
}
