//! `evercred explain`: where the text comes from.

use std::io::{self, IsTerminal, Read};

use crate::companion::failure::{ATTENTION, Failure, USAGE};
use crate::core::explain::{MissingFile, ReportedError, Scanned, Scanner};
use crate::core::profile::Profiles;

/// The errors of a text.
#[derive(Debug)]
pub(super) struct Text {
    mentions: Vec<ReportedError>,
    /// The errors of other servers.
    foreign: Vec<ReportedError>,
    missing_file: Option<MissingFile>,
}

impl Text {
    /// The errors of AWS, else those of other servers: a missing file is one if it is a file of one of the profiles.
    pub(super) fn errors(mut self, profiles: &Profiles) -> Result<Vec<ReportedError>, Failure> {
        if let Some(error) = self.missing_file.and_then(|missing| missing.reported(profiles)) {
            let general = self.mentions.iter().position(|mention| mention.general);
            self.mentions.insert(general.unwrap_or(self.mentions.len()), error);
        }
        let errors = if self.mentions.is_empty() { self.foreign } else { self.mentions };
        if errors.is_empty() { Err(without_error()) } else { Ok(errors) }
    }
}

fn without_error() -> Failure {
    let why = "the text has no error about AWS credentials that evercred knows";
    Failure::new(ATTENTION, why).see("evercred doctor")
}

/// The text that was given, else standard input.
pub(super) fn read(text: Option<String>) -> Result<Text, Failure> {
    match text.filter(|text| text != "-") {
        Some(text) => found_in(text.as_bytes()),
        None if io::stdin().is_terminal() => {
            Err(Failure::new(USAGE, "there is no text: name it as an argument, or run COMMAND 2>&1 | evercred explain"))
        }
        None => found_in(io::stdin().lock()),
    }
}

/// A log may be of any size: it is read in pieces, and only the errors are kept.
fn found_in(mut input: impl Read) -> Result<Text, Failure> {
    let mut scanner = Scanner::default();
    let mut piece = vec![0; 64 * 1024];
    let mut is_empty = true;
    loop {
        match input.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => {
                let piece = piece.get(..length).unwrap_or_default();
                is_empty &= piece.iter().all(u8::is_ascii_whitespace);
                scanner.feed(piece);
            }
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(Failure::new(ATTENTION, format!("the text can't be read: {error}"))),
        }
    }
    let missing_file = scanner.missing_file();
    let Scanned { errors: mentions, foreign } = scanner.finish();
    if is_empty {
        let why = "the text is empty, so it has no error about AWS credentials; programs write errors to standard error: \
                   COMMAND 2>&1 | evercred explain";
        return Err(Failure::new(ATTENTION, why));
    }
    if mentions.is_empty() && foreign.is_empty() && missing_file.is_none() {
        return Err(without_error());
    }
    Ok(Text { mentions, foreign, missing_file })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_without_an_error_is_said_to_hold_none() {
        let failure = found_in("all is well".as_bytes()).unwrap_err();
        assert_eq!(failure.exit, ATTENTION);
        for empty in ["", " \n"] {
            let failure = found_in(empty.as_bytes()).unwrap_err();
            assert_eq!((failure.exit, failure.message.contains("empty")), (ATTENTION, true));
        }
        assert_eq!(read(Some("InvalidClientTokenId".to_owned())).unwrap().mentions[0].code, "InvalidClientTokenId");
    }
}
