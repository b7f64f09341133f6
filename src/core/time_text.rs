//! Parses times in the forms that programs write: ISO 8601, RFC 1123, and the other forms of Python's `dateutil`, with which
//! boto3 and the AWS CLI read every expiry.

use chrono::{NaiveDate, NaiveDateTime};

use crate::core::time::AwsTime;

/// A time, and its stated offset from UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WrittenTime {
    local_millis: i64,
    offset_seconds: Option<i32>,
}

impl WrittenTime {
    /// Whether it names an offset or UTC.
    pub fn has_zone(self) -> bool {
        self.offset_seconds.is_some()
    }

    /// The time, in UTC where no zone is named; `None` outside of the years 1 to 9999.
    pub fn utc(self) -> Option<AwsTime> {
        let offset = i64::from(self.offset_seconds.unwrap_or(0)) * 1_000;
        AwsTime::checked_from_millis(self.local_millis.saturating_sub(offset))
    }
}

/// Reads a date with a time of day. `None` for other text and impossible dates.
pub fn parse(text: &str) -> Option<WrittenTime> {
    // No program writes a longer one.
    if text.len() > 64 {
        return None;
    }
    let tokens = tokens(text)?;
    let mut reader = Reader { tokens: &tokens, at: 0, date: Vec::new(), time: None, offset: None };
    while reader.at < tokens.len() {
        reader.step()?;
    }
    let time = reader.time?;
    let date = date_of(&reader.date)?;
    let local = date.and_hms_milli_opt(time.hour, time.minute, time.second, time.milli)?;
    Some(WrittenTime { local_millis: millis(local), offset_seconds: reader.offset })
}

fn millis(local: NaiveDateTime) -> i64 {
    local.and_utc().timestamp_millis()
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Digits(&'a str),
    Word(&'a str),
    Sign(char),
}

/// Digits, words and single characters; blanks between them only separate.
fn tokens(text: &str) -> Option<Vec<Token<'_>>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim();
    while let Some(first) = rest.chars().next() {
        let length = |is: fn(char) -> bool| rest.find(|c| !is(c)).unwrap_or(rest.len());
        let (token, length) = match first {
            '0'..='9' => {
                let length = length(|c| c.is_ascii_digit());
                (Token::Digits(rest.get(..length)?), length)
            }
            'a'..='z' | 'A'..='Z' => {
                let length = length(|c| c.is_ascii_alphabetic());
                (Token::Word(rest.get(..length)?), length)
            }
            _ => (Token::Sign(first), first.len_utf8()),
        };
        tokens.push(token);
        rest = rest.get(length..)?;
    }
    Some(tokens)
}

#[derive(Clone, Copy)]
struct TimeOfDay {
    hour: u32,
    minute: u32,
    second: u32,
    milli: u32,
}

/// A part of a date.
#[derive(Clone, Copy)]
enum Part<'a> {
    Number(&'a str),
    Month(u32),
}

struct Reader<'a> {
    tokens: &'a [Token<'a>],
    at: usize,
    date: Vec<Part<'a>>,
    time: Option<TimeOfDay>,
    /// Seconds ahead of UTC.
    offset: Option<i32>,
}

impl<'a> Reader<'a> {
    fn peek(&self, ahead: usize) -> Option<Token<'a>> {
        self.tokens.get(self.at + ahead).copied()
    }

    fn step(&mut self) -> Option<()> {
        match self.peek(0)? {
            Token::Digits(digits) => self.digits(digits),
            Token::Word(word) => self.word(word),
            Token::Sign(sign @ ('+' | '-')) if self.time.is_some() => self.offset(sign == '-'),
            Token::Sign(sign) if sign.is_whitespace() || matches!(sign, ',' | '-' | '/' | '.') => {
                self.at += 1;
                Some(())
            }
            Token::Sign(_) => None,
        }
    }

    fn digits(&mut self, digits: &'a str) -> Option<()> {
        self.at += 1;
        if self.peek(0) == Some(Token::Sign(':')) {
            return self.clock_face(digits);
        }
        match digits.len() {
            8 | 12 | 14 if self.date.is_empty() => {
                self.date.extend([&digits[..4], &digits[4..6], &digits[6..8]].map(Part::Number));
                if digits.len() > 8 { self.compact_time(&digits[8..]) } else { Some(()) }
            }
            // A time of day without colons follows the whole date.
            2 | 4 | 6 if self.date.len() == 3 && self.time.is_none() => self.compact_time(digits),
            _ if self.date.len() < 3 => {
                self.date.push(Part::Number(digits));
                Some(())
            }
            _ => None,
        }
    }

    /// `03:52`, `03:52:55`, `03:52:55.25`, each with AM or PM behind it perhaps.
    fn clock_face(&mut self, hour: &str) -> Option<()> {
        let mut parts = [hour, "0", "0"];
        let mut found = 1;
        while found < 3 && self.peek(0) == Some(Token::Sign(':')) {
            let Some(Token::Digits(digits)) = self.peek(1) else { return None };
            parts[found] = digits;
            found += 1;
            self.at += 2;
        }
        self.set_time(parts)
    }

    /// `03`, `0352`, `035255`, `035255.25`.
    fn compact_time(&mut self, digits: &str) -> Option<()> {
        self.set_time([digits.get(..2)?, digits.get(2..4).unwrap_or("0"), digits.get(4..6).unwrap_or("0")])
    }

    fn set_time(&mut self, [hour, minute, second]: [&str; 3]) -> Option<()> {
        if self.time.is_some() || [hour, minute, second].iter().any(|part| part.len() > 2) {
            return None;
        }
        let (mut hour, minute, second) = (hour.parse().ok()?, minute.parse().ok()?, second.parse().ok()?);
        let milli = self.fraction();
        if self.peek(0) == Some(Token::Sign(' '))
            && let Some(Token::Word(word)) = self.peek(1)
            && is_half_of_day(word)
        {
            self.at += 1;
        }
        if let Some(Token::Word(word)) = self.peek(0)
            && is_half_of_day(word)
        {
            self.at += 1;
            if !(1..=12).contains(&hour) {
                return None;
            }
            hour = hour % 12 + if word.eq_ignore_ascii_case("pm") { 12 } else { 0 };
        }
        self.time = Some(TimeOfDay { hour, minute, second, milli });
        Some(())
    }

    /// The milliseconds of a fraction, where there is one.
    fn fraction(&mut self) -> u32 {
        let (Some(Token::Sign('.' | ',')), Some(Token::Digits(digits))) = (self.peek(0), self.peek(1)) else {
            return 0;
        };
        self.at += 2;
        let first_three = digits.bytes().chain(std::iter::repeat(b'0')).take(3);
        first_three.fold(0, |millis, digit| millis * 10 + u32::from(digit - b'0'))
    }

    fn word(&mut self, word: &str) -> Option<()> {
        self.at += 1;
        let word = word.to_ascii_lowercase();
        if matches!(word.as_str(), "z" | "utc" | "gmt") && self.time.is_some() && self.offset.is_none() {
            self.offset = Some(0);
            // "GMT+3" is POSIX's form, in which the sign says how to come to GMT.
            if let Some(Token::Sign(sign @ ('+' | '-'))) = self.peek(0) {
                self.offset = None;
                return self.offset(sign == '+');
            }
            return Some(());
        }
        if let Some(month) = name_of(&word, &MONTHS) {
            let has_one = self.date.iter().any(|part| matches!(part, Part::Month(_)));
            self.date.push(Part::Month(month));
            return (!has_one && self.date.len() <= 3).then_some(());
        }
        (matches!(word.as_str(), "t" | "at" | "of") || name_of(&word, &WEEKDAYS).is_some()).then_some(())
    }

    /// `+02:00`, `+0200`, `+02`; the sign is at hand.
    fn offset(&mut self, is_behind: bool) -> Option<()> {
        let Some(Token::Digits(digits)) = self.peek(1).filter(|_| self.offset.is_none()) else { return None };
        self.at += 2;
        let (hours, minutes) = match (digits.len(), self.peek(0), self.peek(1)) {
            (1 | 2, Some(Token::Sign(':')), Some(Token::Digits(minutes))) if minutes.len() <= 2 => {
                self.at += 2;
                (digits, minutes)
            }
            (1 | 2, ..) => (digits, "0"),
            (4, ..) => (&digits[..2], &digits[2..]),
            _ => return None,
        };
        let seconds = hours.parse::<i32>().ok()? * 3_600 + minutes.parse::<i32>().ok()? * 60;
        // Python has no offset of a day.
        if seconds >= 86_400 {
            return None;
        }
        self.offset = Some(if is_behind { -seconds } else { seconds });
        Some(())
    }
}

const MONTHS: [&str; 12] = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
];
const WEEKDAYS: [&str; 7] = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"];

/// The number of a name, complete or its first three letters, from 1.
fn name_of(word: &str, names: &[&str]) -> Option<u32> {
    let at = names.iter().position(|name| *name == word || name.get(..3) == Some(word))?;
    u32::try_from(at + 1).ok()
}

fn is_half_of_day(word: &str) -> bool {
    word.eq_ignore_ascii_case("am") || word.eq_ignore_ascii_case("pm")
}

/// Decides which number is year, month and day: a name is the month, and three digits or a number above 31 are the year.
/// The rest is in American order, if that makes a valid date.
fn date_of(parts: &[Part<'_>]) -> Option<NaiveDate> {
    let [first, second, third] = <[Part<'_>; 3]>::try_from(parts).ok()?;
    let value = |part: Part<'_>| match part {
        Part::Month(month) => Some(month),
        Part::Number(digits) => digits.parse::<u32>().ok(),
    };
    let is_year = |part: Part<'_>| match part {
        Part::Month(_) => false,
        Part::Number(digits) => digits.len() > 2 || digits.parse::<u32>().is_ok_and(|number| number > 31),
    };
    let is_month = |part: Part<'_>| matches!(part, Part::Month(_));
    let is_above_12 = |part: Part<'_>| value(part).is_some_and(|number| number > 12);
    let (year, month, day) = if is_month(first) {
        if is_year(second) { (second, first, third) } else { (third, first, second) }
    } else if is_month(second) {
        if is_year(first) { (first, second, third) } else { (third, second, first) }
    } else if is_month(third) {
        if is_year(second) { (second, third, first) } else { (first, third, second) }
    } else if is_year(first) {
        (first, second, third)
    } else if is_above_12(first) {
        (third, second, first)
    } else {
        (third, first, second)
    };
    let Part::Number(digits) = year else { return None };
    let year: i32 = digits.parse().ok()?;
    // RFC 850 has two digits; nothing here is older than AWS.
    let year = if digits.len() <= 2 { year + 2_000 } else { year };
    NaiveDate::from_ymd_opt(year, value(month)?, value(day)?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{ProptestConfig, prop_assert, proptest};

    use super::*;

    /// The table that `tests/clients/test_expiration.py` compares with botocore's own reader.
    const TABLE: &str = include_str!("../../tests/data/expirations.txt");

    #[test]
    fn every_form_is_read_as_botocore_reads_it() {
        let mut forms = 0;
        for line in TABLE.lines().filter(|line| !line.starts_with('#')) {
            let (text, meant) = line.split_once(" => ").unwrap();
            let read = parse(text).filter(|time| time.has_zone()).and_then(WrittenTime::utc);
            let read = read.map_or_else(|| "refused".to_owned(), AwsTime::to_rfc3339);
            assert_eq!(read, meant, "{text}");
            forms += 1;
        }
        assert!(forms > 80, "{forms}");
    }

    #[test]
    fn fractions_count_to_the_millisecond() {
        for (fraction, millis) in [(".5", 500), (",25", 250), (".123456789", 123), (".0009", 0)] {
            let time = parse(&format!("2026-11-30T03:52:55{fraction}Z")).unwrap().utc().unwrap();
            assert_eq!(time.as_millis().rem_euclid(1_000), millis, "{fraction}");
        }
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]
        #[test]
        fn no_text_panics_and_every_result_has_four_digits(
            text in "[-+0-9TZtz:., /a-e]{0,30}|[0-9]{1,20}(-[0-9]{1,3}){0,2}T?[0-9:]{0,8}[-+]?[0-9:]{0,5}|\\PC{0,20}"
        ) {
            if let Some(time) = parse(&text).and_then(WrittenTime::utc) {
                prop_assert!(time.to_rfc3339().len() == 20, "{}", text);
            }
        }
    }
}
