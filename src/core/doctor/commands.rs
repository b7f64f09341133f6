//! Commands that several rules name, in the words of the person's shell.

use super::Case;
use crate::core::fix::word;

/// Asks for a user's key, and writes it where the profile's key stands.
pub(super) fn configure(profile: &str) -> String {
    if profile == "default" { "aws configure".to_owned() } else { format!("aws configure {}", option(profile)) }
}

/// Writes one setting of a profile.
pub(super) fn set(profile: &str, setting: &str, value: &str) -> String {
    format!("aws configure set {setting} {} {}", word(value), option(profile))
}

/// The option `--profile`. A name that begins with a dash would be taken for an option itself.
pub(super) fn option(profile: &str) -> String {
    let between = if profile.starts_with('-') { "=" } else { " " };
    format!("--profile{between}{}", word(profile))
}

/// A name as an argument of a command of ours.
pub(super) fn argument(name: &str) -> String {
    let before = if name.starts_with('-') { "-- " } else { "" };
    format!("{before}{}", word(name))
}

/// Takes variables out of the shell.
pub(super) fn unset(case: &Case<'_>, names: &[&str]) -> String {
    let is_fish = case.evidence.variables.get("SHELL").is_some_and(|shell| shell.ends_with("/fish"));
    format!("{} {}", if is_fish { "set -e" } else { "unset" }, names.join(" "))
}

#[cfg(test)]
mod tests {
    use super::super::testing::evidence;
    use super::super::{Answers, Case};
    use super::*;

    #[test]
    fn a_name_stays_one_word_and_no_option_whatever_it_is() {
        assert_eq!(option("dev"), "--profile dev");
        assert_eq!(option("-x y"), "--profile='-x y'");
        assert_eq!(argument("a b"), "'a b'");
        assert_eq!(argument("-x"), "-- -x");
        assert_eq!(set("d d", "region", "eu-west-1"), "aws configure set region eu-west-1 --profile 'd d'");
    }

    #[test]
    fn fish_takes_variables_away_in_its_own_words() {
        for (shell, command) in [("/bin/bash", "unset A B"), ("/usr/bin/fish", "set -e A B")] {
            let evidence = evidence("", "", &[("SHELL", shell)], "");
            assert_eq!(unset(&Case::new(&evidence, &Answers::default()), &["A", "B"]), command);
        }
    }
}
