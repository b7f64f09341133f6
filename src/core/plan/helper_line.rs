//! Our own line in an AWS config file: `credential_process = /path/evercred credential-process PROFILE`.

/// The profile that a `credential_process` line asks evercred for; `None` where it runs something else.
///
/// The program is known by its name, not by its path: an upgrade moves the one and not the other.
pub fn helper_profile(command: &str) -> Option<String> {
    let mut words = words(command)?;
    let program = words.first()?.rsplit('/').next()?;
    let ours = program == "evercred" && words.get(1).is_some_and(|command| command == "credential-process");
    match words.len() {
        // The daemon passes AWS_PROFILE on to no program.
        2 if ours => Some("default".to_owned()),
        3 if ours => Some(words.remove(2)),
        _ => None,
    }
}

/// The program of a `credential_process` line, as it stands there; `None` for a line that has none.
pub fn program_of(command: &str) -> Option<String> {
    words(command)?.into_iter().next()
}

/// Splits as a shell would, for the quoting that such a line can have; `None` where a quote is left open.
fn words(command: &str) -> Option<Vec<String>> {
    let mut words = Vec::new();
    let mut word: Option<String> = None;
    let mut quote = None;
    let mut characters = command.chars();
    while let Some(c) = characters.next() {
        match (quote, c) {
            (Some(open), c) if c == open => quote = None,
            (None, '"' | '\'') => {
                quote = Some(c);
                word.get_or_insert_default();
            }
            (None | Some('"'), '\\') => word.get_or_insert_default().push(characters.next()?),
            (None, c) if c.is_whitespace() => words.extend(word.take()),
            (_, c) => word.get_or_insert_default().push(c),
        }
    }
    words.extend(word);
    quote.is_none().then_some(words)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn our_line_is_known_in_every_quoting() {
        for line in [
            "/usr/bin/evercred credential-process dev",
            "\"/opt/with space/evercred\" credential-process \"dev\"",
            "'/usr/bin/evercred' credential-process dev",
            "evercred   credential-process\tdev",
        ] {
            assert_eq!(helper_profile(line).as_deref(), Some("dev"), "{line}");
        }
    }

    #[test]
    fn a_line_without_a_profile_asks_for_the_default_one() {
        assert_eq!(helper_profile("evercred credential-process").as_deref(), Some("default"));
    }

    #[test]
    fn other_programs_are_not_ours() {
        for line in
            ["", "aws-vault exec dev", "/bin/evercredd credential-process dev", "evercred status dev", "'evercred"]
        {
            assert_eq!(helper_profile(line), None, "{line}");
        }
    }
}
