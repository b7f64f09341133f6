//! What only the text of the files shows: values that botocore reads otherwise than the SDKs' specification says.

use super::{Case, Certainty, Finding, Findings, Id, Severity, Whose};
use crate::core::aws_file::{Document, LineKind};
use crate::core::fix::Fix;
use crate::core::profile::{Origin, SourceFile};

pub(super) fn look(case: &Case<'_>, findings: &mut Findings) {
    for (file, text) in
        [(SourceFile::Config, &case.evidence.config_text), (SourceFile::Credentials, &case.evidence.credentials_text)]
    {
        if let Some(text) = text {
            comments(case, file, text, findings);
        }
    }
}

/// A comment behind a value. The SDKs' specification takes it away; botocore reads with Python's `configparser` without inline
/// comments (`botocore/configloader.py`, `raw_config_parse`), so for boto3 and the AWS CLI it is part of the value (tried
/// with boto3 1.43).
fn comments(case: &Case<'_>, file: SourceFile, text: &str, findings: &mut Findings) {
    let document = Document::parse(text);
    for (at, line) in document.lines().iter().enumerate() {
        let LineKind::Property { key, value } = &line.kind else { continue };
        let rest = document.slice(&(value.end..line.bytes.end)).trim();
        let key = document.slice(key).to_ascii_lowercase();
        let (id, name) = match key.as_str() {
            "aws_access_key_id" => (Id::AccessKeyMalformed, "access key id"),
            "aws_secret_access_key" => (Id::SecretKeyMalformed, "secret access key"),
            "aws_session_token" | "aws_security_token" => (Id::SessionTokenMalformed, "session token"),
            _ => continue,
        };
        let origin = Origin { file, line: u32::try_from(at + 1).unwrap_or(u32::MAX) };
        // Sections that are not in question are somebody else's.
        let subject = case.subjects.iter().find(|subject| {
            let parts =
                [subject.access_key_id, subject.secret_access_key, subject.session_token, subject.security_token];
            parts.into_iter().flatten().any(|part| part.origin == Some(origin))
        });
        let Some(subject) = subject.filter(|_| rest.starts_with(['#', ';'])) else { continue };
        if matches!(subject.whose, Whose::Environment) {
            continue;
        }
        findings.add(
            Finding::new(
                id,
                Severity::Error,
                format!("boto3 and the AWS CLI take the comment behind the {name} in {} for a part of it", subject.called()),
            )
            .certainty(Certainty::Confirmed)
            .evidence(format!("a comment stands behind {key} at {}", case.at(origin)))
            .evidence("the other SDKs take it away, as their specification says; that AWS accepts the value here says nothing of boto3")
            .fix(Fix::advice(format!("Put the comment on a line of its own above {key} at {}.", case.at(origin)))),
        );
    }
}
