//! Finds AWS errors in a text: fed pieces of any size, in bounded memory.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use super::clean::Cleaner;
use super::hit::{Hit, around};
use super::pattern::Kind;
use super::patterns::{self, is_of_word};
use super::reading::read;
use super::reported::ReportedError;
use super::{causes, wrapped};

/// As much is looked at in one go, in bytes.
const WINDOW: usize = 64 * 1024;
const PIECE: usize = 4096;
/// What may belong to an error before its code, and after it, in bytes.
const BEFORE: usize = 1024;
const AFTER: usize = 3 * 1024;
/// So many different ones are remembered.
const MOST_SEEN: usize = 10_000;
/// What stands so near to the same code is the same error, in bytes.
const SAME: usize = 400;
/// What stands before the code where an SDK shows the error as an object, besides its sentence.
const FIELDS: [&str; 8] =
    ["name: '", "Code: '", "code: '", "\"code\":\"", "\"code\": \"", "Some(\"", "'Code': '", "<Code>"];
/// More different errors than this are not kept.
const MOST: usize = 32;

/// The maximum size in bytes of a text that is also read with its lines joined: it may come from a console.
const PASTED: usize = 256 * 1024;

/// Reads a text piece by piece.
#[derive(Debug)]
pub struct Scanner {
    reader: Reader,
    layout: Cleaner,
    /// The text with its layout, while it is short enough.
    pasted: Option<String>,
}

impl Default for Scanner {
    fn default() -> Self {
        Self { reader: Reader::default(), layout: Cleaner::with_layout(), pasted: Some(String::new()) }
    }
}

/// All of a text at once.
pub fn scan(text: &str) -> Vec<ReportedError> {
    let mut scanner = Scanner::default();
    scanner.feed(text.as_bytes());
    scanner.finish()
}

impl Scanner {
    /// The next piece, of any size.
    pub fn feed(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            self.reader.feed(piece);
            if let Some(text) = &mut self.pasted {
                self.layout.feed(piece, text);
            }
            self.pasted.take_if(|text| text.len() > PASTED);
        }
    }

    /// The errors: the most informative one first, the others in the order of the text.
    pub fn finish(self) -> Vec<ReportedError> {
        let mut best = self.reader.finish();
        let text = self.pasted.unwrap_or_default();
        let mut readings: Vec<String> = Vec::new();
        let joined = wrapped::WAYS.iter().filter_map(|breaks| wrapped::joined(&text, *breaks));
        for text in joined.chain(wrapped::decoded(&text)) {
            if readings.contains(&text) {
                continue;
            }
            let mut reader = Reader::default();
            reader.feed(text.as_bytes());
            let found = reader.finish();
            if extent(&found) > extent(&best) {
                best = found;
            }
            readings.push(text);
        }
        best
    }
}

/// How informative a reading is: its first error, all of its errors, and the names in the first one.
fn extent(mentions: &[ReportedError]) -> (usize, usize, usize) {
    let of = |mention: &ReportedError, is_first: bool| {
        let facts = [mention.operation.is_some(), mention.service.is_some(), mention.skew_seconds.is_some()];
        let known = facts.into_iter().filter(|is_known| *is_known && (is_first || mention.by_aws)).count();
        1 + 4 * usize::from(!mention.general)
            + 2 * known
            + usize::from(mention.region.is_some())
            + causes::decides(mention)
            + causes::says(mention).len()
    };
    let first = mentions.first();
    let length = |mention: &ReportedError| mention.code.len() + mention.operation.as_ref().map_or(0, String::len);
    let all = mentions.iter().map(|mention| of(mention, false)).sum();
    (first.map_or(0, |mention| of(mention, true)), all, first.map_or(0, length))
}

/// Reads a text without joining its lines.
#[derive(Debug, Default)]
struct Reader {
    cleaner: Cleaner,
    window: String,
    mentions: Vec<ReportedError>,
    /// How many bytes at the beginning of the window were searched.
    looked_at: usize,
    /// The result for each hit by the words next to it: logs repeat themselves.
    seen: HashMap<u64, Option<Kept>>,
}

impl Reader {
    fn feed(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            self.cleaner.feed(piece, &mut self.window);
            if self.window.len() >= WINDOW {
                self.look(false);
            }
        }
    }

    fn finish(mut self) -> Vec<ReportedError> {
        self.look(true);
        self.mentions.sort_by_key(|mention| (mention.general, !mention.by_aws));
        self.mentions
    }

    fn look(&mut self, at_end: bool) {
        let text = std::mem::take(&mut self.window);
        let until = if at_end { text.len() } else { text.floor_char_boundary(text.len().saturating_sub(AFTER)) };
        let from = self.looked_at;
        let hits = hits(&text);
        let mut before: Option<(usize, Kept)> = None;
        for hit in hits.iter().filter(|hit| (from..until).contains(&hit.at)) {
            let words = hash_around(&text, *hit);
            let kept = match self.seen.get(&words) {
                Some(kept) => kept.inspect(|kept| self.count(*kept)),
                None => {
                    let kept = self.look_at(&text, *hit, &hits, before);
                    if self.seen.len() < MOST_SEEN {
                        self.seen.insert(words, kept);
                    }
                    kept
                }
            };
            before = kept.map(|kept| (hit.at, kept)).or(before);
        }
        let kept = text.floor_char_boundary(until.saturating_sub(BEFORE));
        self.looked_at = until - kept;
        self.window = text;
        self.window.drain(..kept);
    }

    fn count(&mut self, kept: Kept) {
        if let Some(mention) = self.mentions.get_mut(kept.at) {
            mention.times = mention.times.saturating_add(kept.times);
        }
    }

    /// Reads what stands around a hit, and keeps it; `None` where it is nothing, or part of the error before.
    fn look_at(&mut self, text: &str, hit: Hit, hits: &[Hit], before: Option<(usize, Kept)>) -> Option<Kept> {
        if !counts(text, hit, hits) {
            return None;
        }
        // The text has enough errors: the same code is the same error.
        if self.seen.len() >= MOST_SEEN {
            let known = self.mentions.iter().position(|mention| mention.code == hit.pattern.code);
            if let Some(at) = known {
                // A sentence next to its code is the same error.
                let is_next = before.is_some_and(|(at, _)| hit.at - at < SAME) && hit.pattern.text.contains(' ');
                let kept = Kept { at, times: u64::from(!is_next) };
                self.count(kept);
                return Some(kept);
            }
            if self.mentions.len() >= MOST {
                return None;
            }
        }
        let mut mention = read(text, hit, bounds(text, hit, hits));
        let mut times = 1;
        let is_name = |general: &&Hit| general.pattern.text == general.pattern.code;
        if let Some(general) = hits.iter().find(|general| is_name(general) && begins(text, **general, hit)) {
            general.pattern.code.clone_into(&mut mention.code);
        }
        if !is_ours(&mention, text, hit) {
            return None;
        }
        // An SDK's exception and its sentence, or a code and AWS's own words for it, are one error.
        let last = before.filter(|(at, _)| hit.at - at < SAME).and_then(|(_, kept)| self.mentions.get(kept.at));
        if let Some(last) = last {
            let is_sentence = hit.pattern.text.contains(' ');
            let is_field = FIELDS.iter().any(|field| around(text, hit, 16, 0).ends_with(field));
            if (is_sentence || is_field) && last.code == mention.code {
                times = 0;
            } else if is_sentence && !last.by_aws && !mention.by_aws && last.means == mention.means {
                let (at, last) = before.and_then(|(_, kept)| Some((kept, self.mentions.get_mut(kept.at)?)))?;
                if last.general && !mention.general {
                    *last = ReportedError { times: last.times, ..mention };
                    return Some(at);
                }
                return None;
            }
        }
        self.keep(mention, times)
    }

    /// Where it was kept; `None` where there are too many already.
    fn keep(&mut self, mention: ReportedError, times: u64) -> Option<Kept> {
        let same = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
        let known = self.mentions.iter_mut().enumerate().find(|(_, known)| {
            known.code == mention.code
                && same(&known.service, &mention.service)
                && same(&known.operation, &mention.operation)
                && same(&known.arn, &mention.arn)
        });
        let Some((at, known)) = known else {
            if self.mentions.len() >= MOST {
                return None;
            }
            self.mentions.push(mention);
            return Some(Kept { at: self.mentions.len() - 1, times: 1 });
        };
        known.times = known.times.saturating_add(times);
        // One of the sentences may give a more exact meaning of the code.
        let is_exact = !mention.general && (known.general || mention.means != mention.code);
        if is_exact {
            known.means = mention.means;
            known.general = mention.general;
        }
        known.service = known.service.take().or(mention.service);
        known.operation = known.operation.take().or(mention.operation);
        known.access_key_id = known.access_key_id.take().or(mention.access_key_id);
        known.arn = known.arn.take().or(mention.arn);
        known.region = known.region.take().or(mention.region);
        known.role = known.role.take().or(mention.role);
        known.profile = known.profile.take().or(mention.profile);
        known.host = known.host.take().or(mention.host);
        known.skew_seconds = known.skew_seconds.or(mention.skew_seconds);
        if known.message.len() < mention.message.len() {
            known.message = mention.message;
        }
        Some(Kept { at, times })
    }
}

/// Where a mention was kept, and how often it counts.
#[derive(Clone, Copy, Debug)]
struct Kept {
    at: usize,
    times: u64,
}

/// The words next to a hit: an error that is repeated in them says nothing new. What is further away, like the time in front of
/// a line of a log and the id of a request behind, may differ.
fn hash_around(text: &str, hit: Hit) -> u64 {
    let mut hasher = DefaultHasher::new();
    hit.pattern.text.hash(&mut hasher);
    around(text, hit, 40, 0).hash(&mut hasher);
    around(text, Hit { at: hit.end, ..hit }, 0, 200).hash(&mut hasher);
    hasher.finish()
}

/// The range around a hit whose words may be about it: up to the lines with other answers of AWS.
fn bounds(text: &str, hit: Hit, hits: &[Hit]) -> Range<usize> {
    let at = hits.partition_point(|other| other.at < hit.at);
    let is_other = |other: &&Hit| other.pattern.kind.is_of_aws() && other.pattern.code != hit.pattern.code;
    let between = |from: usize, to: usize| text.get(from..to).unwrap_or_default();
    let reach = |other: &&Hit| other.at.abs_diff(hit.at) < BEFORE;
    let before = hits.get(..at).unwrap_or_default().iter().rev().take_while(reach).find(is_other);
    let after = hits.get(at..).unwrap_or_default().iter().take_while(reach).find(is_other);
    let start = before.and_then(|other| Some(other.end + between(other.end, hit.at).find('\n')?));
    let end = after.and_then(|other| Some(hit.end + between(hit.end, other.at).rfind('\n')?));
    start.unwrap_or(0)..end.unwrap_or(text.len())
}

/// Every place where something begins that is looked for.
fn hits(text: &str) -> Vec<Hit> {
    let bytes = text.as_bytes();
    let is_of_word = |at: usize| bytes.get(at).is_some_and(|byte| is_of_word(char::from(*byte)));
    let mut hits: Vec<Hit> = Vec::new();
    let mut at = 0;
    while at < bytes.len() {
        let begin = at;
        while is_of_word(at) {
            at += 1;
        }
        if at == begin {
            at += 1;
        } else if at - begin >= 2
            && let (Some(word), Some(rest)) = (text.get(begin..at), text.get(begin..))
        {
            let found = patterns::beginning_with(word).iter().find_map(|pattern| {
                Some(Hit { at: begin, end: begin + matches(rest, pattern.text)?, pattern: *pattern })
            });
            let found = found.or_else(|| respelt(rest, begin, word));
            hits.extend(found.or_else(|| in_other_letters(rest, begin, word)));
        }
    }
    hits
}

/// An AWS code in small letters, with or without hyphens.
fn respelt(rest: &str, at: usize, word: &str) -> Option<Hit> {
    if !word.starts_with(|c: char| c.is_ascii_lowercase()) && !word.contains('_') {
        return None;
    }
    let end = rest.find(|c: char| !is_of_word(c) && c != '-').unwrap_or(rest.len());
    let [hyphened, bare] = [rest.get(..end)?, word].map(|word| (word, patterns::respelt(word)));
    [bare, hyphened].into_iter().find_map(|(word, found)| Some(Hit { at, end: at + word.len(), pattern: found? }))
}

/// One of AWS's sentences in small or capital letters only.
fn in_other_letters(rest: &str, at: usize, word: &str) -> Option<Hit> {
    let sentences = patterns::sentences_in_other_letters(word);
    let is_small = word.starts_with(|c: char| c.is_ascii_lowercase());
    sentences.iter().find_map(|pattern| {
        let text = rest.get(..pattern.text.len())?;
        let fits = text.eq_ignore_ascii_case(pattern.text)
            && (is_small || text.bytes().all(|byte| !byte.is_ascii_lowercase()));
        fits.then_some(Hit { at, end: at + pattern.text.len(), pattern: *pattern })
    })
}

/// How much of `text` says `pattern`, white space being as good as any other.
fn matches(text: &str, pattern: &str) -> Option<usize> {
    let mut rest = text;
    for c in pattern.chars() {
        rest = if c == ' ' {
            let trimmed = rest.trim_start();
            if trimmed.len() == rest.len() {
                return None;
            }
            if rest.starts_with('\n') { without_prefix(trimmed) } else { trimmed }
        } else {
            rest.strip_prefix(c)?
        };
    }
    Some(text.len() - rest.len())
}

/// A line without what `docker compose` and its like write in front of each: `web-1  | `.
fn without_prefix(line: &str) -> &str {
    const LONGEST: usize = 40;
    let beginning = line.get(..line.floor_char_boundary(LONGEST)).unwrap_or(line);
    if let Some(rest) = line.strip_prefix(['|', '>']) {
        return rest.trim_start();
    }
    match beginning.split_once(" | ") {
        Some((prefix, _)) if !prefix.contains('\n') => line.get(prefix.len() + 3..).unwrap_or(line).trim_start(),
        _ => line,
    }
}

/// Words that only stand near errors of AWS.
const SIGNS: [&str; 20] = [
    "An error occurred (",
    "smithy",
    "when calling the",
    "api error",
    "operation error",
    "Error Code",
    "request id",
    "RequestId",
    "RequestID",
    "Request ID",
    "Amz-Id",
    "amz-",
    "<Code>",
    "__type",
    "arn:aws",
    "amazonaws",
    "AWS",
    "Aws",
    "aws",
    "$metadata",
];

fn counts(text: &str, hit: Hit, hits: &[Hit]) -> bool {
    let near = |reach: usize, test: &dyn Fn(&Hit) -> bool| {
        hits.iter().any(|other| other.at != hit.at && other.at.abs_diff(hit.at) < reach && test(other))
    };
    let is_code = |other: &Hit| matches!(other.pattern.kind, Kind::Code | Kind::CommonCode);
    let has_sign = |signs: &[&str]| signs.iter().any(|sign| around(text, hit, 300, 500).contains(sign));
    if is_somebody_elses(text, hit) {
        return false;
    }
    let beside = hit.pattern.beside;
    if !beside.is_empty() && !has_sign(beside) {
        return hit.pattern.kind == Kind::Common && is_all(text, hit);
    }
    match hit.pattern.kind {
        Kind::General => !hits.iter().any(|other| begins(text, hit, *other)),
        Kind::Common if near(600, &is_code) && hit.pattern.means == "MissingAuthenticationTokenException" => false,
        Kind::Code | Kind::Exact => true,
        Kind::CommonCode => {
            text.trim() == hit.pattern.text
                || leads_its_line(text, hit)
                || has_sign(&SIGNS)
                || near(300, &|other| other.pattern.kind == Kind::Message)
        }
        Kind::Common => is_all(text, hit) || is_quoted(text, hit) || has_sign(&SIGNS),
        Kind::Message => !near(600, &|other| {
            is_code(other) || other.pattern.kind == Kind::Message && other.at < hit.at && hit.at - other.at < 300
        }),
    }
}

/// Whether a sentence that says little stands in front of what it means: "CredentialsProviderError: The SSO session …", "unable to
/// access 'https://git-codecommit…': Could not resolve host".
fn begins(text: &str, general: Hit, exact: Hit) -> bool {
    let gap = text.get(general.end..exact.at);
    (general.pattern.kind, exact.pattern.kind) == (Kind::General, Kind::Exact)
        && gap.is_some_and(|gap| gap.len() < 120 && !gap.contains('\n'))
}

/// A line that begins with a code and a colon: `ExpiredToken: …`, `Error: RequestExpired: …`.
fn leads_its_line(text: &str, hit: Hit) -> bool {
    const CODES: [&str; 5] =
        ["ExpiredToken", "RequestExpired", "AuthFailure", "TokenRefreshRequired", "InvalidIdentityToken"];
    let line = around(text, hit, 40, 0).rsplit('\n').next().unwrap_or_default().to_ascii_lowercase();
    let begins =
        line.is_empty() || ["error: ", "exception: ", "error ", "fatal: "].iter().any(|end| line.ends_with(end));
    let near = around(text, hit, 200, 300).to_ascii_lowercase();
    let is_of_others =
        ["jwt", "oauth", "bearer", "cookie", "graphql", "firebase"].iter().any(|word| near.contains(word));
    CODES.contains(&hit.pattern.text)
        && begins
        && !is_of_others
        && text.get(hit.end..).is_some_and(|after| after.starts_with(": "))
}

/// Hardly anything but the sentence was pasted.
fn is_all(text: &str, hit: Hit) -> bool {
    const BESIDES: usize = 32;
    // A code without other words may be from any service.
    let besides = if hit.pattern.text.contains(' ') { BESIDES } else { 0 };
    text.trim().len() <= hit.end - hit.at + besides && !text.trim().contains('(')
}

/// The sentence is a whole value of a JSON document.
fn is_quoted(text: &str, hit: Hit) -> bool {
    text.get(..hit.at).is_some_and(|before| before.ends_with('"'))
        && text.get(hit.end..).is_some_and(|after| after.starts_with('"'))
}

/// Other makers' errors have AWS's names.
fn is_somebody_elses(text: &str, hit: Hit) -> bool {
    const OTHERS: [&str; 8] = [
        "aliyun",
        "tencent",
        "myqcloud",
        "huaweicloud",
        "volces.com",
        "googleapis.com",
        "googlecloudstorage",
        "java.nio.file",
    ];
    // End users of an app in Cognito: requests go to AWS, but without AWS credentials.
    const OF_USERS: [&str; 8] =
        ["cognito", "password", "username", "logintoken", "refreshtoken", "userpool", "userisdisabled", "userdoesnot"];
    let after = text.get(hit.end..).unwrap_or_default();
    // `AuthFailure.SecretIdNotFound`; AWS's codes that are looked for have no second part.
    let has_second_part = hit.pattern.kind != Kind::General
        && !hit.pattern.text.contains(' ')
        && after.strip_prefix('.').is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_uppercase()));
    // A console may have broken the words.
    let near: String = around(text, hit, 200, 300)
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '.')
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let has = |words: &[&str]| words.iter().any(|word| near.contains(word));
    let is_of_users = hit.pattern.text == "NotAuthorizedException" && has(&OF_USERS);
    // Task tokens of Step Functions are not session tokens.
    let is_of_tasks = hit.pattern.text == "InvalidToken" && near.contains("sendtask");
    has_second_part || is_of_users || is_of_tasks || (has(&OTHERS) && !near.contains("amazonaws.com"))
}

/// Codes that every second service has for things of its own: they are about credentials where they come from the services that
/// give credentials.
fn is_ours(mention: &ReportedError, text: &str, hit: Hit) -> bool {
    const OF_ANYBODY: [&str; 8] = [
        "ResourceNotFoundException",
        "ForbiddenException",
        "UnauthorizedException",
        "InvalidRequestException",
        "ValidationError",
        "NoSuchEntity",
        "MalformedPolicyDocument",
        "INVALID_REQUEST",
    ];
    // Databases, clusters and load balancers in AWS have their own hosts, which are not AWS APIs.
    const OF_THINGS: [&str; 12] = [
        ".rds.",
        ".elb.",
        ".compute.amazonaws",
        "compute-1.amazonaws",
        ".cache.",
        ".kafka.",
        ".redshift",
        ".docdb.",
        ".neptune.",
        ".es.",
        ".mq.",
        ".eks.",
    ];
    // A console may have broken the host's name.
    let hosts: String =
        around(text, hit, 300, 200).chars().filter(|c| c.is_ascii_alphanumeric() || "-.".contains(*c)).collect();
    let is_of_network = ["Network", "Tls", "TlsClock"].contains(&mention.means);
    if is_of_network && OF_THINGS.iter().any(|thing| hosts.contains(thing)) {
        return false;
    }
    let is_exact = hit.pattern.kind == Kind::Exact;
    if is_exact || !OF_ANYBODY.contains(&mention.means) || text.trim() == hit.pattern.text {
        return true;
    }
    match (&mention.service, &mention.operation) {
        (Some(service), _) => matches!(service.as_str(), "STS" | "SSO" | "SSO OIDC" | "Signin"),
        (None, Some(_)) => false,
        (None, None) => {
            let near = around(text, hit, 300, 500).to_ascii_lowercase();
            let mut words = near.split(|c: char| !c.is_ascii_alphanumeric());
            near.contains("identity center")
                || words.any(|word| ["sso", "oidc", "ssooidc", "signin", "sts", "switchboard"].contains(&word))
        }
    }
}
