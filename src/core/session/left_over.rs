//! What to do with a file that a stopped evercred left beside a session's cache file.
//!
//! A replacement writes the new text beside the file, exchanges the two, and removes what came out. The name of the file
//! beside it holds a digest of the new text and one of the text that it replaces. After a stop in the middle the digests
//! tell which of the two was left: the new one, the old one, or one that another program wrote in that moment.

use sha2::{Digest, Sha256};

use super::refresh::AS_GOOD;
use super::{Found, Session};
use crate::core::hex::hex;

/// In a name: there was no file.
const NONE: &str = "none";
/// In a name: there was a file that is not text.
const UNREADABLE: &str = "unreadable";

/// Between the cache file's name and the rest of the name beside it.
pub const MARK: &str = ".evercred-";

/// What to do with the left-over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOverIs {
    /// Newer than the file: put in its place.
    Newer,
    /// A copy of what could not be read and was to be kept.
    Kept,
    /// Of no more use.
    Useless,
}

/// The end of a left-over's name, for what is to be written over what was found.
pub fn left_over_suffix(process: u32, text: &str, over: &Found) -> String {
    format!("{MARK}{process}-{}-{}", digest(text), digest_of(over))
}

/// Whether the end of a file's name (what follows the cache file's own) is that of a left-over.
pub fn is_left_over(suffix: &str) -> bool {
    suffix.strip_prefix(MARK).is_some_and(|rest| rest.starts_with(|c: char| c.is_ascii_digit()))
}

/// Decides by the two texts and the end of the left-over's name.
pub fn judge_left_over(session: &Session, suffix: &str, left: &Found, file: &Found) -> LeftOverIs {
    let mut digests = suffix.split('-').skip(2);
    let names = digests.next().zip(digests.next());
    let of_left = digest_of(left);
    let token = |found: &Found| match found {
        Found::Text(text) => Some(session.read(text.expose())),
        Found::Missing | Found::Unreadable(_) => None,
    };
    let ours = match token(left) {
        Some(Ok(token)) => token,
        // A whole file of another session, which another program wrote over the file that was exchanged.
        Some(Err(unusable)) if unusable.foreign => {
            let is_new_or_old = names.is_none_or(|(new, old)| new == of_left || old == of_left);
            return if is_new_or_old { LeftOverIs::Useless } else { LeftOverIs::Newer };
        }
        _ if names.is_some_and(|(_, old)| old == UNREADABLE || old == of_left) => return LeftOverIs::Kept,
        // Half of what was to be written.
        _ => return LeftOverIs::Useless,
    };
    let theirs = match token(file) {
        Some(Ok(token)) => Some(token),
        Some(Err(unusable)) if unusable.foreign => return LeftOverIs::Useless,
        _ => None,
    };
    let newer = |is_newer: bool| if is_newer { LeftOverIs::Newer } else { LeftOverIs::Useless };
    match (names, theirs) {
        (Some((new, old)), _) if new == of_left && old == digest_of(file) => LeftOverIs::Newer,
        (Some((_, old)), _) if old == of_left => LeftOverIs::Useless,
        // The user has signed out.
        _ if *file == Found::Missing => LeftOverIs::Useless,
        (_, None) => LeftOverIs::Newer,
        (_, Some(theirs)) if theirs.is_same(&ours) => LeftOverIs::Useless,
        (Some((new, _)), Some(theirs)) if new == of_left => newer(theirs.expires() + AS_GOOD < ours.expires()),
        (Some(_), Some(theirs)) => newer(ours.expires() + AS_GOOD >= theirs.expires()),
        (None, Some(theirs)) => newer(ours.expires() > theirs.expires()),
    }
}

fn digest_of(found: &Found) -> String {
    match found {
        Found::Missing => NONE.to_owned(),
        Found::Unreadable(_) => UNREADABLE.to_owned(),
        Found::Text(text) => digest(text.expose()),
    }
}

fn digest(text: &str) -> String {
    hex(&Sha256::digest(text)[..8])
}

#[cfg(test)]
mod tests {
    use super::super::sso_token::tests::session as sso;
    use super::*;
    use crate::core::secret::Secret;

    const NOON: &str = "2026-11-24T12:00:00Z";
    const ONE: &str = "2026-11-24T13:00:00Z";

    fn text(access: &str, expires: &str) -> Found {
        Found::Text(Secret::new(format!(
            "{{\"accessToken\":\"{access}\",\"expiresAt\":\"{expires}\",\"refreshToken\":\"r-{access}\",\"clientId\":\"c\",\"clientSecret\":\"s\"}}"
        )))
    }

    fn suffix(new: &Found, old: &Found) -> String {
        let Found::Text(new) = new else { panic!("no text") };
        left_over_suffix(7, new.expose(), old)
    }

    fn judge(suffix: &str, left: &Found, file: &Found) -> LeftOverIs {
        judge_left_over(&Session::Sso(sso()), suffix, left, file)
    }

    #[test]
    fn a_token_that_was_written_and_not_exchanged_is_newer_whatever_its_expiry() {
        let (old, new) = (text("a1", ONE), text("a2", ONE));
        assert_eq!(judge(&suffix(&new, &old), &new, &old), LeftOverIs::Newer);
        assert_eq!(judge(&suffix(&new, &Found::Missing), &new, &Found::Missing), LeftOverIs::Newer, "a sign-in");
        assert_eq!(judge(&suffix(&new, &old), &new, &Found::Missing), LeftOverIs::Useless, "a sign-out");
        let half = Found::Text(Secret::new("{\"accessToken\":\"a2"));
        assert_eq!(judge(&suffix(&new, &old), &half, &old), LeftOverIs::Useless);
    }

    #[test]
    fn a_used_token_is_never_taken() {
        let (old, new) = (text("a1", ONE), text("a2", NOON));
        assert_eq!(judge(&suffix(&new, &old), &old, &new), LeftOverIs::Useless);
        assert_eq!(judge(&suffix(&new, &old), &old, &text("a3", NOON)), LeftOverIs::Useless);
    }

    #[test]
    fn what_another_program_wrote_in_that_moment_is_newer_unless_ours_outlives_it() {
        let (old, new) = (text("a1", NOON), text("a2", ONE));
        let name = suffix(&new, &old);
        assert_eq!(judge(&name, &text("a9", ONE), &new), LeftOverIs::Newer);
        assert_eq!(judge(&name, &text("a9", NOON), &new), LeftOverIs::Useless);
        let theirs = text("a9", ONE);
        assert_eq!(judge(&name, &new, &theirs), LeftOverIs::Useless, "it was put back already");
    }

    #[test]
    fn a_name_without_digests_goes_by_the_expiry() {
        assert_eq!(judge(".evercred-4711", &text("a2", ONE), &text("a1", NOON)), LeftOverIs::Newer);
        assert_eq!(judge(".evercred-4711", &text("a1", NOON), &text("a2", ONE)), LeftOverIs::Useless);
        assert_eq!(judge(".evercred-4711", &text("a1", ONE), &text("a2", ONE)), LeftOverIs::Useless);
        assert_eq!(judge(".evercred-4711", &text("a2", ONE), &Found::Missing), LeftOverIs::Useless);
    }

    #[test]
    fn what_could_not_be_read_is_kept() {
        let (new, binary) = (text("a2", ONE), Found::Unreadable("it is not UTF-8 text".to_owned()));
        assert_eq!(judge(&suffix(&new, &binary), &binary, &new), LeftOverIs::Kept);
        let half = Found::Text(Secret::new("{\"acc"));
        assert_eq!(judge(&suffix(&new, &half), &half, &new), LeftOverIs::Kept);
    }

    #[test]
    fn locks_and_kept_files_are_no_left_overs() {
        for (suffix, wanted) in [
            (".evercred-4711", true),
            (".evercred-7-ab-cd", true),
            (".evercred-lock", false),
            (".evercred-kept", false),
            ("", false),
        ] {
            assert_eq!(is_left_over(suffix), wanted, "{suffix}");
        }
    }
}
