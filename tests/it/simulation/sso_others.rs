//! Who else writes the file: people who sign in, and another program that knows no lock.

use std::collections::BTreeMap;

use chrono::TimeDelta;
use evercred::core::keeper::{Outcome, SessionEnd, SignInOrder};
use evercred::core::time::WallTime;

use super::sso_edge::{Edge, SignIn, Task, Tool};
use super::sso_server::{ACCESS_LIFE, Tokens};
use crate::session_cases::bench::{corp, text_of};

impl Edge {
    /// A sign-in by an evercred.
    pub(crate) fn sign_in(&mut self, daemon: usize, order: Box<SignInOrder>, stage: SignIn) {
        let way = self.latency();
        match stage {
            SignIn::AtServer => {
                let tokens = self.signs_in();
                self.later(way, Task::SignIn { daemon, order, stage: SignIn::Write(tokens) });
            }
            // It writes under the lock like a refresh.
            SignIn::Write(_) if self.locked => self.later(50, Task::SignIn { daemon, order, stage }),
            SignIn::Write(tokens) => {
                let text = self.text(&tokens, None);
                let token = order.session.read(&text).unwrap();
                let unsaved = self.disk_is_full.then(|| "no space left".to_owned());
                if unsaved.is_none() {
                    self.put(Some(text));
                }
                self.note(format!("daemon {daemon}: signed in with {:?}", tokens.refresh));
                self.end(daemon, order.ticket, Outcome::Session(SessionEnd::Renewed { token, unsaved }), Vec::new());
            }
        }
    }

    pub(crate) fn signs_in(&mut self) -> Tokens {
        let length = 3_600_000 * (4 + self.random(9));
        let tokens = self.server.sign_in(self.machine.truth, length);
        self.promised = self.server.session_of(tokens.refresh.as_ref().unwrap());
        tokens
    }

    /// The text of a file that somebody on this machine writes.
    pub(crate) fn text(&self, tokens: &Tokens, over: Option<&str>) -> String {
        let expires = WallTime::from_millis(self.machine.now().wall.as_millis() + ACCESS_LIFE);
        let mut document: serde_json::Value = over
            .and_then(|text| serde_json::from_str(text).ok())
            .unwrap_or_else(|| serde_json::from_str(&text_of(&corp(), 1, expires)).unwrap());
        document["accessToken"] = tokens.access.clone().into();
        document["expiresAt"] = expires.to_rfc3339().into();
        document["registrationExpiresAt"] = "2027-01-01T00:00:00Z".into();
        if let Some(refresh) = &tokens.refresh {
            document["refreshToken"] = refresh.clone().into();
        }
        document.to_string()
    }

    /// A program uses the session: where little is left, or where it thinks so, it refreshes by itself.
    pub(crate) fn tool_uses(&mut self, eager: bool) {
        let Some(token) = self.token() else { return };
        let left = token.expires() - self.machine.now().wall;
        if eager || left < TimeDelta::minutes(15) {
            let (way, text) = (self.latency(), self.file.clone().unwrap());
            self.later(way, Task::Tool(Tool::AtServer(text)));
        }
    }

    /// One step of the other program.
    pub(crate) fn tool(&mut self, tool: Tool) {
        let way = self.latency();
        let (delay, next) = match tool {
            Tool::AtServer(read) => {
                if self.refusal().is_some() {
                    return;
                }
                let token = corp().read(&read).unwrap();
                let shown = token.refresh_token().unwrap().expose();
                let tokens = self.server.refresh(shown, self.machine.truth);
                self.note(format!("tool: {shown} at the server: {tokens:?}"));
                let Some(tokens) = tokens else { return };
                (way, Tool::Answered(read, tokens))
            }
            Tool::Answered(read, tokens) => (self.random(3_000), Tool::Truncate(self.text(&tokens, Some(&read)))),
            // What it got is lost, as it is for any program that has nowhere to keep it.
            Tool::Truncate(_) if self.disk_is_full => return,
            Tool::Truncate(text) => {
                (self.file, self.token) = (Some(String::new()), None);
                (1 + self.random(3), Tool::Write(text))
            }
            Tool::Write(text) => {
                let token = corp().read(&text).unwrap();
                let refresh = token.refresh_token().unwrap().expose();
                // Whatever it writes over is in nobody's hand any more: that is its own affair.
                self.promised = self.server.session_of(refresh);
                self.delivered = BTreeMap::from([(refresh.to_owned(), self.boot())]);
                self.note(format!("tool: wrote {refresh}"));
                self.put(Some(text));
                return;
            }
        };
        self.later(delay, Task::Tool(next));
    }

    /// The person signs in with the other program.
    pub(crate) fn tool_signs_in(&mut self) {
        let tokens = self.signs_in();
        let (way, text) = (self.latency(), self.text(&tokens, None));
        self.later(way, Task::Tool(Tool::Truncate(text)));
    }
}
