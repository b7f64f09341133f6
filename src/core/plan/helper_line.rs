//! Our own line in an AWS config file: `credential_process = /path/evercred credential-process PROFILE`.

/// The profile that a `credential_process` line asks evercred for; `None` where it runs something else.
///
/// The program is known by its name, not by its path: an upgrade moves the one and not the other.
pub fn helper_profile(command: &str) -> Option<String> {
    asked_profile(command, None)
}

/// `inherited`: the profile in the variables that an outer command sets.
fn asked_profile(command: &str, inherited: Option<String>) -> Option<String> {
    let Unwrapped { mut words, profile } = without_wrapper(words(command)?);
    let profile = profile.or(inherited);
    if let [shell, option, inner] = words.as_slice()
        && matches!(file_name(shell), "sh" | "bash" | "dash" | "zsh")
        && is_command_option(option)
        && for_a_shell(inner).is_empty()
    {
        return asked_profile(inner, profile);
    }
    let ours = words.first().is_some_and(|program| file_name(program) == "evercred")
        && words.get(1).is_some_and(|command| command == "credential-process");
    match words.len() {
        2 if ours => Some(profile.unwrap_or_else(no_profile)),
        3 if ours => Some(words.remove(2)),
        _ => None,
    }
}

/// The profile of a command that names none: the daemon does not pass its own AWS_PROFILE to programs.
fn no_profile() -> String {
    "default".to_owned()
}

/// A shell's `-c`, also combined with options that do not change the command: `-lc`.
fn is_command_option(option: &str) -> bool {
    let letters = option.strip_prefix('-').and_then(|letters| letters.strip_suffix('c'));
    letters.is_some_and(|letters| letters.bytes().all(|letter| b"elux".contains(&letter)))
}

/// The profile whose credentials the AWS CLI is to print: `aws configure export-credentials --profile PROFILE`.
pub(super) fn exported_profile(command: &str) -> Option<String> {
    let Unwrapped { words, profile } = without_wrapper(words(command)?);
    let (program, arguments) = words.split_first()?;
    let is_export = arguments.windows(2).any(|pair| pair == ["configure", "export-credentials"]);
    if file_name(program) != "aws" || !is_export {
        return None;
    }
    let mut arguments = arguments.iter();
    while let Some(argument) = arguments.next() {
        if argument == "--profile" {
            return arguments.next().cloned();
        }
        if let Some(profile) = argument.strip_prefix("--profile=") {
            return Some(profile.to_owned());
        }
    }
    Some(profile.unwrap_or_else(no_profile))
}

/// The program of a `credential_process` line, as it stands there; `None` for a line that has none.
pub fn program_of(command: &str) -> Option<String> {
    without_wrapper(words(command)?).words.into_iter().next()
}

/// A command and the profile that the variables before it name.
struct Unwrapped {
    words: Vec<String>,
    profile: Option<String>,
}

/// A command without the programs that only run it (`env`, `timeout 30`), and without variable assignments before it.
fn without_wrapper(mut words: Vec<String>) -> Unwrapped {
    let mut set: [Option<String>; 2] = [None, None];
    let mut wrappers = 0;
    while let Some(word) = words.get(wrappers) {
        let is_name =
            |name: &str| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
        let variable = word.split_once('=').filter(|(name, _)| is_name(name));
        match (file_name(word), variable) {
            (_, Some(("AWS_PROFILE", profile))) => set[0] = Some(profile.to_owned()),
            (_, Some(("AWS_DEFAULT_PROFILE", profile))) => set[1] = Some(profile.to_owned()),
            (_, Some(_)) | ("exec" | "env" | "command" | "nohup" | "nice", None) => {}
            // Its first argument is the time.
            ("timeout", None) => wrappers += 1,
            _ => break,
        }
        wrappers += 1;
    }
    // Where nothing follows, the wrapper is the program.
    if wrappers < words.len() {
        words.drain(..wrappers);
    }
    let profile = set.into_iter().flatten().find(|profile| !profile.is_empty());
    Unwrapped { words, profile }
}

fn file_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

/// Notes about a `credential_process` line that programs run in different ways.
pub(super) fn notes(profile: &str, command: &str) -> Vec<String> {
    let mut notes = Vec::new();
    let mut before = ' ';
    let cut = command.char_indices().find(|(_, c)| {
        let is_cut = before.is_whitespace() && "#;".contains(*c);
        before = *c;
        is_cut
    });
    if let Some((_, c)) = cut {
        notes.push(format!(
            "JavaScript and Go programs cut the credential_process of profile \"{profile}\" at \" {c}\", also inside quotes: boto3, \
             the AWS CLI and evercred run the whole line"
        ));
    }
    let special = for_a_shell(command);
    if !special.is_empty() {
        notes.push(format!(
            "boto3 and the AWS CLI run the credential_process of profile \"{profile}\" without a shell, and pass {special} on \
             unchanged; evercred and other SDKs run it in a shell: put literal parts in single quotes"
        ));
    }
    notes
}

/// The unquoted characters of a command line that are special to a shell, each once.
fn for_a_shell(command: &str) -> String {
    let mut found: Vec<char> = Vec::new();
    let (mut quote, mut is_escaped, mut before) = (None, false, ' ');
    for c in command.chars() {
        let is_special = match quote {
            None => "&|<>();$`".contains(c) || c == '~' && before.is_whitespace(),
            Some('"') => "$`".contains(c),
            Some(_) => false,
        };
        if std::mem::take(&mut is_escaped) {
            // As it stands.
        } else if c == '\\' && quote != Some('\'') {
            is_escaped = true;
        } else if quote == Some(c) {
            quote = None;
        } else if quote.is_none() && "'\"".contains(c) {
            quote = Some(c);
        } else if is_special && !found.contains(&c) {
            found.push(c);
        }
        before = c;
    }
    let shown: Vec<String> = found.into_iter().map(|c| format!("\"{c}\"")).collect();
    shown.join(", ")
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
            (None | Some('"'), '\\') => {
                let escaped = characters.next()?;
                // Between double quotes the backslash stays before all other characters (POSIX, "Double-Quotes").
                let stays = quote.is_some() && !"$`\"\\".contains(escaped);
                word.get_or_insert_default().extend(stays.then_some('\\').into_iter().chain([escaped]));
            }
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
            "exec evercred credential-process dev",
            "env LANG=C PATH=/usr/bin /opt/evercred credential-process dev",
            "HTTPS_PROXY=http://proxy:8080 evercred credential-process dev",
            "sh -c 'exec /usr/bin/evercred credential-process dev'",
            r#"sh -c "exec \"/opt/with space/evercred\" credential-process dev""#,
        ] {
            assert_eq!(helper_profile(line).as_deref(), Some("dev"), "{line}");
        }
    }

    #[test]
    fn between_double_quotes_a_backslash_stays_before_all_but_the_special_characters() {
        let words = words(r#""a\b" "\"\\\$\`" a\ b '\'"#);
        assert_eq!(words.unwrap(), [r"a\b", r#""\$`"#, "a b", r"\"]);
    }

    #[test]
    fn a_line_without_a_profile_asks_for_the_default_one() {
        assert_eq!(helper_profile("evercred credential-process").as_deref(), Some("default"));
    }

    #[test]
    fn variables_and_programs_before_our_line_are_seen_through() {
        for line in [
            "env AWS_PROFILE=dev evercred credential-process",
            "AWS_DEFAULT_PROFILE=x AWS_PROFILE=dev evercred credential-process",
            "AWS_PROFILE=x evercred credential-process dev",
            "AWS_PROFILE=dev sh -c 'evercred credential-process'",
            "bash -lc 'exec evercred credential-process dev'",
            "timeout 30 nice nohup evercred credential-process dev",
            "sh -c 'command evercred credential-process dev'",
        ] {
            assert_eq!(helper_profile(line).as_deref(), Some("dev"), "{line}");
        }
        assert_eq!(helper_profile("AWS_PROFILE= evercred credential-process").as_deref(), Some("default"));
        assert_eq!(helper_profile("timeout evercred credential-process dev"), None);
        assert_eq!(program_of("timeout 30 /bin/tool --now").as_deref(), Some("/bin/tool"));
        assert_eq!(program_of("timeout 30").as_deref(), Some("timeout"));
    }

    #[test]
    fn a_line_that_programs_run_in_different_ways_is_noted() {
        for (command, cut, special) in [
            ("/bin/tool --profile 'my dev'", false, ""),
            ("sh -c 'a ; b | c && d'", true, ""),
            ("sh -c \"cat $HOME/x # y\"", true, "\"$\""),
            ("curl http://x/?a=b&c=d", false, "\"&\""),
            ("~/bin/tool --at ~ --not a~b", false, "\"~\""),
            ("tool (x) <y >z|w", false, "\"(\", \")\", \"<\", \">\", \"|\""),
            ("tool a\\&b '$x' \"\\$y\"", false, ""),
            ("tool 'left open & x", false, ""),
        ] {
            assert_eq!(for_a_shell(command), special, "{command}");
            let notes = notes("a", command);
            assert_eq!(notes.len(), usize::from(cut) + usize::from(!special.is_empty()), "{command}: {notes:?}");
        }
    }

    #[test]
    fn the_profile_that_the_aws_cli_exports_is_known() {
        for (line, profile) in [
            ("aws configure export-credentials --profile dev --format process", Some("dev")),
            ("/usr/local/bin/aws --profile=dev configure export-credentials", Some("dev")),
            ("env AWS_PAGER= aws configure export-credentials", Some("default")),
            ("AWS_PROFILE=dev aws configure export-credentials", Some("dev")),
            ("aws sts get-session-token --profile dev", None),
            ("aws-vault export --format=process dev", None),
            ("aws configure export-credentials --profile", None),
        ] {
            assert_eq!(exported_profile(line).as_deref(), profile, "{line}");
        }
    }

    #[test]
    fn other_programs_are_not_ours() {
        for line in [
            "",
            "aws-vault exec dev",
            "/bin/evercredd credential-process dev",
            "evercred status dev",
            "'evercred",
            "env",
            "A=1",
        ] {
            assert_eq!(helper_profile(line), None, "{line}");
        }
    }
}
