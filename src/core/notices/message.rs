//! The words of one message.

use crate::core::doctor::CREDENTIALS_MALFORMED;
use crate::core::keeper::{CLOCK_SKEWED, CREDENTIALS_LOST, MFA_REQUIRED, SSO_LOGIN_NEEDED, SSO_SESSION_ENDS};
use crate::core::printable::printable;

/// So many causes are listed; what is beyond is counted.
const MOST_LISTED: usize = 4;
/// Characters of a message that stands alone.
const LONGEST: usize = 400;
/// Characters of a message in a list, and of what to do.
const LONGEST_LISTED: usize = 200;

/// One message for the desktop, in plain text.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Message {
    /// A few words of our own.
    pub title: String,
    /// What is the matter and what to do, in lines.
    pub body: String,
    /// Whether somebody is waiting for the person: such a message stays until it was seen.
    pub is_urgent: bool,
}

/// One cause in a message.
pub(super) struct Told<'a> {
    pub(super) id: &'a str,
    pub(super) message: &'a str,
    pub(super) fix: Option<&'a str>,
}

impl Message {
    /// One message for all causes, urgent ones first; none where there are none.
    pub(super) fn of(told: &[Told<'_>]) -> Option<Self> {
        let mut sorted: Vec<&Told<'_>> = told.iter().collect();
        sorted.sort_by_key(|told| !is_urgent(told.id));
        let (title, body) = match sorted.as_slice() {
            [] => return None,
            [alone] => (title(alone.id).to_owned(), lines(alone, LONGEST)),
            several => {
                let mut all: Vec<String> =
                    several.iter().take(MOST_LISTED).map(|told| lines(told, LONGEST_LISTED)).collect();
                let more = several.len().saturating_sub(MOST_LISTED);
                if more > 0 {
                    all.push(format!("and {more} more: evercred status"));
                }
                (format!("{} things to see to", several.len()), all.join("\n"))
            }
        };
        Some(Self { title, body, is_urgent: sorted.iter().any(|told| is_urgent(told.id)) })
    }

    /// The body where it is read as markup, as the Desktop Notifications Specification has it.
    pub fn markup(&self) -> String {
        self.body.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
    }
}

/// Whether work stops, or will, until somebody has done something.
fn is_urgent(id: &str) -> bool {
    matches!(id, SSO_LOGIN_NEEDED | MFA_REQUIRED | CREDENTIALS_LOST)
}

fn title(id: &str) -> &'static str {
    match id {
        SSO_LOGIN_NEEDED => "A sign-in is needed",
        SSO_SESSION_ENDS => "A sign-in ends soon",
        MFA_REQUIRED => "An MFA code is needed",
        CREDENTIALS_LOST => "Credentials can't be renewed",
        CLOCK_SKEWED => "This machine's clock",
        CREDENTIALS_MALFORMED => "A mistake in an AWS file",
        _ => "AWS credentials",
    }
}

/// What is the matter, and below it what to do.
fn lines(told: &Told<'_>, longest: usize) -> String {
    let message = cut(told.message, longest);
    match told.fix.map(|fix| cut(fix, LONGEST_LISTED)) {
        Some(fix) if !fix.is_empty() => format!("{message}\nfix: {fix}"),
        _ => message,
    }
}

/// One line of so many characters at most.
fn cut(text: &str, longest: usize) -> String {
    let line = printable(text);
    match line.char_indices().nth(longest) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told<'a>(id: &'a str, message: &'a str, fix: Option<&'a str>) -> Told<'a> {
        Told { id, message, fix }
    }

    #[test]
    fn one_cause_is_told_with_the_command_to_run() {
        let message =
            Message::of(&[told(SSO_LOGIN_NEEDED, "nobody is signed in", Some("evercred login corp"))]).unwrap();
        assert_eq!(message.title, "A sign-in is needed");
        assert_eq!(message.body, "nobody is signed in\nfix: evercred login corp");
        assert!(message.is_urgent);
        assert!(!Message::of(&[told(CLOCK_SKEWED, "it is off", None)]).unwrap().is_urgent);
        let mistake = Message::of(&[told(CREDENTIALS_MALFORMED, "the key has a blank in it", None)]).unwrap();
        assert_eq!((mistake.title.as_str(), mistake.is_urgent), ("A mistake in an AWS file", false));
        assert_eq!(Message::of(&[]), None);
    }

    #[test]
    fn many_causes_are_one_message_of_bounded_length_and_what_waits_for_a_person_comes_first() {
        let long = "é".repeat(5_000);
        let mut all: Vec<Told<'_>> = (0..10).map(|_| told(CLOCK_SKEWED, &long, Some(&long))).collect();
        all.push(told(MFA_REQUIRED, "a code", None));
        let message = Message::of(&all).unwrap();
        assert_eq!(message.title, "11 things to see to");
        assert!(message.body.starts_with("a code\n"), "{}", message.body);
        assert!(message.body.ends_with("\nand 7 more: evercred status"), "{}", message.body);
        assert!(message.body.chars().count() < 1_500, "{}", message.body.chars().count());
    }

    #[test]
    fn what_a_server_says_makes_no_markup_no_lines_and_no_control_characters() {
        let text = "a\u{7}b\u{1b}[31m\r\nfix: rm -rf\u{202e} <a href=\"x\">&amp;</a>\0";
        let message = Message::of(&[told(CREDENTIALS_LOST, text, None)]).unwrap();
        assert!(!message.body.contains(char::is_control) && !message.body.contains('\u{202e}'), "{:?}", message.body);
        assert!(!message.markup().contains(['<', '>']), "{:?}", message.markup());
        assert!(message.markup().contains("&lt;a href=\"x\"&gt;&amp;amp;&lt;/a&gt;"), "{:?}", message.markup());
    }
}
