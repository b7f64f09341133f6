//! Finds AWS errors in a text without joining its lines: fed pieces of any size, in bounded memory.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::ops::Range;

use super::clean::Cleaner;
use super::hit::{Hit, around};
use super::hits::hits;
use super::other_server::{self, Server};
use super::pattern::Kind;
use super::reading::read;
use super::relevance::{begins, counts, is_ours};
use super::reported::ReportedError;

/// The size of the window in bytes.
const WINDOW: usize = 64 * 1024;
const PIECE: usize = 4096;
/// The maximum length of an error before and after its code, in bytes.
const BEFORE: usize = 1024;
const AFTER: usize = 3 * 1024;
/// The maximum number of different errors.
const MOST_SEEN: usize = 10_000;
/// The maximum distance in bytes between the same code twice in one error.
const SAME: usize = 400;
/// The words before the code where an SDK shows the error as an object, besides its sentence.
const FIELDS: [&str; 8] =
    ["name: '", "Code: '", "code: '", "\"code\":\"", "\"code\": \"", "Some(\"", "'Code': '", "<Code>"];
/// If there are more different errors than this, those with the same code are counted together.
const MOST: usize = 32;
/// The maximum distance in bytes of two reports of one error on a line, or by a program that chains exceptions.
const REPORT: usize = 1_500;
/// The words between exceptions that one failure raised: Python, Java, JavaScript.
const CHAINED: [&str; 6] = [
    "During handling of the above exception",
    "The above exception was the direct cause",
    "Caused by:",
    "Wrapped by:",
    "[cause]:",
    "originalError",
];
/// The errors of a text in one reading.
#[derive(Debug, Default)]
pub(super) struct Reading {
    /// The most informative one first, the others in the order of the text.
    pub(super) mentions: Vec<ReportedError>,
    /// The errors of servers that are not AWS, each code once.
    pub(super) foreign: Vec<ReportedError>,
    /// The number of codes and sentences that were found.
    pub(super) hits: usize,
}

/// Reads a text without joining its lines.
#[derive(Debug, Default)]
pub(super) struct Reader {
    cleaner: Cleaner,
    window: String,
    mentions: Vec<ReportedError>,
    foreign: Vec<ReportedError>,
    hits: usize,
    /// How many bytes at the beginning of the window were searched.
    looked_at: usize,
    /// The result for each hit by the words next to it: logs repeat themselves.
    seen: HashMap<u64, Option<Kept>>,
    /// The codes whose errors are counted together, because there are too many different ones.
    merged: HashSet<String>,
}

impl Reader {
    pub(super) fn feed(&mut self, bytes: &[u8]) {
        for piece in bytes.chunks(PIECE) {
            self.cleaner.feed(piece, &mut self.window);
            if self.window.len() >= WINDOW {
                self.look(false);
            }
        }
    }

    pub(super) fn finish(mut self) -> Reading {
        self.look(true);
        self.mentions.retain(|mention| mention.times > 0);
        self.mentions.sort_by_key(|mention| (mention.general, !mention.by_aws, general_rank(mention)));
        Reading { mentions: self.mentions, foreign: self.foreign, hits: self.hits }
    }

    fn look(&mut self, at_end: bool) {
        let text = std::mem::take(&mut self.window);
        let until = if at_end { text.len() } else { text.floor_char_boundary(text.len().saturating_sub(AFTER)) };
        let from = self.looked_at;
        let hits = hits(&text);
        let mut before: Option<(usize, Kept)> = None;
        for hit in hits.iter().filter(|hit| (from..until).contains(&hit.at)) {
            self.hits = self.hits.saturating_add(1);
            let words = hash_around(&text, *hit);
            let kept = match self.seen.get(&words) {
                Some(kept) => kept.inspect(|kept| {
                    if !is_repeated(&text, *hit, before.filter(|(_, last)| last.at == kept.at)) {
                        self.count(*kept);
                    }
                }),
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

    /// Reads and stores the error around a hit; `None` if there is no error, or it is part of the previous one.
    fn look_at(&mut self, text: &str, hit: Hit, hits: &[Hit], before: Option<(usize, Kept)>) -> Option<Kept> {
        let is_merged = self.merged.contains(hit.pattern.code) && hit.pattern.kind == Kind::Code;
        if !is_merged && !counts(text, hit, hits) {
            return None;
        }
        // The text has enough errors: the same code is the same error.
        if self.seen.len() >= MOST_SEEN {
            if let Some(at) = self.merge(hit.pattern.code) {
                // A sentence next to its code is the same error.
                let is_next = before.is_some_and(|(at, _)| hit.at - at < SAME) && hit.pattern.text.contains(' ');
                let is_repeated = is_repeated(text, hit, before.filter(|(_, last)| last.at == at));
                let kept = Kept { at, times: u64::from(!is_next && !is_repeated) };
                self.count(kept);
                self.compare(at, around(text, hit, 300, 300));
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
        match other_server::of(text, hit, bounds(text, hit, hits), &mention) {
            Some(Server::Other(server)) => {
                if self.foreign.len() < MOST && !self.foreign.iter().any(|known| known.code == mention.code) {
                    self.foreign.push(ReportedError { server: Some(server), ..mention });
                }
                return None;
            }
            found => mention.names_aws = found.is_some(),
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
        self.keep(mention, times, |at| is_repeated(text, hit, before.filter(|(_, last)| last.at == at)))
    }

    /// Its index; `None` if there are too many already. `is_repeated`: whether the stored error was
    /// reported a moment ago.
    fn keep(&mut self, mut mention: ReportedError, times: u64, is_repeated: impl Fn(usize) -> bool) -> Option<Kept> {
        let is_merged = self.merged.contains(&mention.code);
        let same = |a: &Option<String>, b: &Option<String>| a.is_none() || b.is_none() || a == b;
        let known = self.mentions.iter_mut().enumerate().find(|(_, known)| {
            known.code == mention.code
                && (is_merged
                    || same(&known.service, &mention.service)
                        && same(&known.operation, &mention.operation)
                        && same(&known.arn, &mention.arn))
        });
        let Some((at, known)) = known else {
            if self.mentions.len() >= MOST {
                let at = self.merge(&mention.code)?;
                self.mentions.get_mut(at)?.generalise(&mut mention);
                return Some(Kept { at, times: 1 });
            }
            self.mentions.push(mention);
            return Some(Kept { at: self.mentions.len() - 1, times: 1 });
        };
        let times = if is_repeated(at) { 0 } else { times };
        if is_merged {
            known.generalise(&mut ReportedError { times, ..mention });
        } else {
            known.times = known.times.saturating_add(times);
            known.add(mention);
        }
        Some(Kept { at, times })
    }

    /// Counts all errors with this code together from now on; returns their index, or `None` if there is none.
    fn merge(&mut self, code: &str) -> Option<usize> {
        let at = self.mentions.iter().position(|mention| mention.code == code)?;
        if self.merged.insert(code.to_owned()) {
            let (first, others) = self.mentions.get_mut(at..)?.split_first_mut()?;
            for other in others.iter_mut().filter(|other| other.code == code) {
                first.generalise(other);
                other.times = 0;
            }
            for kept in self.seen.values_mut().flatten() {
                if self.mentions.get(kept.at).is_some_and(|mention| mention.code == code) {
                    kept.at = at;
                }
            }
        }
        Some(at)
    }

    /// Removes the operation from errors that are counted together, if the words around another one do not name it.
    fn compare(&mut self, at: usize, near: &str) {
        let Some(mention) = self.mentions.get_mut(at) else { return };
        if mention.operation.as_ref().is_some_and(|operation| !near.contains(operation.as_str())) {
            mention.operation = None;
            mention.service = None;
        }
        if mention.arn.as_ref().is_some_and(|arn| !near.contains(arn.as_str())) {
            mention.arn = None;
        }
    }
}

/// The order of general sentences: a failed call to AWS is the reason for missing credentials, and an unreachable cluster the
/// consequence.
fn general_rank(mention: &ReportedError) -> u8 {
    let is_imds = || mention.service.as_deref().is_some_and(|service| service.ends_with("imds"));
    match mention.means {
        _ if !mention.general => 0,
        "Network" if mention.operation.is_some() && !is_imds() => 0,
        "ClusterUnreachable" => 2,
        _ => 1,
    }
}

/// Whether a hit is another report of the error before it, by the same program: on the same line, in a chain of exceptions,
/// or with the id of the same request.
fn is_repeated(text: &str, hit: Hit, before: Option<(usize, Kept)>) -> bool {
    const NEAR: usize = 400;
    let Some(gap) = before.and_then(|(at, _)| text.get(at..hit.at)) else { return false };
    let near = || text.get(hit.at..text.floor_char_boundary(hit.at + NEAR)).unwrap_or_default();
    let is_same = request_id(gap).and_then(|one| Some(one == request_id(near())?));
    is_same.unwrap_or_else(|| {
        gap.len() < REPORT && (!gap.contains('\n') || CHAINED.iter().any(|words| gap.contains(words)))
    })
}

/// The id of the request that the words after an error name first: `request id: `, `RequestID: `, `<RequestId>`, `"requestId":"`.
fn request_id(text: &str) -> Option<&str> {
    text.match_indices("equest").find_map(|(at, word)| {
        let rest = text.get(at + word.len()..)?.trim_start_matches(' ');
        let rest = ["id", "ID", "Id"].iter().find_map(|word| rest.strip_prefix(word))?;
        let id = rest.trim_start_matches([' ', '"', '\'', ':', '=', '>']);
        let id = id.get(..id.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(id.len()))?;
        (id.len() >= 8 && id.len() < rest.len()).then_some(id)
    })
}

/// The index of a mention, and its count.
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
