//! Finds every mistake in a TOML table by deserializing parts of it: serde reports only the first one.
//!
//! A part with a mistake is halved until one value is left, so that n values take n log n steps.

use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;
use toml::de::{DeArray, DeString, DeTable, DeValue, Deserializer, Error};

use super::Settings;

/// The one mandatory setting.
const NAME: &str = "name";

/// The replacement for an unusable or missing name.
const UNREADABLE: &str = "\u{fffd}";

/// Whether a name was replaced.
pub(super) fn is_unreadable(name: &Spanned<DeValue<'_>>) -> bool {
    matches!(name.get_ref(), DeValue::String(name) if name.as_ref() == UNREADABLE)
}

/// The errors of all values, some of them several times.
pub(super) fn errors(table: &DeTable<'_>) -> Vec<Error> {
    let mut errors = Vec::new();
    // No error has the span of the whole file: each section may be missing.
    let root = Spanned::new(usize::MAX..usize::MAX, DeValue::Table(table.clone()));
    search(root, &root_table, &mut errors);
    errors
}

/// Makes a whole file with only this value.
type Whole<'a, 'i> = dyn Fn(Spanned<DeValue<'i>>) -> DeTable<'i> + 'a;

fn root_table<'i>(value: Spanned<DeValue<'i>>) -> DeTable<'i> {
    match value.into_inner() {
        DeValue::Table(table) => table,
        _ => DeTable::new(),
    }
}

/// Fixes the lifetimes of a closure.
fn as_whole<'i, F: Fn(Spanned<DeValue<'i>>) -> DeTable<'i>>(closure: F) -> F {
    closure
}

fn search<'i>(value: Spanned<DeValue<'i>>, whole: &Whole<'_, 'i>, errors: &mut Vec<Error>) {
    let Err(error) = deserialize(whole(value.clone())) else { return };
    let span = value.span();
    if !lacks_name(&error) && error.span().is_none_or(|at| covers(&at, &span)) {
        errors.push(error);
        return;
    }
    match value.into_inner() {
        DeValue::Table(table) => search_table(table, &span, error, whole, errors),
        DeValue::Array(items) => search_array(items, &span, error, whole, errors),
        _ => errors.push(error),
    }
}

fn deserialize(file: DeTable<'_>) -> Result<Settings, Error> {
    Settings::deserialize(Deserializer::from(Spanned::new(0..0, file)))
}

fn lacks_name(error: &Error) -> bool {
    error.message().starts_with("missing field")
}

fn search_table<'i>(
    table: DeTable<'i>,
    span: &Range<usize>,
    error: Error,
    whole: &Whole<'_, 'i>,
    errors: &mut Vec<Error>,
) {
    let is_placeholder = |(_, value): &(_, Spanned<DeValue<'i>>)| is_unreadable(value);
    let (name, mut settings): (Vec<_>, Vec<_>) = table.into_iter().partition(is_placeholder);
    let name = name.into_iter().next().map(|(key, _)| key);
    let mut name = name.or_else(|| settings.iter().map(|(key, _)| key).find(|key| key.get_ref() == NAME).cloned());
    if name.is_none() {
        let empty = Spanned::new(span.clone(), DeValue::Table(DeTable::new()));
        if let Some(error) = deserialize(whole(empty)).err().filter(lacks_name) {
            errors.push(error);
            name = Some(Spanned::new(span.clone(), NAME.into()));
        }
    }
    let table = |settings: Vec<(Spanned<DeString<'i>>, Spanned<DeValue<'i>>)>| {
        let table = DeValue::Table(settings.into_iter().collect());
        let mut table = Spanned::new(span.clone(), table);
        if let Some(name) = &name {
            add_name(&mut table, name);
        }
        table
    };
    if settings.len() > 1 {
        let second = settings.split_off(settings.len() / 2);
        search(table(settings), whole, errors);
        search(table(second), whole, errors);
        return;
    }
    match settings.pop() {
        None => {}
        Some((key, value)) if !error.span().is_some_and(|at| covers(&key.span(), &at)) => {
            let inside = as_whole(|value| whole(table(vec![(key.clone(), value)])));
            search(value, &inside, errors);
        }
        _ => errors.push(error),
    }
}

fn search_array<'i>(
    items: DeArray<'i>,
    span: &Range<usize>,
    error: Error,
    whole: &Whole<'_, 'i>,
    errors: &mut Vec<Error>,
) {
    let array =
        |items: Vec<Spanned<DeValue<'i>>>| Spanned::new(span.clone(), DeValue::Array(items.into_iter().collect()));
    let mut items: Vec<_> = items.into_iter().collect();
    if items.len() > 1 {
        let second = items.split_off(items.len() / 2);
        search(array(items), whole, errors);
        search(array(second), whole, errors);
        return;
    }
    match items.pop() {
        Some(item) => search(item, &as_whole(|item| whole(array(vec![item]))), errors),
        None => errors.push(error),
    }
}

/// Adds the mandatory setting to a table without it.
fn add_name<'i>(table: &mut Spanned<DeValue<'i>>, key: &Spanned<DeString<'i>>) {
    let span = table.span();
    if let DeValue::Table(table) = table.get_mut()
        && !table.contains_key(NAME)
    {
        table.insert(key.clone(), Spanned::new(span, DeValue::String(UNREADABLE.into())));
    }
}

fn covers(outer: &Range<usize>, inner: &Range<usize>) -> bool {
    outer.start <= inner.start && inner.end <= outer.end
}
