//! What is wrong with a settings file, shown with its line and a caret.

use std::collections::BTreeMap;
use std::ops::Range;

use annotate_snippets::{AnnotationKind, Level, Renderer, Snippet};

use crate::core::nearest::did_you_mean;

/// What is wrong with a settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    message: String,
    line: usize,
    column: usize,
    /// The line's text and the part that is meant; left out where the line may hold a secret.
    shown: Option<(String, Range<usize>)>,
}

impl SettingsError {
    pub(super) fn new(text: &str, error: &toml::de::Error) -> Self {
        let span = error.span().unwrap_or(0..0);
        let start = floor(text, span.start);
        let line_start = text[..start].rfind('\n').map_or(0, |at| at + 1);
        let line_end = text[start..].find('\n').map_or(text.len(), |at| start + at);
        let end = floor(text, span.end).clamp(start, line_end);
        let secret = in_environment(&text[..line_end]);
        let shown = (!secret).then(|| (text[line_start..line_end].to_owned(), start - line_start..end - line_start));
        // toml's sentence may quote the value, which in `[environment]` may be a secret.
        let message = if secret {
            "what stands here in [environment] can't be used: every value is a text in quotes".to_owned()
        } else {
            sentence(error.message())
        };
        Self {
            message,
            line: text[..start].matches('\n').count() + 1,
            column: text[line_start..start].chars().count() + 1,
            shown,
        }
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// The sentence alone.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// `file:line:column`, the sentence, the line and a caret.
    pub fn render(&self, path: &str) -> String {
        let title = format!("{path}:{}:{}: {}", self.line, self.column, self.message);
        let title = Level::ERROR.primary_title(title);
        let group = match &self.shown {
            None => title.element(Level::NOTE.message("the line is not shown, as it may hold a secret")),
            Some((line, span)) => title.element(
                Snippet::source(line.as_str())
                    .path(path)
                    .line_start(self.line)
                    .annotation(AnnotationKind::Primary.span(span.clone())),
            ),
        };
        Renderer::plain().render(&[group])
    }
}

/// The line on which each key stands, by its dotted name; tables count where they begin.
pub(super) fn lines_of_keys(text: &str) -> BTreeMap<String, usize> {
    let mut lines = BTreeMap::new();
    let Ok(table) = toml::de::DeTable::parse(text) else { return lines };
    let line = |at: usize| text[..floor(text, at)].matches('\n').count() + 1;
    for (key, value) in table.get_ref() {
        let name = key.get_ref().to_string();
        if let toml::de::DeValue::Table(inner) = value.get_ref() {
            for key in inner.keys() {
                lines.insert(format!("{name}.{}", key.get_ref()), line(key.span().start));
            }
        }
        lines.insert(name, line(key.span().start));
    }
    lines
}

/// Says what was probably meant, where a key is not known.
fn sentence(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match names.split_first() {
        Some((unknown, known)) if message.starts_with("unknown field") => {
            let hint = did_you_mean(unknown, known.iter().copied());
            format!("there is no setting \"{unknown}\" here{hint}")
        }
        _ => message.trim_end().replace('`', "\""),
    }
}

fn in_environment(before: &str) -> bool {
    let header = before.lines().rev().map(str::trim).find(|line| line.starts_with('['));
    header.is_some_and(|header| header.starts_with("[environment"))
        || before.lines().last().is_some_and(|line| line.trim_start().starts_with("environment"))
}

/// The nearest character boundary at or before a position.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
