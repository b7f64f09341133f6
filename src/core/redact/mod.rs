//! Finds secrets in text from servers, programs and files: by the names before them, by their form, and by their value.

mod formed;
mod forms;
mod letters;
mod named;
mod names;
mod scan;
mod setting;
#[cfg(test)]
mod tables;
#[cfg(test)]
mod tests;
mod value;
mod values;
mod whole;
mod words;

pub use self::forms::{holds_secret, is_access_key_id, may_be_part_of_secret};
use self::names::Kind;
use self::scan::{Scan, What};
pub use self::setting::setting;
pub use self::values::Values;
pub use self::whole::{HIDDEN, hide_whole_secrets, is_shown_setting, without_whole_secrets};

/// The text without secrets. In doubt it hides a word. Sentences, ARNs, access key ids and request ids stay.
pub fn without_secrets(text: &str) -> String {
    let text = letters::without_escapes(text);
    let lines: Vec<String> = text.split('\n').map(without_piece_of_header).collect();
    redacted(&lines.join("\n"), What::Text)
}

/// Hides the piece of the header in the message of IncompleteSignature. It includes the text in place of the key id,
/// which may be part of the secret.
fn without_piece_of_header(line: &str) -> String {
    let Some((before, _)) = line.split_once("not a valid key=value pair") else { return line.to_owned() };
    let before = before.split(['\'', '"']).next().unwrap_or_default();
    format!("{before}{HIDDEN} not a valid key=value pair in the Authorization header")
}

/// A command line or the value of a setting without the secrets in it: values of options and variables, header fields, user
/// information of URLs. A line without a secret stays as it is.
pub fn command(line: &str) -> String {
    let clean = letters::without_escapes(line);
    if hidden_ranges(&clean, What::Command).is_empty() { line.to_owned() } else { redacted(&clean, What::Command) }
}

/// The secrets in the command line and variables of a program, which its output may repeat.
pub fn given<'a>(line: &str, variables: impl Iterator<Item = (&'a str, &'a str)>) -> Values {
    let line = letters::without_escapes(line);
    let ranges = hidden_ranges(&line, What::Command).into_iter().filter_map(|(from, to)| line.get(from..to));
    let of_line = ranges.map(|value| value.trim_matches(['"', '\'', '`']).to_owned());
    // `PWD` and other variables with paths are not secrets.
    let of_variables =
        variables.filter(|(name, value)| is_secret_name(name) && !name.ends_with("PWD") && !value.starts_with('/'));
    Values::new(of_line.chain(of_variables.map(|(_, value)| value.to_owned())), SHORTEST_GIVEN)
}

/// The minimum length of a secret: a shorter value may occur in a sentence by chance.
const SHORTEST_GIVEN: usize = 6;

/// The words of the secrets in a text: a part of a secret is not recognised alone.
pub fn parts_of_secrets(text: &str) -> Vec<String> {
    let text = letters::without_escapes(text);
    let secrets = hidden_ranges(&text, What::Text).into_iter().filter_map(|(from, to)| text.get(from..to));
    secrets.flat_map(str::split_whitespace).map(str::to_owned).collect()
}

/// Whether a variable or a setting of this name holds a secret.
pub fn is_secret_name(name: &str) -> bool {
    match names::kind(name) {
        Kind::Setting | Kind::Password => true,
        // `key` and `auth` name other things too.
        Kind::Word => name.len() > 4,
        Kind::None | Kind::Id | Kind::Other => false,
    }
}

/// The last line of a program's output, without secrets. A secret may begin on an earlier line: after its name, or wrapped
/// by a terminal. `given` are secrets that the program was given.
pub fn last_line_of_program(text: &str, given: &Values) -> Option<String> {
    let text = given.hide(&letters::without_escapes(text), HIDDEN);
    let clean = without_secrets(&text);
    clean.lines().map(str::trim).rfind(|line| !line.is_empty()).map(str::to_owned)
}

fn redacted(text: &str, what: What) -> String {
    let mut clean = String::with_capacity(text.len());
    let mut shown = 0;
    for (from, to) in hidden_ranges(text, what) {
        clean.push_str(text.get(shown..from).unwrap_or_default());
        // A value of several lines stays on as many.
        let lines = text
            .get(from..to)
            .unwrap_or_default()
            .split('\n')
            .map(|line| if line.trim().is_empty() { "" } else { HIDDEN });
        clean.push_str(&lines.collect::<Vec<_>>().join("\n"));
        shown = to;
    }
    clean.push_str(text.get(shown..).unwrap_or_default());
    clean
}

/// The secrets, as byte ranges of the text.
fn hidden_ranges(text: &str, what: What) -> Vec<(usize, usize)> {
    let letters = letters::letters(text);
    let in_bytes = |(from, to): (usize, usize)| Some((letters.get(from)?.at, letters.get(to.checked_sub(1)?)?.end));
    Scan::new(&letters, what).run().into_iter().filter_map(in_bytes).collect()
}
