//! Opening a page in the person's browser, where there is one.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use crate::platform::environment::Environment;

/// A launcher that can't do it says so at once; one that is still running then is taken to have done it.
const SOON: Duration = Duration::from_secs(2);

/// What opens pages here.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Browser {
    program: PathBuf,
    arguments: Vec<String>,
}

/// Finds it: what `BROWSER` names, else the system's own launcher, where there is a screen.
pub(super) fn find(environment: &Environment) -> Option<Browser> {
    let set = |name: &str| environment.get(name).filter(|value| !value.is_empty());
    if let Some(named) = set("BROWSER") {
        // A list, as in Python's webbrowser: the first that is there. `%s` is the page.
        return named.split(':').find_map(|command| {
            let mut words = command.split_whitespace().map(str::to_owned);
            let program = environment.program(&words.next()?)?;
            Some(Browser { program, arguments: words.filter(|word| word != "%s").collect() })
        });
    }
    let names: &[&str] = if cfg!(target_os = "macos") {
        if set("SSH_CONNECTION").is_some() { &[] } else { &["/usr/bin/open"] }
    } else if set("WSL_DISTRO_NAME").is_some() {
        &["wslview"]
    } else if set("DISPLAY").or(set("WAYLAND_DISPLAY")).is_some() {
        &["xdg-open", "sensible-browser"]
    } else {
        &[]
    };
    names.iter().find_map(|name| Some(Browser { program: environment.program(name)?, arguments: Vec::new() }))
}

impl Browser {
    /// Opens a page; false where that did not work.
    pub(super) fn open(&self, url: &str) -> bool {
        let mut command = Command::new(&self.program);
        command.args(&self.arguments).arg(url).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let Ok(mut child) = command.spawn() else { return false };
        let (sender, ended) = mpsc::channel();
        std::thread::spawn(move || sender.send(child.wait()));
        match ended.recv_timeout(SOON) {
            Ok(Ok(status)) => status.success(),
            Ok(Err(_)) => false,
            // Some launchers stay for as long as the browser does.
            Err(_) => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(variables: &[(&str, &str)]) -> Option<Browser> {
        find(&variables.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect())
    }

    #[test]
    fn without_a_screen_there_is_no_browser() {
        assert_eq!(found(&[("PATH", "/usr/bin:/bin")]), None);
        assert_eq!(found(&[("PATH", "/nowhere"), ("DISPLAY", ":0")]), None);
    }

    #[test]
    fn the_named_one_comes_first_and_must_be_there() {
        let browser = found(&[("BROWSER", "/nonexistent/x:true --new %s"), ("PATH", "/usr/bin:/bin")]).unwrap();
        assert!(browser.program.ends_with("true") && browser.arguments == ["--new"], "{browser:?}");
        assert!(browser.open("http://127.0.0.1/"));
        assert!(!found(&[("BROWSER", "false"), ("PATH", "/usr/bin:/bin")]).unwrap().open("x"));
        assert_eq!(found(&[("BROWSER", "/nonexistent/x"), ("DISPLAY", ":0"), ("PATH", "/bin")]), None);
    }
}
