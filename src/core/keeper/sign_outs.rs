//! Sign-outs. A signed-out token may stay in its cache file, and does not count there.

use super::Keeper;
use super::api::{Action, Answer, CallerId, Outcome, Refusal, RefusalKind};
use super::session_api::{SignOutEnd, SignOutOrder};
use super::session_state::View;
use super::{Flight, Work};
use crate::core::plan::NodeKey;
use crate::core::session::CachedToken;
use crate::core::time::Now;

impl Keeper {
    /// Ends a session because a person says so.
    pub(super) fn sign_out(&mut self, caller: CallerId, key: &NodeKey, now: Now) {
        let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut()) else { return };
        state.leaving = true;
        let (session, token) = (state.session.clone(), state.token.clone());
        self.drop_restored_token(&session.cache_file());
        self.give_up_sign_in(key, now);
        self.forget_session(key);
        let ticket = self.ticket();
        let endpoint = session.endpoint().clone();
        self.flights.insert(ticket, Flight { endpoint, work: Work::SignOut { caller, key: key.clone() } });
        self.actions.push_back(Action::SignOut(Box::new(SignOutOrder { ticket, session, token })));
    }

    /// A sign-out has ended. What the file shows then counts again.
    pub(super) fn signed_out(&mut self, caller: CallerId, key: &NodeKey, outcome: Outcome) {
        let name = self.shown_session_name(key).unwrap_or_default();
        if let Outcome::SignedOut(end) = &outcome {
            self.note_signed_out(key, end.left.clone());
        }
        if let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut()) {
            state.leaving = false;
            let file = state.session.cache_file();
            self.actions.push_back(Action::LookAtSession(file));
        }
        let answer = match outcome {
            Outcome::Failed(fault) => {
                Answer::Refused(Refusal { kind: RefusalKind::Failed, ..Refusal::of_fault(fault) })
            }
            Outcome::SignedOut(end) => Answer::SignedOut { name, end },
            _ => Answer::SignedOut { name, end: SignOutEnd::default() },
        };
        self.answer_with(caller, answer);
    }

    /// Whether a sign-out could not remove the cache file, and the file still has that token.
    pub(super) fn has_signed_out_of(&self, key: &NodeKey, token: &CachedToken) -> bool {
        self.digest_of_signed_out(key).is_some_and(|digest| *digest == token.digest())
    }

    /// Whether a newer sign-in, which is not yet written, replaces the signed-out token in the file.
    pub(super) fn outranks_signed_out(&mut self, key: &NodeKey, token: &CachedToken) -> bool {
        let state = self.nodes.get_mut(key).and_then(|node| node.session.as_mut());
        let Some(state) = state.filter(|state| state.unsaved.is_some()) else { return false };
        (state.superseded, state.view) = (Some(token.clone()), View::Present);
        true
    }

    /// The digest of the signed-out token, while it is in the cache file.
    pub(super) fn digest_of_signed_out(&self, key: &NodeKey) -> Option<&String> {
        let name = self.nodes.get(key)?.session.as_ref()?.session.label();
        self.memory.sessions.get(name)?.signed_out.as_ref()
    }

    /// Remembers, also over restarts, a signed-out token that is still in the cache file.
    pub(super) fn note_signed_out(&mut self, key: &NodeKey, token: Option<CachedToken>) {
        let Some(name) = self.session_name(key) else { return };
        let digest = token.as_ref().map(CachedToken::digest);
        if let Some(state) = self.nodes.get_mut(key).and_then(|node| node.session.as_mut()) {
            state.signed_out = token;
        }
        if self.digest_of_signed_out(key) != digest.as_ref() {
            self.memory.sessions.entry(name).or_default().signed_out = digest;
            self.actions.push_back(Action::Remember);
        }
    }
}
