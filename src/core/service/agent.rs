//! The launchd agent, from the file in `launchd/`.

const PLIST: &str = include_str!("../../../launchd/evercred.evercredd.plist");

/// The agent's label.
pub const LABEL: &str = "evercred.evercredd";
/// The file's name in `~/Library/LaunchAgents`.
pub const FILE: &str = "evercred.evercredd.plist";
/// Where the daemon's log goes, from the home folder.
pub const LOG: &str = "Library/Logs/evercredd.log";

/// The file's text: the daemon's path, the log's, and the variables of the agent itself.
///
/// # Errors
/// A sentence: a value can't be written into a property list.
pub fn text(program: &str, log: &str, variables: &[(String, String)]) -> Result<String, String> {
    if let Some(value) = [program, log]
        .into_iter()
        .chain(variables.iter().map(|(_, value)| value.as_str()))
        .find(|value| value.contains(char::is_control))
    {
        return Err(format!("{value:?} has control characters in it: no property list can hold them"));
    }
    let string = |text: &str| format!("<string>{}</string>", escaped(text));
    let mut entries = String::new();
    for (name, value) in variables {
        entries.push_str(&format!("        <key>{}</key>\n        {}\n", escaped(name), string(value)));
    }
    let environment = if entries.is_empty() {
        String::new()
    } else {
        format!("    <key>EnvironmentVariables</key>\n    <dict>\n{entries}    </dict>\n")
    };
    Ok(PLIST
        .replace("<string>/Users/YOU/.cargo/bin/evercredd</string>", &string(program))
        .replace("<string>/Users/YOU/Library/Logs/evercredd.log</string>", &string(log))
        .replace("    <key>RunAtLoad</key>\n", &format!("{environment}    <key>RunAtLoad</key>\n")))
}

/// Whether a text is the one that is shipped, as copied by hand.
pub fn is_shipped(text: &str) -> bool {
    text == PLIST
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_paths_and_variables_are_filled_in_and_escaped() {
        let variables = [("EVERCRED_STATE_DIR".to_owned(), "/s/<x>".to_owned())];
        let text = text("/opt/a & b/evercredd", "/h/Library/Logs/evercredd.log", &variables).unwrap();
        assert!(!text.contains("<string>/Users/YOU"), "{text}");
        for part in [
            "<string>/opt/a &amp; b/evercredd</string>",
            "<string>/h/Library/Logs/evercredd.log</string>",
            "<key>EVERCRED_STATE_DIR</key>\n        <string>/s/&lt;x&gt;</string>",
        ] {
            assert!(text.contains(part), "{text}");
        }
        assert!(super::text("/a\n", "/b", &[]).is_err());
    }

    #[test]
    fn without_variables_there_is_no_empty_dictionary() {
        assert!(!text("/a", "/b", &[]).unwrap().contains("EnvironmentVariables"));
    }
}
