//! Reads the words around an error: message, operation, service, caller, region and times.

use std::ops::Range;

use chrono::NaiveDateTime;

use super::clean::shown;
use super::hit::{Hit, around, between, line_of};
use super::named;
use super::pattern::Kind;
use super::patterns::is_of_word;
use super::reported::ReportedError;
use super::service::{self, name};
use crate::core::access_denied::{Rejected, rejected};
use crate::core::redact::{HIDDEN, is_access_key_id};

/// `bounds`: the end of the error before it and the beginning of the error after it.
pub(super) fn read(text: &str, hit: Hit, bounds: Range<usize>) -> ReportedError {
    let by_aws = hit.pattern.kind.is_of_aws();
    let before = around(text, hit, (hit.at - bounds.start).min(400), 0);
    // What an SDK says by itself is about no call of the lines before.
    let before = if by_aws { before } else { before.rsplit('\n').next().unwrap_or(before) };
    let line = line_of(text, hit);
    let after = text.get(hit.end..text.floor_char_boundary(bounds.end.min(hit.end + 1_500))).unwrap_or_default();
    let paragraph = after.split("\n\n").next().unwrap_or(after);
    let message = message(text, hit, before, after);
    // AWS quotes a piece of the header. It may be part of the secret, and a console may have broken it.
    let quotes_header = hit.pattern.means.starts_with("IncompleteSignature");
    let message = if quotes_header && !message.is_empty() { HIDDEN.to_owned() } else { message };
    let near = around(text, hit, 600, 1_500);
    let at = around(text, hit, 600, 0).len();
    // The answer to a HEAD has no code: the pattern ends in the middle of the operation's name.
    let of_head = || text.get(hit.end.checked_sub(4)?..).filter(|_| hit.pattern.means == "HeadRefused").and_then(name);
    let operation = of_head().or_else(|| service::operation(before, paragraph, if by_aws { after } else { paragraph }));
    let arn = between(near, "User: ", &[" ", "\n"]).filter(|arn| arn.starts_with("arn:")).or_else(|| arns(near).next());
    // Names are not secrets but may follow words such as "token", so this reads the text before redaction.
    let said = text.get(hit.at..text.floor_char_boundary(hit.end + 300)).unwrap_or_default();
    let first_line = said.split('\n').next().unwrap_or_default();
    let mut mention = ReportedError {
        profile: named::in_command(near, at),
        named: named::in_error(first_line).into_iter().collect(),
        role: arns(after).chain(arns(line)).find(|arn| arn.contains(":iam::") && arn.contains(":role/")).map(shown),
        service: service::service(before, paragraph, if by_aws { near } else { line }, operation.as_deref()),
        region: region(near, at, arn),
        access_key_id: near.split(|c| !is_of_word(c)).find(|word| is_access_key_id(word)).map(str::to_owned),
        skew_seconds: skew(near),
        arn: arn.map(shown),
        code: hit.pattern.code.to_owned(),
        server: None,
        names_aws: false,
        means: means(hit, operation.as_deref(), &message, line, after),
        host: host_of_aws(line),
        // The reason for a refused certificate follows.
        general: hit.pattern.kind == Kind::General || hit.pattern.means == "Tls",
        by_aws,
        distance: operation.as_deref().map_or(0, |operation| distance(before, operation)),
        operation,
        message,
        times: 1,
    };
    let is_named = mention.operation.is_some();
    service::by_words(&mut mention, after);
    if !is_named {
        mention.distance = FAR;
    }
    mention.without_secrets_of(near);
    mention.name_profile();
    mention
}

/// The distance of an operation that only the message names, which a line break may have cut.
const FAR: usize = 1_000;

/// The number of characters, without blanks, from the last place of a name to the end of a text; 0 if it is not there.
fn distance(before: &str, name: &str) -> usize {
    let rest = before.rfind(name).and_then(|at| before.get(at..)).unwrap_or_default();
    rest.chars().filter(|c| !c.is_whitespace()).count()
}

/// The first letters of a text, without the blanks, line breaks and borders that a console adds.
pub(super) fn letters(text: &str, most: usize) -> String {
    text.chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).take(most).collect()
}

const UNSIGNED: &str = "No credentials are provided";

/// The code with the meaning; the meaning of some sentences depends on the words after them.
fn means(hit: Hit, operation: Option<&str>, message: &str, line: &str, after: &str) -> &'static str {
    let is_web_identity =
        operation == Some("AssumeRoleWithWebIdentity") || rejected(message) == Rejected::ExpiredIdentityToken;
    match hit.pattern.means {
        // That call is not signed: it is the token of the identity provider that has expired.
        "ExpiredToken" | "ExpiredTokenException" if is_web_identity => "WebIdentityExpired",
        // Arrow's errors have the operation after the code.
        "AccessDenied"
            if hit.pattern.code == "ACCESS_DENIED" && operation.is_some_and(|name| name.starts_with("Head")) =>
        {
            "HeadRefused"
        }
        // DuckDB says itself that it signed nothing.
        "AccessDenied" if after.get(..after.floor_char_boundary(400)).is_some_and(|next| next.contains(UNSIGNED)) => {
            "NoCredentials"
        }
        // The metadata service wants the tokens of IMDSv2.
        "NoCredentials" | "MetadataUnavailable" if is_unauthorized_metadata(line, after) => "MetadataUnauthorized",
        other => other,
    }
}

/// Whether the instance metadata service answered with the status 401.
fn is_unauthorized_metadata(line: &str, after: &str) -> bool {
    const SERVICE: [&str; 4] = ["imds", "ec2metadata", "169.254.169.254", "instancemetadata"];
    const STATUS: [&str; 5] = ["statuscode401", "errorcode401", "401unauthorized", "401-unauthorized", "401error"];
    let near = format!("{}{}", letters(line, 800), letters(after, 400)).to_ascii_lowercase();
    SERVICE.iter().any(|name| near.contains(name)) && STATUS.iter().any(|status| near.contains(status))
}

/// The host of AWS's that the line names.
fn host_of_aws(line: &str) -> Option<String> {
    let hosts = line.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '.' | '-')));
    let host = hosts.into_iter().find(|host| host.contains(".amazonaws.com"))?;
    (host.len() <= 128).then(|| shown(host))
}

/// What was said: behind the code, or before it where the SDKs for Java print it, or in the XML or JSON around it.
fn message(text: &str, hit: Hit, before: &str, after: &str) -> String {
    let ends = ["\\n", "(Service:", "</", " status code: ", "\", ", "\"), ", "\"}", "'}", "\",\"", "; see "];
    let cut = |text: &str| {
        let end = ends.iter().filter_map(|end| text.find(end)).chain(end_of_line(text)).min().unwrap_or(text.len());
        shown(without_lone_marks(text.get(..end).unwrap_or_default()))
    };
    let whole_sentence = !matches!(hit.pattern.kind, Kind::Code | Kind::CommonCode) && hit.pattern.text.contains(' ');
    if whole_sentence {
        let rest = text.get(hit.at..text.floor_char_boundary(hit.at + 1_500)).unwrap_or_default();
        return cut(rest);
    }
    if let Some(xml) = between(after, "<Message>", &["</"]).or_else(|| between(after, "<message>", &["</"])) {
        return shown(xml);
    }
    // JSON, and Python's dictionaries, may have the message before the code.
    let names_code = ["\"code\":\"", "\"code\": \"", "'Code': '"].iter().any(|name| before.ends_with(name));
    if let (true, Some((_, said))) =
        (names_code, before.rsplit_once("\"message\":").or_else(|| before.rsplit_once("'Message':")))
    {
        let said = said.trim_start_matches([' ', '"', '\'']);
        return cut(said.split_once("', '").map_or(said, |(said, _)| said));
    }
    let in_json = [
        "\"message\"",
        "\"Message\"",
        "'Message'",
        "\\\"message\\\"",
        "\"error_description\"",
        "\"detailedMessage\"",
        // A map in Clojure.
        ":Message",
        "message: Some(",
    ];
    if let Some(json) = in_json.iter().find_map(|name| after.get(..after.floor_char_boundary(300))?.split_once(name)) {
        return cut(json.1.trim_start_matches([' ', ':', '"', '\'', '\\']));
    }
    if before.ends_with("Error Code: ") {
        let line = before.rsplit('\n').next().unwrap_or(before);
        let said = line.rsplit_once("(Service:").map_or(line, |(said, _)| said);
        return shown(said.split_once("Exception: ").map_or(said, |(_, said)| said));
    }
    let after = match after.split_once("operation") {
        // The AWS CLI of 2014 and 2015 had "occurred" in between.
        Some((gap, rest))
            if gap.len() < 100
                && (gap.starts_with(") when calling the ") || gap.starts_with(") occurred when calling the ")) =>
        {
            let rest =
                rest.strip_prefix(" (reached max retries").map_or(rest, |rest| rest.trim_start_matches(|c| c != ')'));
            rest.trim_start_matches([')', ':', ' '])
        }
        _ => after,
    };
    cut(after.trim_start_matches([':', ' ', ')', '"', '\'', ',']))
}

/// The text without punctuation at its ends, without quotation marks around it, and without a mark or a parenthesis whose
/// partner is outside.
fn without_lone_marks(text: &str) -> &str {
    let mut text = text.trim_matches([' ', ':', ',', '\\']);
    loop {
        let is_lone_mark = |mark: char| match text.matches(mark).count() {
            2 => text.starts_with(mark) && text.ends_with(mark),
            count => count % 2 == 1,
        };
        let has_more = |one: char, other: char| text.matches(one).count() > text.matches(other).count();
        let is_lone = |c: char| match c {
            '"' | '`' | '\'' => is_lone_mark(c),
            ')' => has_more(')', '('),
            '(' => has_more('(', ')'),
            _ => matches!(c, ' ' | ':' | ',' | '\\'),
        };
        let shorter = text.strip_suffix(is_lone).or_else(|| text.strip_prefix(is_lone));
        match shorter {
            Some(shorter) => text = shorter,
            None => return text,
        }
    }
}

/// Where the line ends; the end of what AWS says when it denies something may have been wrapped to the next one.
fn end_of_line(text: &str) -> Option<usize> {
    let goes_on = |rest: &str| rest.starts_with("because no ") || rest.starts_with("with an explicit deny");
    text.match_indices('\n').map(|(at, _)| at).find(|at| !text.get(at + 1..).is_some_and(goes_on))
}

/// This machine's time minus AWS's, as the texts of STS and S3 have them.
fn skew(near: &str) -> Option<i64> {
    let seconds = |text: &str| {
        let text = text.trim();
        ["%Y%m%dT%H%M%SZ", "%Y-%m-%dT%H:%M:%S%.fZ"]
            .iter()
            .find_map(|form| NaiveDateTime::parse_from_str(text, form).ok())
            .map(|time| time.and_utc().timestamp())
    };
    // "Signature expired: REQUEST is now earlier than LIMIT (SERVER - 15 min.)", "Signature not yet current: REQUEST is
    // still later than LIMIT (SERVER + 15 min.)".
    let signed =
        ["Signature expired: ", "Signature not yet current: "].iter().find_map(|start| between(near, start, &[" "]));
    if let Some(signed) = signed {
        let server = near.split_once(signed)?.1.split_once('(')?.1.split(' ').next()?;
        return Some(seconds(signed)? - seconds(server)?);
    }
    let request = between(near, "<RequestTime>", &["<"])?;
    Some(seconds(request)? - seconds(between(near, "<ServerTime>", &["<"])?)?)
}

/// The region of a host, a signature, an ARN or of words that name one: the nearest to `at`.
fn region(near: &str, at: usize, arn: Option<&str>) -> Option<String> {
    let is_region = |text: &&str| {
        let parts: Vec<&str> = text.split('-').collect();
        (3..=4).contains(&parts.len())
            && text.len() < 24
            && parts.last().is_some_and(|last| !last.is_empty() && last.bytes().all(|b| b.is_ascii_digit()))
            && parts.iter().all(|part| part.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()))
    };
    let is_of_label = |c: char| c.is_ascii_alphanumeric() || c == '-';
    let mut found: Vec<(usize, &str)> = Vec::new();
    // sts.eu-south-1.amazonaws.com, and b.s3.dualstack.eu-west-1.amazonaws.com
    for (end, _) in near.match_indices(".amazonaws.com") {
        let label = near.get(..end).and_then(|before| before.rsplit(|c| !is_of_label(c)).next());
        found.extend(label.filter(is_region).map(|region| (end, region)));
    }
    // Credential=AKIA…/20261130/eu-south-1/sts/aws4_request
    for (end, _) in near.match_indices("/aws4_request") {
        let mut parts = near.get(..end).unwrap_or_default().rsplit('/').skip(1);
        found.extend(parts.next().filter(is_region).map(|region| (end, region)));
    }
    // "--region eu-south-1", "AWS_REGION=eu-south-1", "region: 'eu-south-1'", "start region eu-south-1"
    for word in ["region", "REGION", "Region"] {
        for (begin, _) in near.match_indices(word) {
            let rest = near.get(begin + word.len()..).unwrap_or_default();
            let rest = rest.trim_start_matches([' ', ':', '=', '"', '\'', '`', '\\']);
            let end = rest.find(|c| !is_of_label(c)).unwrap_or(rest.len());
            found.extend(rest.get(..end).filter(is_region).map(|region| (begin, region)));
        }
    }
    let nearest = found.into_iter().min_by_key(|(place, _)| place.abs_diff(at)).map(|(_, region)| region);
    nearest.or_else(|| arn?.split(':').nth(3).filter(is_region)).map(str::to_owned)
}

fn arns(near: &str) -> impl Iterator<Item = &str> {
    near.match_indices("arn:aws").filter_map(|(at, _)| {
        let rest = near.get(at..)?;
        let is_end = |c: char| c.is_whitespace() || matches!(c, '"' | '\'' | '<' | ',' | ')' | '\\');
        let end = rest.find(is_end).unwrap_or(rest.len());
        rest.get(..end.min(rest.floor_char_boundary(300)))
    })
}

#[cfg(test)]
mod tests {
    use crate::core::explain::scan;

    #[test]
    fn a_message_is_what_was_said_and_nothing_else() {
        let said = "The security token included in the request is invalid.";
        for text in [
            format!("An error occurred (InvalidClientTokenId) when calling the GetCallerIdentity operation: {said}"),
            format!(
                "An error occurred (InvalidClientTokenId) when calling the ListRoles operation (reached max retries: 4): {said}\nx"
            ),
            format!("InvalidClientTokenId: {said}\n\tstatus code: 403, request id: a"),
            format!("{{\"msg\":\"InvalidClientTokenId: {said}\\n\\tstatus code: 403\"}}"),
            format!("{{\"__type\":\"a#InvalidClientTokenId\",\"message\":\"{said}\"}}"),
            format!("<Code>InvalidClientTokenId</Code>\n<Message>{said}</Message>"),
            format!(
                "x.Exception: {said} (Service: Iam; Status Code: 403; Error Code: InvalidClientTokenId; Request ID: a)"
            ),
            format!("{said} (Service: Sts, Status Code: 403, Request ID: a)"),
            format!("code: Some(\"InvalidClientTokenId\"), message: Some(\"{said}\"), extras"),
        ] {
            let found = scan(&text);
            assert_eq!(found.len(), 1, "{text}\n{found:?}");
            assert_eq!(found[0].message, said, "{text}");
        }
    }

    #[test]
    fn a_skew_is_this_machine_against_aws() {
        let ahead = "Signature not yet current: 20261124T090000Z is still later than 20261124T084100Z (20261124T082600Z + 15 min.)";
        assert_eq!(scan(ahead)[0].skew_seconds, Some(34 * 60));
    }

    #[test]
    fn where_and_who_are_read_when_they_stand_near() {
        let text = "ExpiredToken from https://sts.eu-west-1.amazonaws.com/ for AKIAIOSFODNN7EXAMPLE, User: \
                    arn:aws:iam::111122223333:user/me";
        let found = &scan(text)[0];
        assert_eq!(found.service.as_deref(), Some("STS"));
        assert_eq!(found.region.as_deref(), Some("eu-west-1"));
        assert_eq!(found.access_key_id.as_deref(), Some("AKIAIOSFODNN7EXAMPLE"));
        assert_eq!(found.arn.as_deref(), Some("arn:aws:iam::111122223333:user/me"));
    }
}
