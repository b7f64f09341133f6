//! macOS's launchd: an agent of the person's own session.

use std::path::PathBuf;

use super::host::Host;
use super::tool::{self, Said};
use crate::companion::failure::{ATTENTION, Failure};
use crate::core::service::agent;
use crate::platform::environment::Environment;
use crate::platform::peer::own_uid;

/// A session that agents can be put into.
pub(super) struct Launchd {
    launchctl: PathBuf,
    environment: Environment,
    domain: String,
}

impl Launchd {
    /// Finds the session, or says what is missing and what to do then.
    pub(super) fn find(host: &Host) -> Result<Self, Failure> {
        let by_hand = "evercredd";
        let Some(launchctl) = tool::find(&host.environment, "launchctl") else {
            return Err(Failure::new(ATTENTION, "there is no launchd here: launchctl is not on PATH").fix(by_hand));
        };
        let domain = format!("gui/{}", own_uid());
        let this = Self { launchctl, environment: host.environment.clone(), domain };
        let said = this.run(&["print", &this.domain]);
        if !said.ok {
            let message = format!("launchd has no session of yours on the screen ({}): {}", this.domain, said.why);
            return Err(Failure::new(ATTENTION, message).fix(by_hand));
        }
        Ok(this)
    }

    /// The agent, as launchctl names it.
    pub(super) fn target(&self) -> String {
        format!("{}/{}", self.domain, agent::LABEL)
    }

    fn run(&self, arguments: &[&str]) -> Said {
        tool::run(&self.launchctl, arguments, &self.environment)
    }

    fn call(&self, arguments: &[&str]) -> Result<(), String> {
        let said = self.run(arguments);
        if said.ok { Ok(()) } else { Err(format!("launchctl {}: {}", arguments.join(" "), said.why)) }
    }

    /// What the agent would have in its environment.
    pub(super) fn variable(&self, name: &str) -> Option<String> {
        // launchd's own, where nobody has set another with `launchctl setenv`.
        const PATH: &str = "/usr/bin:/bin:/usr/sbin:/sbin";
        let said = self.run(&["getenv", name]);
        let value = said.out.trim_end_matches('\n');
        match value {
            "" if name == "PATH" => Some(PATH.to_owned()),
            "" => None,
            value => Some(value.to_owned()),
        }
    }

    /// The daemon's process id, where the agent runs; `None` where it is not loaded.
    pub(super) fn loaded(&self) -> Option<Option<u32>> {
        let said = self.run(&["print", &self.target()]);
        let pid = said.out.lines().find_map(|line| line.trim().strip_prefix("pid = ")?.parse().ok());
        said.ok.then_some(pid)
    }

    /// Loads the agent, which starts it; anew, where it was loaded.
    pub(super) fn start(&self, file: &str) -> Result<(), String> {
        self.stop()?;
        // Somebody may have turned it off for good.
        self.call(&["enable", &self.target()])?;
        self.call(&["bootstrap", &self.domain, file])
    }

    /// What became of a daemon that has ended with an error, in its own words where it wrote any.
    pub(super) fn has_failed(&self, host: &Host) -> Option<String> {
        let said = self.run(&["print", &self.target()]);
        let field = |name: &str| said.out.lines().find_map(|line| line.trim().strip_prefix(name));
        // The code may have its meaning behind it; before the first end there are words.
        let code = field("last exit code = ").and_then(|code| code.split(':').next()?.parse::<i32>().ok());
        let ended = match (code.filter(|code| *code != 0), field("last terminating signal = ")) {
            (Some(code), _) => format!("it ended with {code}"),
            (None, Some(signal)) => format!("it was ended by a signal, {signal}"),
            (None, None) => return None,
        };
        if field("pid = ").is_some() {
            return None;
        }
        let log = std::fs::read(host.home.join(agent::LOG)).unwrap_or_default();
        let log = String::from_utf8_lossy(&log);
        let last = log.lines().rfind(|line| line.starts_with("evercredd: ")).map(|line| format!(" ({line})"));
        Some(ended + &last.unwrap_or_default())
    }

    /// Unloads the agent; one that is not loaded is fine.
    pub(super) fn stop(&self) -> Result<(), String> {
        if self.loaded().is_none() {
            return Ok(());
        }
        let told = self.call(&["bootout", &self.target()]);
        // It returns while the agent is still ending, and until then nothing can be loaded in its place.
        for _ in 0..100 {
            if self.loaded().is_none() {
                return Ok(());
            }
            #[expect(clippy::disallowed_methods, reason = "launchd announces no end")]
            std::thread::sleep(std::time::Duration::from_millis(100));
        }
        told.and(Err(format!("launchctl bootout {}: it had not ended after 10 s", self.target())))
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use super::super::manager::Kind;
    use super::super::{install, uninstall};
    use super::*;
    use crate::wire;

    /// launchctl as far as we call it: notes every call, and remembers whether the agent is loaded.
    const LAUNCHCTL: &str = r#"#!/bin/sh
echo "$@" >> "$HOME/calls"
case "$1 $2" in
  "print gui/"*/*)
    [ -e "$HOME/loaded" ] || { echo "Could not find service" >&2; exit 113; }
    [ -e "$HOME/ends" ] && { echo "	state = spawn scheduled"; echo "	last exit code = 7"; exit 0; }
    printf '\tstate = running\n\tpid = 4711\n\tlast exit code = (never exited)\n' ;;
  "print gui/"*) [ ! -e "$HOME/no-session" ] || { echo "Could not find domain for port" >&2; exit 113; } ;;
  "bootstrap gui/"*)
    [ ! -e "$HOME/loaded" ] || { echo "Bootstrap failed: 37: Operation already in progress" >&2; exit 37; }
    [ ! -e "$HOME/refuses" ] || ! grep -q "$(cat "$HOME/refuses")" "$3" || { echo "Bootstrap failed: 5: Input/output error" >&2; exit 5; }
    touch "$HOME/loaded" ;;
  "bootout gui/"*) rm "$HOME/loaded" ;;
esac
"#;

    fn home_of(socket: &Path) -> &Path {
        socket.parent().and_then(Path::parent).unwrap()
    }

    struct Mac {
        home: tempfile::TempDir,
        host: Host,
    }

    impl Mac {
        /// A home with programs, and a daemon that answers once it is loaded.
        fn new() -> Self {
            let home = tempfile::tempdir().unwrap();
            let folder = |name: &str, mode: u32| {
                let path = home.path().join(name);
                std::fs::create_dir(&path).unwrap();
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(mode)).unwrap();
                path
            };
            let (bin, run) = (folder("bin", 0o755), folder("run", 0o700));
            for (name, text) in [("launchctl", LAUNCHCTL), ("evercred", ""), ("evercredd", "")] {
                let path = bin.join(name);
                super::super::changes::Changes::default().write(&path, text.as_bytes(), 0o755, None).unwrap();
            }
            let (socket, loaded) = (run.join("evercred.sock"), home.path().join("loaded"));
            // It takes launchd and the daemon a while from the loading of the agent to the socket.
            std::thread::spawn(move || {
                while !loaded.exists() {
                    if !home_of(&socket).exists() {
                        return;
                    }
                    std::thread::yield_now();
                }
                #[expect(clippy::disallowed_methods, reason = "the daemon takes its time")]
                std::thread::sleep(std::time::Duration::from_millis(300));
                let listener = UnixListener::bind(&socket).unwrap();
                for stream in listener.incoming() {
                    let mut stream = stream.unwrap();
                    wire::read_message(&mut stream).unwrap();
                    let status = serde_json::json!({
                        "schema": "evercred.status/1",
                        "daemon": {"version": "0", "pid": 4711, "started_at": "2026-11-24T12:00:00Z"},
                        "clock": {"state": "ok"}, "profiles": [], "problems": [],
                    });
                    wire::write_message(&mut stream, &wire::answer_ok(&status)).unwrap();
                }
            });
            let text = |path: &Path| path.display().to_string();
            let pairs = [
                ("HOME", text(home.path())),
                ("PATH", format!("{}:/usr/bin:/bin", text(&bin))),
                ("EVERCRED_RUNTIME_DIR", text(&run)),
                ("AWS_CA_BUNDLE", "/etc/ssl/ca.pem".to_owned()),
            ];
            let environment = pairs.map(|(name, value)| (name.to_owned(), value)).into_iter().collect();
            let host = Host::look(&environment).unwrap();
            Self { home, host }
        }

        fn stage(&self, name: &str, text: &str) {
            let mut changes = super::super::changes::Changes::default();
            changes.write(&self.home.path().join(name), text.as_bytes(), 0o644, None).unwrap();
        }

        fn calls(&self) -> Vec<String> {
            let path = self.home.path().join("calls");
            let calls = std::fs::read_to_string(&path).unwrap_or_default();
            let _ = std::fs::remove_file(path);
            let calls = calls.lines().map(|line| line.replace(&format!("gui/{}", own_uid()), "gui/UID"));
            calls.filter(|call| !call.starts_with("getenv")).collect()
        }

        fn agent(&self) -> PathBuf {
            self.home.path().join("Library/LaunchAgents/evercred.evercredd.plist")
        }
    }

    #[test]
    fn the_agent_is_loaded_into_the_session_and_out_of_it() {
        let mac = Mac::new();
        install::install(&mac.host, Kind::Launchd, false, &[]).unwrap();
        let agent = mac.agent().display().to_string();
        let target = "gui/UID/evercred.evercredd";
        let mut calls = mac.calls();
        calls.retain(|call| *call != format!("print {target}"));
        assert_eq!(
            calls,
            ["print gui/UID".to_owned(), format!("enable {target}"), format!("bootstrap gui/UID {agent}")]
        );
        let text = std::fs::read_to_string(mac.agent()).unwrap();
        let program = mac.home.path().join("bin/evercredd").display().to_string();
        assert!(text.contains(&format!("<string>{program}</string>")), "{text}");
        assert!(text.contains("<key>EVERCRED_RUNTIME_DIR</key>"), "{text}");
        let settings = mac.home.path().join(".config/evercred/evercred.toml");
        assert!(std::fs::read_to_string(&settings).unwrap().contains("AWS_CA_BUNDLE = \"/etc/ssl/ca.pem\"\n"));

        // An upgrade: out and in again.
        install::install(&mac.host, Kind::Launchd, false, &[]).unwrap();
        let calls = mac.calls();
        let at = |call: &str| calls.iter().position(|made| made.starts_with(call)).unwrap();
        assert!(at("bootout") < at("bootstrap"), "{calls:?}");

        mac.stage("Library/Logs/evercredd.log", "what it said");
        uninstall::uninstall(&mac.host, Kind::Launchd, true).unwrap();
        assert!(mac.calls().contains(&format!("bootout {target}")));
        assert!(!mac.agent().exists() && !settings.exists() && !mac.home.path().join("Library").exists());
    }

    #[test]
    fn without_a_session_on_the_screen_nothing_is_begun() {
        let mac = Mac::new();
        mac.stage("no-session", "");
        let failure = install::install(&mac.host, Kind::Launchd, false, &[]).unwrap_err();
        assert!(failure.message.contains("no session of yours on the screen") && failure.fix.is_some(), "{failure:?}");
        assert!(!mac.home.path().join("Library").exists());
    }

    #[test]
    fn an_agent_that_is_refused_leaves_nothing() {
        let mac = Mac::new();
        mac.stage("refuses", "evercredd");
        let failure = install::install(&mac.host, Kind::Launchd, false, &[]).unwrap_err();
        assert!(
            failure.message.contains("Input/output error") && failure.message.contains("were undone"),
            "{failure:?}"
        );
        assert!(!mac.home.path().join("Library").exists() && !mac.home.path().join(".config").exists());
    }

    #[test]
    fn an_upgrade_that_is_refused_puts_the_old_agent_back_into_the_session() {
        let mut mac = Mac::new();
        install::install(&mac.host, Kind::Launchd, false, &[]).unwrap();
        let before = std::fs::read_to_string(mac.agent()).unwrap();
        let more = [("SSL_CERT_FILE".to_owned(), "/new".to_owned())].into();
        mac.host.environment = mac.host.environment.overlay(&more);
        mac.stage("refuses", "SSL_CERT_FILE");
        let failure = install::install(&mac.host, Kind::Launchd, false, &[]).unwrap_err();
        assert!(failure.message.contains("were undone"), "{failure:?}");
        assert_eq!(std::fs::read_to_string(mac.agent()).unwrap(), before);
        assert!(mac.home.path().join("loaded").exists());
    }

    #[test]
    fn a_daemon_that_ends_at_once_is_not_waited_for_and_is_quoted() {
        let mac = Mac::new();
        mac.stage("ends", "");
        std::fs::create_dir_all(mac.home.path().join("Library/Logs")).unwrap();
        mac.stage("Library/Logs/evercredd.log", "INFO something\nevercredd: the disk is full\n");
        // Somebody holds its socket's place, so that nothing answers there.
        std::fs::create_dir(mac.home.path().join("run/evercred.sock")).unwrap();
        let failure = install::install(&mac.host, Kind::Launchd, false, &[]).unwrap_err();
        assert!(failure.message.contains("it ended with 7 (evercredd: the disk is full)"), "{failure:?}");
        assert!(!mac.agent().exists() && !mac.home.path().join("loaded").exists());
    }
}
