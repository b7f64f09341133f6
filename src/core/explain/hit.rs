//! A place in a text that matches a pattern, and the words around it.

use super::pattern::Pattern;

/// A match of a pattern.
#[derive(Clone, Copy)]
pub(super) struct Hit {
    pub(super) at: usize,
    pub(super) end: usize,
    pub(super) pattern: Pattern,
}

pub(super) fn between<'a>(text: &'a str, start: &str, ends: &[&str]) -> Option<&'a str> {
    let rest = text.split_once(start)?.1;
    let end = ends.iter().filter_map(|end| rest.find(end)).min()?;
    rest.get(..end)
}

pub(super) fn around(text: &str, hit: Hit, before: usize, after: usize) -> &str {
    let from = text.ceil_char_boundary(hit.at.saturating_sub(before));
    let to = if after == 0 { hit.at } else { text.floor_char_boundary(hit.end + after) };
    text.get(from..to).unwrap_or_default()
}

/// The part of its line near the match, with the cause on the next line, as the SDK for Go v1 prints it.
pub(super) fn line_of(text: &str, hit: Hit) -> &str {
    let (before, after) = (around(text, hit, 600, 0), around(text, Hit { at: hit.end, ..hit }, 0, 1_500));
    let from = hit.at - before.rsplit('\n').next().map_or(0, str::len);
    let is_end = |at: &usize| !after.get(at + 1..).is_some_and(|rest| rest.trim_start().starts_with("caused by: "));
    let to = hit.end + after.match_indices('\n').map(|(at, _)| at).find(is_end).unwrap_or(after.len());
    text.get(from..to).unwrap_or_default()
}
