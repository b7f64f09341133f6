//! The promise to who is told that credentials will be lost, or that a code is needed: it is true, and nothing is lost in
//! silence.

use evercred::core::aws_error::ErrorClass;
use evercred::core::keeper::{Notice, ProfileStatus};

use super::MINUTE;
use super::world::{Other, Program, World};

/// What a person was told of a profile.
pub(crate) struct Lost {
    subject: String,
    profile: usize,
    /// When what was held then expires, by AWS's time.
    expires: i64,
    /// When it was told (boot-time clock).
    at: i64,
    is_over: bool,
    /// Whether it has come true, or something happened that nobody could know.
    is_settled: bool,
}

impl World {
    /// What was told is certain when it is told: nothing is lost in a mere outage, and a code is needed.
    pub(crate) fn check_lost(&mut self, Notice { subject, is_over, message, .. }: Notice) {
        if is_over {
            self.lost.iter_mut().filter(|lost| lost.subject == subject).for_each(|lost| lost.is_over = true);
            return;
        }
        let name = message.split('"').nth(1).unwrap_or_default();
        let now = self.machine.now();
        let status = self.keeper.status(now).into_iter().find(|status| status.name == name);
        let status = status.unwrap_or_else(|| panic!("{message}: no such profile\n{}", self.story()));
        let profile: usize = name.strip_prefix("app-").unwrap().parse().unwrap();
        assert!(status.auto_renew && !self.removed[profile], "nobody uses it: {message}\n{}", self.story());
        let expires = status.expires_at.expect("something is held").as_millis();
        let error = status.last_error.as_ref().expect("an error");
        let (class, is_of_now) = (error.class, error.at.as_millis() >= self.so_since);
        let is_mere_outage = !self.aws.answers() && class == ErrorClass::Retryable && is_of_now;
        assert!(!is_mere_outage, "the network is gone, and that is all: {message}\n{}", self.story());
        let is_near = expires - self.machine.truth <= 5 * MINUTE + 30_000;
        assert!(class != ErrorClass::Retryable || is_near, "that may pass: {message}\n{}", self.story());
        let at = self.boot();
        self.lost.push(Lost { subject, profile, expires, at, is_over: false, is_settled: false });
    }

    /// A profile got another set. Where its end was foretold, nothing but what happened since can have saved it.
    pub(crate) fn minted_again(&mut self, profile: usize) {
        let (truth, changed_at) = (self.machine.truth, self.changed_at);
        let mut wrong = None;
        for lost in self.lost.iter_mut().filter(|lost| lost.profile == profile && !lost.is_settled) {
            lost.is_settled = true;
            if truth < lost.expires && changed_at < lost.at {
                wrong = Some(lost.at);
            }
        }
        assert!(wrong.is_none() || self.unconfirmed > 0, "it was renewed all by itself\n{}", self.story());
    }

    /// Something happened that has the keeper try again what it had given up.
    pub(crate) fn changed(&mut self) {
        self.changed_at = self.boot();
    }

    /// Nothing that is in use is refused to its end without a word.
    pub(crate) fn check_silence(&mut self, profile: usize, status: &ProfileStatus) {
        let truth = self.machine.truth;
        let held = status.expires_at.map(|at| at.as_millis()).filter(|at| *at > truth && status.auto_renew);
        let had = std::mem::replace(&mut self.held_until[profile], held);
        let (Some(ended), None, Some(error)) = (had, held, &status.last_error) else { return };
        let was_awake = self.machine.now().boot.as_millis() - self.jumped_at.as_millis() > truth - ended + 30 * MINUTE;
        let by_itself = Program::of(profile).is_none() && Other::of(profile) != Some(Other::Code);
        let refused_before = error.class == ErrorClass::Permanent && error.at.as_millis() < ended - 5_000;
        let since = self.auto_renewed_since[profile].map(|since| self.boot() - since);
        let was_auto_renewed = status.auto_renew && since.is_some_and(|since| since > truth - ended + 30 * MINUTE);
        let must = was_auto_renewed && was_awake && by_itself && refused_before && self.unconfirmed == 0;
        let subjects = ["base".to_owned(), format!("mid-{}", profile / 10), status.name.clone()];
        let was_told = self.lost.iter().any(|lost| subjects.contains(&lost.subject) && !lost.is_over);
        assert!(!must || was_told, "{} was lost and nobody was told: {error:?}\n{}", status.name, self.story());
    }

    /// Once all has been well for long, nobody is asked for anything any more but what only a person starts.
    pub(crate) fn check_all_is_over(&self) {
        let open = |lost: &&Lost| {
            !lost.is_over && Program::of(lost.profile).is_none() && Other::of(lost.profile) != Some(Other::Code)
        };
        let subjects: Vec<&str> = self.lost.iter().filter(open).map(|lost| lost.subject.as_str()).collect();
        assert!(subjects.is_empty(), "{subjects:?} are still open\n{}", self.story());
    }

    /// Nobody is asked for a code whose session is good.
    pub(crate) fn check_code_needed(&self, message: &str) {
        let left = self.session_until - self.machine.truth;
        let is_known_key = self.aws.keys.contains_key(&self.key);
        let is_needed = left <= 15 * MINUTE + 30_000 || !is_known_key || self.unconfirmed > 0;
        assert!(is_needed, "{left} ms are left of the session: {message}\n{}", self.story());
    }
}
