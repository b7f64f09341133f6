//! Reads a text piece by piece, and once more in each way in which a console may have changed it.

use std::cmp::Reverse;

use super::clean::Cleaner;
use super::encoded::{decoded, without_soft_breaks};
use super::missing_file::MissingFile;
use super::reader::{Reader, Reading};
use super::reported::ReportedError;
use super::{causes, wrapped};
use crate::core::access_denied::{self, Because};

const PIECE: usize = 4096;
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

/// The result of a scan.
#[derive(Debug, Default)]
pub struct Scanned {
    /// The errors: the most informative one first, the others in the order of the text.
    pub errors: Vec<ReportedError>,
    /// The errors of servers that are not AWS.
    pub foreign: Vec<ReportedError>,
}

/// The errors of a whole text.
pub fn scan(text: &str) -> Vec<ReportedError> {
    let mut scanner = Scanner::default();
    scanner.feed(text.as_bytes());
    scanner.finish().errors
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

    /// The missing file that the text names, which only the AWS files tell from another program's. A long log has none.
    pub fn missing_file(&self) -> Option<MissingFile> {
        self.pasted.as_deref().and_then(MissingFile::of)
    }

    /// The errors of the most informative reading.
    pub fn finish(self) -> Scanned {
        let mut best = self.reader.finish();
        let pasted = self.pasted.unwrap_or_default();
        let mut texts: Vec<String> = without_soft_breaks(&pasted).into_iter().collect();
        let text = texts.first().cloned().unwrap_or(pasted);
        let joined = wrapped::WAYS.iter().filter_map(|breaks| wrapped::joined(&text, *breaks));
        for text in joined {
            texts.extend(decoded(&text));
            texts.push(text);
        }
        texts.extend(decoded(&text));
        let mut foreign = only_foreign(&best);
        let mut others: Vec<ReportedError> = Vec::new();
        for (at, text) in texts.iter().enumerate() {
            if texts.iter().take(at).any(|known| known == text) {
                continue;
            }
            let mut reader = Reader::default();
            reader.feed(text.as_bytes());
            let reading = reader.finish();
            foreign.extend(only_foreign(&reading));
            let is_better = extent(&reading) > extent(&best);
            let other = if is_better { std::mem::replace(&mut best, reading) } else { reading };
            others.extend(other.mentions);
        }
        // Names do not decide which reading counts: a cut secret is like one.
        for mention in &mut best.mentions {
            let code = mention.code.clone();
            others.iter().filter(|other| other.code == code).for_each(|other| mention.read_again(other));
        }
        // A line break may have cut the name of the other server in one reading.
        best.mentions.retain(|mention| !foreign.iter().any(|error| error.code == mention.code));
        let mut seen: Vec<String> = Vec::new();
        foreign.retain(|error| {
            let is_new = !seen.contains(&error.code);
            seen.push(error.code.clone());
            is_new
        });
        Scanned { errors: best.mentions, foreign }
    }
}

/// The errors of other servers in a reading, without those whose code AWS sent too.
fn only_foreign(reading: &Reading) -> Vec<ReportedError> {
    let is_of_aws = |error: &&ReportedError| reading.mentions.iter().any(|mention| mention.code == error.code);
    reading.foreign.iter().filter(|error| !is_of_aws(error)).cloned().collect()
}

/// How informative a reading is, the most important part first.
#[derive(PartialEq, Eq, PartialOrd, Ord)]
struct Extent {
    first: usize,
    all: usize,
    /// A reading that joins separate lines loses some.
    hits: usize,
    /// A name that a line break cut is not found, so that one further away would count.
    nearness: Reverse<usize>,
    length: usize,
}

fn extent(reading: &Reading) -> Extent {
    let of = |mention: &ReportedError, is_first: bool| {
        let facts = [mention.operation.is_some(), mention.service.is_some(), mention.skew_seconds.is_some()];
        let known = facts.into_iter().filter(|is_known| *is_known && (is_first || mention.by_aws)).count();
        1 + 4 * usize::from(!mention.general)
            + 2 * known
            + usize::from(mention.region.is_some())
            + usize::from(access_denied::read(&mention.message).because != Because::Unsaid)
            + causes::decides(mention)
            + causes::says(mention).len()
    };
    let first = reading.mentions.first();
    let length = |mention: &ReportedError| mention.code.len() + mention.operation.as_ref().map_or(0, String::len);
    Extent {
        first: first.map_or(0, |mention| of(mention, true)),
        all: reading.mentions.iter().map(|mention| of(mention, false)).sum(),
        hits: reading.hits,
        nearness: Reverse(first.map_or(0, |mention| mention.distance)),
        length: first.map_or(0, length),
    }
}
