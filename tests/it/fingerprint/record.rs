//! What one keeper has done: hashes of its effects for each day, and their text if a reader wants it.

use std::collections::BTreeMap;
use std::fmt::Write;

use evercred::core::keeper::Event;
use evercred::core::time::Now;

use super::Name;
use super::words::{Effect, Words};

const DAY: i64 = 86_400_000;

/// FNV-1a with 64 bits. The hasher of the standard library may be another one in the next release, and these hashes are stored.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) struct Fold(u64);

impl Fold {
    const NEW: Self = Self(0xCBF2_9CE4_8422_2325);

    fn add(&mut self, text: &str) {
        for byte in text.bytes() {
            self.0 = (self.0 ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01B3);
        }
    }

    fn short(self) -> u32 {
        u32::try_from((self.0 >> 32) ^ (self.0 & 0xFFFF_FFFF)).unwrap()
    }
}

/// The effects of one keeper.
pub(super) struct Record {
    pub(super) name: Name,
    pub(super) words: Words,
    effects: u64,
    acts: Fold,
    said: Fold,
    /// One hash for each day since the machine's start.
    days: BTreeMap<i64, Fold>,
    wakes_at: Option<i64>,
    /// The text of all effects, if it is wanted.
    text: Option<String>,
}

/// A record as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) effects: u64,
    pub(super) acts: u64,
    pub(super) words: u64,
    pub(super) days: BTreeMap<i64, u32>,
}

impl Record {
    pub(super) fn new(name: Name) -> Self {
        let text = super::store::events_directory().map(|_| String::new());
        let days = BTreeMap::new();
        Self { name, words: Words::default(), effects: 0, acts: Fold::NEW, said: Fold::NEW, days, wakes_at: None, text }
    }

    /// Something that the keeper did or showed.
    pub(super) fn effect(&mut self, now: Now, Effect { acts, words }: Effect) {
        let at = now.boot.as_millis();
        let (act, said) = (format!("{at} {acts}\n"), format!("{words}\n"));
        self.effects += 1;
        self.acts.add(&act);
        self.said.add(&said);
        let day = self.days.entry(at.div_euclid(DAY)).or_insert(Fold::NEW);
        day.add(&act);
        day.add(&said);
        self.tell(at, ">", &format!("{acts} {words}"));
    }

    /// When the keeper wants to be called; an effect if it is another time than before.
    pub(super) fn wakes_at(&mut self, at: Option<i64>, now: Now) {
        if self.wakes_at != at {
            self.wakes_at = at;
            self.effect(now, Effect::act(at.map_or("sleeps".to_owned(), |at| format!("wakes at {at}"))));
        }
    }

    /// An event, for the reader of the text. It has no part in the hashes: it follows from the effects before it.
    pub(super) fn input(&mut self, event: &Event, now: Now) {
        if self.text.is_some() {
            let event = format!("{event:?}");
            let kind = event.split([' ', '(']).next().unwrap_or_default().to_owned();
            self.tell(now.boot.as_millis(), "<", &kind);
        }
    }

    fn tell(&mut self, at: i64, way: &str, what: &str) {
        let Some(text) = &mut self.text else { return };
        let (day, at) = (at.div_euclid(DAY), at.rem_euclid(DAY));
        let (hour, minute, second) = (at / 3_600_000, at / 60_000 % 60, at / 1_000 % 60);
        let what = what.trim_end().replace('\n', "\\n");
        writeln!(text, "day {day} {hour:02}:{minute:02}:{second:02}.{:03} {way} {what}", at % 1_000).unwrap();
    }

    pub(super) fn has_effects(&self) -> bool {
        self.effects > 0
    }

    pub(super) fn line(&self) -> Line {
        let days = self.days.iter().map(|(day, fold)| (*day, fold.short())).collect();
        Line { effects: self.effects, acts: self.acts.0, words: self.said.0, days }
    }

    pub(super) fn text(&self) -> Option<&str> {
        self.text.as_deref()
    }
}
