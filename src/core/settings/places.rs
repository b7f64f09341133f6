//! Where each setting stands in the text, and where secrets may stand.

use std::collections::BTreeMap;
use std::ops::{Range, RangeInclusive};

use toml::Spanned;
use toml::de::{DeTable, DeValue};

/// The positions of a text's settings, by their dotted names (`renew.before`, `profile[0].name`).
pub(super) struct Places<'a> {
    pub(super) text: &'a str,
    keys: BTreeMap<String, Range<usize>>,
    /// The start of each line after the first one.
    line_starts: Vec<usize>,
    /// For each line, whether it may hold a value of `[environment]`. In doubt it may.
    secret_lines: Vec<bool>,
}

impl<'a> Places<'a> {
    pub(super) fn of(text: &'a str) -> Self {
        let line_starts: Vec<usize> = text.match_indices('\n').map(|(at, _)| at + 1).collect();
        let secret_lines = vec![false; line_starts.len() + 1];
        let mut places = Self { text, keys: BTreeMap::new(), line_starts, secret_lines };
        match DeTable::parse(text) {
            Ok(table) => {
                places.note(table.get_ref(), "");
                let mut secrets = Vec::new();
                if let Some(environment) = table.get_ref().get("environment") {
                    leaves(environment, &mut secrets);
                }
                for secret in secrets {
                    let lines = places.lines_of(&secret);
                    places.secret_lines.get_mut(lines).into_iter().flatten().for_each(|line| *line = true);
                }
            }
            Err(_) => places.secret_lines = inside_environment(text),
        }
        places
    }

    /// The line on which a setting stands, from 1.
    pub(super) fn line(&self, key: &str) -> Option<usize> {
        Some(self.line_of(self.keys.get(key)?.start) + 1)
    }

    /// Whether the lines of a span may hold a value of `[environment]`.
    pub(super) fn may_be_secret(&self, span: &Range<usize>) -> bool {
        self.secret_lines.get(self.lines_of(span)).is_none_or(|lines| lines.contains(&true))
    }

    fn lines_of(&self, span: &Range<usize>) -> RangeInclusive<usize> {
        self.line_of(span.start)..=self.line_of(span.end.max(span.start))
    }

    /// How many lines are before that of this position.
    pub(super) fn line_of(&self, at: usize) -> usize {
        self.line_starts.partition_point(|start| *start <= at)
    }

    /// The start of a line, which is counted from 0.
    pub(super) fn line_start(&self, line: usize) -> usize {
        line.checked_sub(1).and_then(|before| self.line_starts.get(before)).copied().unwrap_or(0)
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

/// Whether each line of a text that is no TOML may belong to `[environment]`: from the first mention of it until the
/// header of another table, outside of a multi-line string.
fn inside_environment(text: &str) -> Vec<bool> {
    let mut inside = false;
    let mut quotes = 0usize;
    // `split`, not `lines`: the line behind a last newline counts, for an error at the end.
    let is_inside = |line: &str| {
        let name = line.trim_start_matches(['[', ' ', '\t', '"', '\'']);
        if name.starts_with("environment") {
            (inside, quotes) = (true, 0);
        } else if inside && quotes.is_multiple_of(2) && is_header(line) {
            inside = false;
        }
        quotes += line.matches("\"\"\"").count() + line.matches("'''").count();
        inside
    };
    text.split('\n').map(is_inside).collect()
}

fn is_header(line: &str) -> bool {
    const TABLES: [&str; 6] = ["renew", "clock", "caches", "notify", "state", "profile"];
    let line = line.split('#').next().unwrap_or_default().trim();
    let name = line.trim_start_matches('[').trim_end_matches(']').trim();
    line.starts_with('[') && line.ends_with(']') && TABLES.contains(&name)
}
