//! `evercred explain`: where the text comes from.

use std::io::{self, IsTerminal, Read};

use crate::companion::failure::{ATTENTION, Failure, USAGE};
use crate::core::explain::{ReportedError, Scanner};

/// The AWS errors in the text that was given, else in standard input.
pub(super) fn read(text: Option<String>) -> Result<Vec<ReportedError>, Failure> {
    match text.filter(|text| text != "-") {
        Some(text) => found_in(text.as_bytes()),
        None if io::stdin().is_terminal() => Err(Failure::new(
            USAGE,
            "explain: there is no text: name it as an argument, or run COMMAND 2>&1 | evercred explain",
        )),
        None => found_in(io::stdin().lock()),
    }
}

/// A log may be of any size: it is read in pieces, and only the errors are kept.
fn found_in(mut input: impl Read) -> Result<Vec<ReportedError>, Failure> {
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
            Err(error) => return Err(Failure::new(ATTENTION, format!("explain: the text can't be read: {error}"))),
        }
    }
    let mentions = scanner.finish();
    if is_empty {
        let why = "explain: the text is empty, so it has no error about AWS credentials; programs write errors to standard error: \
                   COMMAND 2>&1 | evercred explain";
        return Err(Failure::new(ATTENTION, why));
    }
    if mentions.is_empty() {
        let why = "explain: the text has no error about AWS credentials that evercred knows";
        return Err(Failure::new(ATTENTION, why).fix("evercred doctor"));
    }
    Ok(mentions)
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
        assert_eq!(read(Some("InvalidClientTokenId".to_owned())).unwrap()[0].code, "InvalidClientTokenId");
    }
}
