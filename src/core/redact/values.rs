//! Removes secrets whose values are known.

use std::collections::{HashMap, HashSet};

/// Values to remove from texts. The time for a text does not depend on the number of values.
#[derive(Debug, Default)]
pub struct Values {
    values: HashSet<String>,
    /// The lengths of the values with this prefix, the longest first: one value may be a part of another.
    lengths: HashMap<Vec<u8>, Vec<usize>>,
    shortest: usize,
}

impl Values {
    /// Values shorter than `shortest` bytes are ignored.
    pub fn new(values: impl IntoIterator<Item = String>, shortest: usize) -> Self {
        let long = |value: &String| value.len() >= shortest.max(1);
        let values: HashSet<String> = values.into_iter().map(|value| value.trim().to_owned()).filter(long).collect();
        let mut lengths: HashMap<Vec<u8>, Vec<usize>> = HashMap::new();
        for value in &values {
            let beginning = value.as_bytes().get(..shortest).unwrap_or_default().to_vec();
            lengths.entry(beginning).or_default().push(value.len());
        }
        for lengths in lengths.values_mut() {
            lengths.sort_unstable_by_key(|length| std::cmp::Reverse(*length));
            lengths.dedup();
        }
        Self { values, lengths, shortest }
    }

    /// The text with `hidden` in place of each value.
    pub fn hide(&self, text: &str, hidden: &str) -> String {
        if self.values.is_empty() {
            return text.to_owned();
        }
        let mut clean = String::with_capacity(text.len());
        let (mut shown, mut at) = (0, 0);
        while let Some(beginning) = text.as_bytes().get(at..at + self.shortest) {
            let found = self
                .lengths
                .get(beginning)
                .into_iter()
                .flatten()
                .find(|length| text.get(at..at + **length).is_some_and(|value| self.values.contains(value)));
            match found {
                Some(length) => {
                    clean.push_str(text.get(shown..at).unwrap_or_default());
                    clean.push_str(hidden);
                    at += length;
                    shown = at;
                }
                None => at += 1,
            }
        }
        clean.push_str(text.get(shown..).unwrap_or_default());
        clean
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_longest_value_is_hidden_wherever_it_stands() {
        let values = Values::new(["hunter2".to_owned(), "hunter2-more".to_owned(), "abc".to_owned()], 6);
        assert_eq!(values.hide("ähunter2-moreü hunter2hunter abc", "*"), "ä*ü *hunter abc");
        assert_eq!(Values::default().hide("abc", "*"), "abc");
    }
}
