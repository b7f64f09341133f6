//! Commands that several rules name, in the words of the person's shell.

use super::{Case, SourcedValue};
use crate::core::fix::{self, Fix, word};
use crate::core::plan::program_of;
use crate::core::printable::printable;

pub(super) use crate::core::fix::argument;

/// Prompts for a user's key, and writes it to the place of the profile's key. Without the option it would be written into the profile
/// that AWS_PROFILE names.
pub(super) fn configure(profile: &str) -> String {
    format!("aws configure {}", option(profile))
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

/// How to correct what the `credential_process` of a profile prints. `what` is a whole sentence.
pub(super) fn correct_program(case: &Case<'_>, profile: &str, what: &str) -> Fix {
    let section = case.evidence.profiles_of_daemon.profiles.get(profile);
    let setting = section.and_then(|section| {
        ["credential_process", "evercred_credential_process"].iter().find_map(|key| Some((key, section.get(key)?)))
    });
    let output = match setting {
        Some((key, line)) => {
            let program = program_of(&line.text).unwrap_or_default();
            format!("the output of {} ({key} at {})", printable(&program), case.at(line.origin))
        }
        None => format!("the output of profile \"{}\"'s credential_process", printable(profile)),
    };
    Fix::advice(format!("Correct {output}. {what}"))
}

/// A command of ours that needs the daemon, where that does not run.
pub(super) fn with_daemon(case: &Case<'_>, text: &str, command: &str) -> Fix {
    if case.evidence.has_service_manager {
        Fix::command(text, format!("evercred service install && {command}"))
    } else {
        Fix::command(
            format!("{text} Run evercredd in another terminal first: this system has no service manager."),
            command,
        )
    }
}

/// The command that unsets variables in the shell.
pub(super) fn unset(case: &Case<'_>, names: &[&str]) -> String {
    fix::unset(is_fish(case), names)
}

/// How to remove one value: from the shell, or from its file. `what` names it for the shell.
pub(super) fn delete(case: &Case<'_>, value: &SourcedValue<'_>, what: &str) -> Fix {
    match value.origin {
        None => Fix::command(format!("Remove {what} from this shell."), unset(case, &[value.name])),
        Some(origin) => Fix::advice(format!("Delete the line {} at {}.", value.name, case.at(origin))),
    }
}

/// Gives variables to the shell and to what it starts; the values are words of a shell.
pub(super) fn export(case: &Case<'_>, variables: &[(&str, &str)]) -> String {
    if is_fish(case) {
        let one = |(name, value): &(&str, &str)| format!("set -gx {name} {value}");
        variables.iter().map(one).collect::<Vec<_>>().join("\n")
    } else {
        let one = |(name, value): &(&str, &str)| format!(" {name}={value}");
        format!("export{}", variables.iter().map(one).collect::<String>())
    }
}

fn is_fish(case: &Case<'_>) -> bool {
    case.evidence.variables.uses_fish()
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
    fn fish_takes_and_gives_variables_in_its_own_words() {
        for (shell, away, there) in
            [("/bin/bash", "unset A B", "export A=x B=y"), ("/usr/bin/fish", "set -e A B", "set -gx A x\nset -gx B y")]
        {
            let (evidence, answers) = (evidence("", "", &[("SHELL", shell)], ""), Answers::default());
            let case = Case::new(&evidence, &answers);
            assert_eq!(
                (unset(&case, &["A", "B"]).as_str(), export(&case, &[("A", "x"), ("B", "y")]).as_str()),
                (away, there)
            );
        }
    }
}
