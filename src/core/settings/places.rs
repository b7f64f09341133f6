//! Where each setting stands in the text, and where secrets may stand.

use std::collections::BTreeMap;
use std::ops::Range;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The places of a text's settings, by their dotted names (`renew.before`, `profile[0].name`).
pub(super) struct Places {
    keys: BTreeMap<String, Range<usize>>,
    /// Where the lines behind the first one begin.
    line_starts: Vec<usize>,
    /// The values of `[environment]`; `None` where the text is no TOML.
    secrets: Option<Vec<Range<usize>>>,
}

impl Places {
    pub(super) fn of(text: &str) -> Self {
        let line_starts = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        let mut places = Self { keys: BTreeMap::new(), line_starts, secrets: None };
        if let Ok(table) = DeTable::parse(text) {
            places.note(table.get_ref(), "");
            let mut secrets = Vec::new();
            if let Some(environment) = table.get_ref().get("environment") {
                leaves(environment, &mut secrets);
            }
            places.secrets = Some(secrets);
        }
        places
    }

    /// The line on which a setting stands, from 1.
    pub(super) fn line(&self, key: &str) -> Option<usize> {
        Some(self.line_of(self.keys.get(key)?.start) + 1)
    }

    /// Whether the lines of a span may hold a value of `[environment]`. In doubt they may.
    pub(super) fn may_be_secret(&self, text: &str, span: &Range<usize>) -> bool {
        let lines = |span: &Range<usize>| self.line_of(span.start)..=self.line_of(span.end.max(span.start));
        let shown = lines(span);
        match &self.secrets {
            Some(secrets) => secrets.iter().any(|secret| {
                let secret = lines(secret);
                secret.start() <= shown.end() && shown.start() <= secret.end()
            }),
            None => after_environment(text, *shown.start()),
        }
    }

    /// How many lines are before that of this place.
    fn line_of(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    fn note(&mut self, table: &DeTable<'_>, prefix: &str) {
        for (key, value) in table {
            let name = format!("{prefix}{}", key.get_ref());
            match value.get_ref() {
                DeValue::Table(inner) => self.note(inner, &format!("{name}.")),
                DeValue::Array(items) => {
                    for (at, item) in items.iter().enumerate() {
                        if let DeValue::Table(inner) = item.get_ref() {
                            self.note(inner, &format!("{name}[{at}]."));
                        }
                    }
                }
                _ => {}
            }
            self.keys.insert(name, key.span());
        }
    }
}

fn leaves(value: &Spanned<DeValue<'_>>, spans: &mut Vec<Range<usize>>) {
    match value.get_ref() {
        DeValue::Table(table) => table.values().for_each(|value| leaves(value, spans)),
        DeValue::Array(items) => items.iter().for_each(|value| leaves(value, spans)),
        _ => spans.push(value.span()),
    }
}

/// Whether a line of a text that is no TOML may belong to `[environment]`: from the first mention of it until the header
/// of another table, outside of a multi-line string.
fn after_environment(text: &str, line: usize) -> bool {
    let mut inside = false;
    let mut quotes = 0;
    // `split`, not `lines`: the line behind a last newline counts, for an error at the end.
    for line in text.split('\n').take(line + 1) {
        let name = line.trim_start_matches(['[', ' ', '\t', '"', '\'']);
        if name.starts_with("environment") {
            (inside, quotes) = (true, 0);
        } else if inside && quotes % 2 == 0 && is_header(line) {
            inside = false;
        }
        quotes += line.matches("\"\"\"").count() + line.matches("'''").count();
    }
    inside
}

fn is_header(line: &str) -> bool {
    const TABLES: [&str; 6] = ["renew", "clock", "caches", "notify", "state", "profile"];
    let line = line.split('#').next().unwrap_or_default().trim();
    let name = line.trim_start_matches('[').trim_end_matches(']').trim();
    line.starts_with('[') && line.ends_with(']') && TABLES.contains(&name)
}
