//! The mistakes in a settings file, each shown with its line and a caret.

use std::ops::Range;

use annotate_snippets::{AnnotationKind, Group, Level, Renderer, Snippet};

use super::places::Places;
use crate::core::access_key::may_be_secret;
use crate::core::nearest::did_you_mean;
use crate::core::redact::{self, HIDDEN};

/// The mistakes of a settings file: at least one, in file order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SettingsError {
    first: Mistake,
    others: Vec<Mistake>,
}

impl SettingsError {
    /// `None` where there is no mistake.
    pub(super) fn of(mut mistakes: Vec<Mistake>) -> Option<Self> {
        mistakes.sort_by_key(|mistake| (mistake.line, mistake.column));
        let mut mistakes = mistakes.into_iter();
        Some(Self { first: mistakes.next()?, others: mistakes.collect() })
    }

    /// All of them.
    pub fn mistakes(&self) -> Vec<&Mistake> {
        std::iter::once(&self.first).chain(&self.others).collect()
    }

    /// The line of the first mistake, from 1.
    pub fn line(&self) -> usize {
        self.first.line
    }

    /// The first mistake in a sentence, and how many more there are.
    pub fn message(&self) -> String {
        match self.others.len() {
            0 => self.first.message.clone(),
            1 => format!("{} (and one more mistake)", self.first.message),
            more => format!("{} (and {more} more mistakes)", self.first.message),
        }
    }

    /// Each mistake: `file:line:column`, the sentence, the line and a caret.
    pub fn render(&self, path: &str) -> String {
        let shown: Vec<String> = self.mistakes().into_iter().map(|mistake| mistake.render(path)).collect();
        shown.join("\n")
    }

    /// The first mistakes, each as `file:line:column: sentence`, and how many more there are.
    pub fn list_first(&self, most: usize, path: &str) -> Vec<String> {
        let mistakes = self.mistakes();
        let listed = mistakes.iter().take(most);
        let mut list: Vec<String> =
            listed.map(|mistake| format!("{path}:{}:{}: {}", mistake.line, mistake.column, mistake.message)).collect();
        list.extend(more(mistakes.len(), most, path));
        list
    }

    /// The first mistakes as [`Self::render`] shows them, and how many more there are.
    pub fn render_first(&self, most: usize, path: &str) -> String {
        let mistakes = self.mistakes();
        let mut shown: Vec<String> = mistakes.iter().take(most).map(|mistake| mistake.render(path)).collect();
        shown.extend(more(mistakes.len(), most, path));
        shown.join("\n")
    }
}

/// The number of mistakes that are listed where a command does something else besides. `evercred config check` lists all.
pub const LISTED: usize = 20;

fn more(all: usize, most: usize, path: &str) -> Option<String> {
    all.checked_sub(most).filter(|more| *more > 0).map(|more| format!("{path}: {more} more mistakes"))
}

impl From<Mistake> for SettingsError {
    fn from(first: Mistake) -> Self {
        Self { first, others: Vec::new() }
    }
}

/// One mistake in a settings file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mistake {
    message: String,
    line: usize,
    column: usize,
    shown: Shown,
}

/// What is shown of the line.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Shown {
    /// The text of the line, and the part that is wrong.
    Line(String, Range<usize>),
    /// No text: the line may contain a secret.
    Secret,
    /// No text: the file is not UTF-8.
    Nothing,
}

impl Mistake {
    /// An error of the TOML reader.
    pub(super) fn new(places: &Places<'_>, error: &toml::de::Error) -> Self {
        let span = error.span().unwrap_or(0..0);
        if places.may_be_secret(&span) {
            // toml's sentence may quote the value.
            let message = "what stands here in [environment] can't be used: every value is a text in quotes";
            return Self::at(places, span, message.to_owned()).without_the_line();
        }
        let error = Self::at(places, span, sentence(error.message()));
        // A variable that was put outside of `[environment]` is as secret as inside.
        if error.message.ends_with(MISPLACED) { error.without_the_line() } else { error }
    }

    /// A mistake in a value, which may be secret.
    pub(super) fn of_value(places: &Places<'_>, span: Range<usize>, message: String) -> Self {
        let may_be_secret = places.may_be_secret(&span);
        let mistake = Self::at(places, span, message);
        if may_be_secret { mistake.without_the_line() } else { mistake }
    }

    /// A mistake in a part of the text.
    pub(super) fn at(places: &Places<'_>, span: Range<usize>, message: String) -> Self {
        let text = places.text;
        let start = floor(text, span.start);
        let line_index = places.line_of(start);
        let line_start = places.line_start(line_index);
        let line = text[line_start..].lines().next().unwrap_or_default();
        let from = (start - line_start).min(line.len());
        let to = floor(text, span.end).saturating_sub(line_start).clamp(from, line.len());
        let value = value_of(line).1;
        let is_secret = holds_secret(line);
        let message = if is_secret && !value.is_empty() { message.replace(value, HIDDEN) } else { message };
        let (line, span) = excerpt(line, from..to);
        Self {
            message: shortened(message),
            line: line_index + 1,
            column: text[line_start..start].chars().count() + 1,
            shown: if is_secret { Shown::Secret } else { Shown::Line(line, span) },
        }
    }

    /// The first byte of a file that is not text.
    pub(super) fn not_text(line: usize, column: usize, message: String) -> Self {
        Self { message, line, column, shown: Shown::Nothing }
    }

    pub(super) fn without_the_line(mut self) -> Self {
        self.shown = Shown::Secret;
        self
    }

    /// The line, from 1.
    pub fn line(&self) -> usize {
        self.line
    }

    /// A sentence.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The column, from 1, in characters.
    pub fn column(&self) -> usize {
        self.column
    }

    /// `file:line:column`, the sentence, the line and a caret.
    pub fn render(&self, path: &str) -> String {
        let title = format!("{path}:{}:{}: {}", self.line, self.column, self.message);
        let title = Level::ERROR.no_name().primary_title(title);
        let group = match &self.shown {
            Shown::Nothing => Group::with_title(title),
            Shown::Secret => title.element(Level::NOTE.message("the line is not shown, as it may hold a secret")),
            Shown::Line(line, span) => title.element(
                Snippet::source(line.as_str())
                    .line_start(self.line)
                    .annotation(AnnotationKind::Primary.span(span.clone())),
            ),
        };
        Renderer::plain().render(&[group])
    }
}

/// The name and the value of a line, without quotes.
fn value_of(line: &str) -> (&str, &str) {
    let (name, value) = line.split_once('=').unwrap_or(("", line));
    (name.trim().trim_matches(['"', '\'']), value.trim().trim_matches(['"', '\'']))
}

/// Whether a line may hold a secret: by the name of its setting, or by the form of its value.
fn holds_secret(line: &str) -> bool {
    let (name, value) = value_of(line);
    let is_word = !value.contains([':', ' ']) && !value.starts_with(['/', '~']);
    redact::setting(name, value) != value
        || redact::without_secrets(value) != value
        || (is_word && may_be_secret(value))
}

/// The maximum length of a message and of a line that are shown, in bytes.
const LONGEST_SHOWN: usize = 400;

/// A message without the middle of a long value.
fn shortened(message: String) -> String {
    if message.len() <= LONGEST_SHOWN {
        return message;
    }
    let (head, tail) = (floor(&message, LONGEST_SHOWN / 2), floor(&message, message.len() - LONGEST_SHOWN / 2));
    format!("{} … {}", &message[..head], &message[tail..])
}

/// The part of a long line around a span, and the span in it.
fn excerpt(line: &str, span: Range<usize>) -> (String, Range<usize>) {
    let from = if line.len() <= LONGEST_SHOWN { 0 } else { floor(line, span.start.saturating_sub(LONGEST_SHOWN / 4)) };
    let to = floor(line, from.saturating_add(LONGEST_SHOWN));
    (line[from..to].to_owned(), span.start - from..span.end.clamp(span.start, to) - from)
}

const MISPLACED: &str = "variables stand in [environment]";

/// The TOML reader's sentence in the words of this program.
fn sentence(message: &str) -> String {
    let names: Vec<&str> = message.split('`').skip(1).step_by(2).collect();
    match names.split_first() {
        Some((unknown, _)) if message.starts_with("unknown field") && is_variable(unknown) => {
            format!("there is no setting \"{unknown}\" here; {MISPLACED}")
        }
        Some((unknown, known)) if message.starts_with("unknown field") => {
            if let Some(name) = renamed(unknown, known) {
                return format!("there is no setting \"{unknown}\" here: it is now {name}");
            }
            let hint = did_you_mean(unknown, known.iter().copied());
            format!("there is no setting \"{unknown}\" here{hint}")
        }
        Some((unknown, _))
            if message.starts_with("unknown variant") && RENAMED_RENEW.iter().any(|(old, _)| old == unknown) =>
        {
            let new = RENAMED_RENEW.iter().find(|(old, _)| old == unknown).map_or("auto", |(_, new)| new);
            format!("\"{unknown}\" is not a value of this setting: it is now \"{new}\"")
        }
        Some((missing, _)) if message.starts_with("missing field") => format!("\"{missing}\" is missing here"),
        _ if message.starts_with("invalid type: map, expected a sequence") => {
            "of this there can be several: write [[…]] instead of […]".to_owned()
        }
        // Of a setting that has one of several words.
        _ if message.starts_with("wanted string or table") => "a word in quotes is needed here".to_owned(),
        _ => message.trim_end().replace('`', "\""),
    }
}

/// The present name of a renamed setting, for a table with these settings.
fn renamed(old: &str, known: &[&str]) -> Option<&'static str> {
    let is_top = known.contains(&"clock");
    let is_renew = known.contains(&"used_within");
    match old {
        "keep" if is_renew => Some("\"profiles\""),
        "keep" => Some("\"profiles\" in [renew]"),
        "keep_for" if is_renew => Some("\"used_within\""),
        "keep_for" => Some("\"used_within\" in [renew]"),
        "ahead" if is_renew => Some("\"before\""),
        "ahead" if is_top => Some("\"before\" in [renew]"),
        _ => None,
    }
}

/// The renamed values of a profile's `renew`.
const RENAMED_RENEW: [(&str, &str); 2] = [("ahead", "auto"), ("asked", "on-demand")];

fn is_variable(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_')
}

/// The nearest character boundary at or before a position.
fn floor(text: &str, at: usize) -> usize {
    (0..=at.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}
