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
        let by_hand = "run evercredd yourself";
        let Some(launchctl) = tool::find(&host.environment, "launchctl") else {
            return Err(Failure::new(ATTENTION, "there is no launchd here: launchctl is not on PATH").fix(by_hand));
        };
        let domain = format!("gui/{}", own_uid());
        let this = Self { launchctl, environment: host.environment.clone(), domain };
        let said = this.run(&["print", &this.domain]);
        if !said.ok {
            let message = format!("launchd has no session of yours on the screen ({}): {}", this.domain, said.why);
            return Err(
                Failure::new(ATTENTION, message).fix(format!("log in at the screen, and run it there; or {by_hand}"))
            );
        }
        Ok(this)
    }

    fn target(&self) -> String {
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

    /// Starts the agent that is loaded anew.
    pub(super) fn restart(&self) -> Result<(), String> {
        self.call(&["kickstart", "-k", &self.target()])
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
