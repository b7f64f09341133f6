//! Settings and unsettings of variables, in the language of each shell. What is quoted here comes from files and servers.

use std::str::FromStr;

/// A language that variables are written in.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Shell {
    /// `sh`, `bash` and `zsh`: `export NAME='value'`.
    #[default]
    Posix,
    Fish,
    Pwsh,
    Json,
    Dotenv,
}

impl FromStr for Shell {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text {
            "sh" | "bash" | "zsh" => Ok(Self::Posix),
            "fish" => Ok(Self::Fish),
            "powershell" | "pwsh" => Ok(Self::Pwsh),
            "json" => Ok(Self::Json),
            "dotenv" => Ok(Self::Dotenv),
            other => Err(format!("unknown shell \"{other}\": use sh, bash, zsh, fish, powershell, json or dotenv")),
        }
    }
}

impl Shell {
    /// The text that sets and unsets.
    pub(super) fn render(self, set: &[(String, String)], unset: &[String]) -> String {
        if self == Self::Json {
            let set: serde_json::Map<String, serde_json::Value> =
                set.iter().map(|(name, value)| (name.clone(), value.clone().into())).collect();
            return format!("{:#}\n", serde_json::json!({"set": set, "unset": unset}));
        }
        let mut text = String::new();
        // The environment may hold any name; what is no identifier is no variable of a shell, and might be its code.
        for name in unset.iter().filter(|name| is_identifier(name)) {
            match self {
                Self::Posix => text.push_str(&format!("unset {name};\n")),
                Self::Fish => text.push_str(&format!("set -e {name};\n")),
                Self::Pwsh => {
                    text.push_str(&format!("Remove-Item Env:\\{name} -ErrorAction SilentlyContinue;\n"));
                }
                Self::Json | Self::Dotenv => {}
            }
        }
        for (name, value) in set {
            text.push_str(&match self {
                Self::Posix => format!("export {name}='{}';\n", value.replace('\'', r"'\''")),
                Self::Fish => format!("set -gx {name} '{}';\n", value.replace('\\', r"\\").replace('\'', r"\'")),
                Self::Pwsh => format!("$Env:{name} = '{}';\n", quote_for_powershell(value)),
                Self::Json | Self::Dotenv => format!("{name}={}\n", quote_for_dotenv(value)),
            });
        }
        text
    }
}

fn is_identifier(name: &str) -> bool {
    let letter = |byte: u8| byte.is_ascii_alphabetic() || byte == b'_';
    name.bytes().next().is_some_and(letter) && name.bytes().all(|byte| letter(byte) || byte.is_ascii_digit())
}

/// PowerShell takes typographic quotes for quotes too; each is doubled.
fn quote_for_powershell(value: &str) -> String {
    let mut text = String::new();
    for c in value.chars() {
        text.push(c);
        if matches!(c, '\'' | '\u{2018}' | '\u{2019}' | '\u{201a}' | '\u{201b}') {
            text.push(c);
        }
    }
    text
}

/// Plain where nothing could be misread, else in double quotes with the escapes that all dotenv readers know.
fn quote_for_dotenv(value: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "_-+/=.:@%,".contains(c);
    if value.chars().all(plain) {
        return value.to_owned();
    }
    let mut escaped = String::new();
    for c in value.chars() {
        match c {
            '\\' | '"' | '$' | '`' => escaped.extend(['\\', c]),
            '\n' => escaped.push_str(r"\n"),
            '\r' => escaped.push_str(r"\r"),
            _ => escaped.push(c),
        }
    }
    format!("\"{escaped}\"")
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    use super::*;

    const HOSTILE: &str = "a'b\"c $(touch x) `id` \\ \n;& é ~ !";

    /// What a shell makes of the text: the value of EVIL, and whether GONE is unset. `None` where there is no such shell.
    fn read_back(shell: &str, text: &str, ask: &str) -> Option<String> {
        let output = Command::new(shell).args(["-c", &format!("{text}{ask}")]).env("GONE", "still here").output();
        match output {
            Ok(output) => Some(String::from_utf8(output.stdout).unwrap()),
            Err(error) if error.kind() == std::io::ErrorKind::NotFound && shell != "sh" => None,
            Err(error) => panic!("{shell}: {error}"),
        }
    }

    #[test]
    fn every_shell_that_is_here_reads_back_what_was_written() {
        let set = [("EVIL".to_owned(), HOSTILE.to_owned())];
        let unset = ["GONE".to_owned(), "AWSUME_$(echo ran)".to_owned(), "X;echo ran".to_owned()];
        let posix = "printf %s \"$EVIL\"; printf %s \"${GONE-unset}\"";
        let fish = "printf %s $EVIL; set -q GONE; or printf unset";
        for (name, shell, ask) in [
            ("sh", Shell::Posix, posix),
            ("bash", Shell::Posix, posix),
            ("zsh", Shell::Posix, posix),
            ("fish", Shell::Fish, fish),
        ] {
            if let Some(said) = read_back(name, &shell.render(&set, &unset), ask) {
                assert_eq!(said, format!("{HOSTILE}unset"), "{name}");
            }
        }
    }

    #[test]
    fn every_other_language_quotes_what_it_must() {
        let set = [("A".to_owned(), "it's \\ here".to_owned())];
        assert_eq!(Shell::Fish.render(&set, &["B".into()]), "set -e B;\nset -gx A 'it\\'s \\\\ here';\n");
        assert!(Shell::Pwsh.render(&set, &[]).contains("$Env:A = 'it''s \\ here';"));
        assert_eq!(Shell::Dotenv.render(&set, &[]), "A=\"it's \\\\ here\"\n");
        let hostile = [("A".to_owned(), "$x `y`\r\n".to_owned())];
        assert_eq!(Shell::Dotenv.render(&hostile, &[]), "A=\"\\$x \\`y\\`\\r\\n\"\n");
        let json: serde_json::Value = serde_json::from_str(&Shell::Json.render(&set, &["B".into()])).unwrap();
        assert_eq!(json, serde_json::json!({"set": {"A": "it's \\ here"}, "unset": ["B"]}));
    }

    #[test]
    fn shells_are_known_by_their_names() {
        assert_eq!("zsh".parse(), Ok(Shell::Posix));
        assert!("tcsh".parse::<Shell>().unwrap_err().contains("tcsh"));
    }
}
