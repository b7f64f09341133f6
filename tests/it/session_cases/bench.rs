//! A keeper with sign-in sessions whose disk, portal and token endpoint are in the test's hand.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use chrono::TimeDelta;
use evercred::core::aws_error::{self, Fault};
use evercred::core::clock::{Clock, Sample, Trust};
use evercred::core::credential::{Credentials, Grant};
use evercred::core::keeper::*;
use evercred::core::plan::*;
use evercred::core::secret::Secret;
use evercred::core::session::*;
use evercred::core::time::{AwsTime, BootTime, Now, WallTime};
use serde_json::json;

use crate::fingerprint::Keeper;

pub(crate) const EPOCH: i64 = 1_790_000_000_000;
pub(crate) const SECOND: i64 = 1_000;
pub(crate) const MINUTE: i64 = 60 * SECOND;
pub(crate) const HOUR: i64 = 60 * MINUTE;

/// What AWS says instead of yes.
pub(crate) type No = fn() -> Fault;

/// A keeper with a disk and two services.
pub(crate) struct Bench {
    pub(crate) keeper: Keeper,
    pub(crate) boot: i64,
    pub(crate) wall: i64,
    pub(crate) truth: i64,
    /// The caches of the AWS tools.
    pub(crate) disk: BTreeMap<CacheFile, String>,
    /// Nothing can be written.
    pub(crate) disk_is_full: bool,
    /// Nothing is read.
    pub(crate) disk_is_slow: bool,
    /// What the token endpoint says.
    pub(crate) oidc_says: Option<No>,
    /// What the portal says of a role.
    pub(crate) portal_says: BTreeMap<String, No>,
    /// Access tokens that the portal does not take.
    pub(crate) rejected: BTreeSet<String>,
    /// Whether a refresh brings another refresh token.
    pub(crate) rotates: bool,
    /// Whether a refresh brings the same token again.
    pub(crate) repeats: bool,
    /// How long the tokens of the token endpoint live, where that is not the usual.
    pub(crate) token_life: Option<TimeDelta>,
    /// How long the portal's credentials live.
    pub(crate) role_life: TimeDelta,
    /// Whether AWS's answers have a `Date`, and looks at the time an answer.
    pub(crate) dated: bool,
    /// Orders stay here for as long as the test wants to answer them itself.
    pub(crate) by_hand: bool,
    pub(crate) mints: VecDeque<MintOrder>,
    pub(crate) refreshes: VecDeque<RefreshOrder>,
    pub(crate) sign_ins: VecDeque<SignInOrder>,
    pub(crate) roles: VecDeque<RolesOrder>,
    pub(crate) sign_outs: Vec<SignOutOrder>,
    pub(crate) cancelled: Vec<Ticket>,
    pub(crate) notices: Vec<Notice>,
    pub(crate) answers: BTreeMap<CallerId, Answer>,
    /// What was written down of the tokens that are in no file.
    pub(crate) unsaved: Vec<UnsavedToken>,
    probes: VecDeque<ProbeOrder>,
    looks: VecDeque<CacheFile>,
    calls: Vec<String>,
    count: u64,
}

pub(crate) fn settings() -> KeeperSettings {
    KeeperSettings {
        auto_renew: AutoRenew::Used,
        used_within: TimeDelta::hours(12),
        before: TimeDelta::minutes(20),
        jitter: TimeDelta::minutes(5),
        probe: true,
        ntp: Vec::new(),
        warn: TimeDelta::minutes(1),
        sso_cache: true,
        login_cache: true,
    }
}

impl Bench {
    pub(crate) fn new() -> Self {
        Self::with(settings(), Memory::default(), 0)
    }

    /// With a wall clock that is off by so much.
    pub(crate) fn with(settings: KeeperSettings, memory: Memory, wall_error: i64) -> Self {
        let (boot, wall) = (MINUTE, EPOCH + wall_error);
        let clock = Clock::new(now(boot, wall), false);
        Self {
            keeper: Keeper::new(settings, memory, clock, 1),
            boot,
            wall,
            truth: EPOCH,
            disk: BTreeMap::new(),
            disk_is_full: false,
            disk_is_slow: false,
            oidc_says: None,
            portal_says: BTreeMap::new(),
            rejected: BTreeSet::new(),
            rotates: true,
            repeats: false,
            token_life: None,
            role_life: TimeDelta::hours(1),
            dated: true,
            by_hand: false,
            mints: VecDeque::new(),
            refreshes: VecDeque::new(),
            sign_ins: VecDeque::new(),
            roles: VecDeque::new(),
            sign_outs: Vec::new(),
            cancelled: Vec::new(),
            notices: Vec::new(),
            answers: BTreeMap::new(),
            unsaved: Vec::new(),
            probes: VecDeque::new(),
            looks: VecDeque::new(),
            calls: Vec::new(),
            count: 100,
        }
    }

    /// The next run of the daemon in the same boot, two seconds later.
    pub(crate) fn restarted(mut self) -> Self {
        let (saved, sets) = (self.keeper.clock().save(self.now()).unwrap(), self.keeper.minted());
        self.pass(2 * SECOND);
        let mut clock = Clock::new(self.now(), false);
        clock.restore(saved, self.now());
        self.keeper = Keeper::new(settings(), self.keeper.memory().clone(), clock, 2);
        self.keeper.restore_minted(sets, true);
        self.keeper.restore_unsaved(self.unsaved.clone());
        (self.mints, self.refreshes, self.probes) = Default::default();
        self
    }

    pub(crate) fn now(&self) -> Now {
        now(self.boot, self.wall)
    }

    pub(crate) fn pass(&mut self, millis: i64) {
        self.boot += millis;
        self.wall += millis;
        self.truth += millis;
    }

    pub(crate) fn handle(&mut self, event: Event) {
        self.keeper.handle(event, self.now());
        self.collect();
    }

    /// Takes what was ordered; what is in a file is said at once.
    fn collect(&mut self) {
        loop {
            while let Some(action) = self.keeper.poll_action() {
                match action {
                    Action::Mint(order) => self.mints.push_back(*order),
                    Action::Refresh(order) => self.refreshes.push_back(*order),
                    Action::Probe(order) => self.probes.push_back(order),
                    Action::AskNtp(_) => {}
                    Action::LookAtSession(file) => self.looks.push_back(file),
                    Action::BeginSignIn(order) => self.sign_ins.push_back(*order),
                    Action::CancelSignIn(ticket) => self.cancelled.push(ticket),
                    Action::SignOut(order) => self.sign_outs.push(*order),
                    Action::ListRoles(order) => self.roles.push_back(*order),
                    Action::Notice(notice) => self.notices.push(notice),
                    Action::Answer { caller, answer } => {
                        assert!(self.answers.insert(caller, answer).is_none(), "one answer for each caller");
                    }
                    Action::RunCodeProgram(_) => panic!("nobody has such a program here"),
                    Action::KeepUnsaved => self.unsaved = self.keeper.unsaved(),
                    Action::Remember | Action::KeepMinted | Action::Replan | Action::Log(_) => {}
                }
            }
            let Some(file) = self.looks.pop_front().filter(|_| !self.disk_is_slow) else { return };
            let found = self.found(&file);
            self.keeper.handle(Event::SessionFile { file, found }, self.now());
        }
    }

    pub(crate) fn found(&self, file: &CacheFile) -> Found {
        self.disk.get(file).map_or(Found::Missing, |text| Found::Text(Secret::new(text)))
    }

    /// The watch says what is in a file now.
    pub(crate) fn look(&mut self, file: &CacheFile) {
        let found = self.found(file);
        self.handle(Event::SessionFile { file: file.clone(), found });
    }

    pub(crate) fn plans(&mut self, plans: &[Plan]) {
        self.plans_and(plans, &[]);
    }

    pub(crate) fn plans_and(&mut self, plans: &[Plan], sessions: &[SsoSession]) {
        let profiles = plans.iter().map(|plan| (plan.profile.clone(), Ok(plan.clone()))).collect();
        let named = |session: &SsoSession| Some((session.name.clone()?, session.clone()));
        let sso_sessions = sessions.iter().filter_map(named).collect();
        self.handle(Event::Plans { profiles, sso_sessions });
    }

    /// Another tool writes a token that has so much left by this machine's clock.
    pub(crate) fn write(&mut self, session: &Session, number: u32, life: i64) {
        self.put(session, number, life);
        self.look(&session.cache_file());
    }

    /// The same, and nobody has seen it yet.
    pub(crate) fn put(&mut self, session: &Session, number: u32, life: i64) {
        let text = text_of(session, number, WallTime::from_millis(self.wall + life));
        self.disk.insert(session.cache_file(), text);
    }

    pub(crate) fn delete(&mut self, session: &Session) {
        self.disk.remove(&session.cache_file());
        self.look(&session.cache_file());
    }

    pub(crate) fn caller(&mut self) -> CallerId {
        self.count += 1;
        CallerId(self.count)
    }

    pub(crate) fn ask(&mut self, profile: &str, wants: Wants) -> CallerId {
        let caller = self.caller();
        self.handle(Event::Asked { caller, profile: profile.to_owned(), wants });
        caller
    }

    /// Asks, and lets half a minute pass; what the caller got.
    pub(crate) fn get(&mut self, profile: &str) -> Result<Credentials, Refusal> {
        self.got(profile, Wants::Credentials)
    }

    pub(crate) fn got(&mut self, profile: &str, wants: Wants) -> Result<Credentials, Refusal> {
        let caller = self.ask(profile, wants);
        for _ in 0..350 {
            if let Some(answer) = self.answers.remove(&caller) {
                return match answer {
                    Answer::Credentials(set) => Ok(set),
                    Answer::Refused(refusal) => Err(refusal),
                    other => panic!("{other:?}"),
                };
            }
            self.run(SECOND / 10);
        }
        panic!("nobody answered");
    }

    fn samples(&self) -> Vec<Sample> {
        let date = AwsTime::from_millis(self.truth.div_euclid(SECOND) * SECOND);
        let (sent, received) = (BootTime::from_millis(self.boot - 50), BootTime::from_millis(self.boot));
        let sample = Sample { date, sent, received, trust: Trust::Authenticated };
        self.dated.then_some(sample).into_iter().collect()
    }

    pub(crate) fn end(&mut self, ticket: Ticket, outcome: Outcome) {
        let is_answer = !matches!(&outcome, Outcome::Failed(fault) if fault.code == "Timeout");
        let samples = if is_answer { self.samples() } else { Vec::new() };
        self.handle(Event::Ended { ticket, outcome, samples });
    }

    /// Answers everything that is under way, each after 60 ms.
    pub(crate) fn serve(&mut self) {
        loop {
            assert!(self.calls.len() < 2_000, "a storm: {:?}", &self.calls[..20]);
            if let Some(probe) = self.probes.pop_front() {
                self.pass(60);
                let no = Outcome::Failed(aws_error::fault("a look", None, Some("Timeout"), None));
                self.end(probe.ticket, if self.dated { Outcome::Probed } else { no });
            } else if self.by_hand {
                return;
            } else if let Some(order) = self.mints.pop_front() {
                self.pass(60);
                let outcome = self.mint(&order);
                self.end(order.ticket, outcome);
            } else if let Some(order) = self.refreshes.pop_front() {
                self.pass(60);
                let outcome = self.refresh(&order);
                self.end(order.ticket, outcome);
            } else {
                return;
            }
        }
    }

    /// Lets time pass from wake-up to wake-up.
    pub(crate) fn run(&mut self, millis: i64) {
        let end = self.boot + millis;
        self.serve();
        let mut wakeups = 0;
        while self.boot < end {
            let next = self.keeper.next_timeout().map_or(end, BootTime::as_millis).clamp(self.boot, end);
            self.pass(next - self.boot);
            self.keeper.handle_timeout(self.now());
            self.collect();
            self.serve();
            wakeups += 1;
            assert!(wakeups < 100_000, "a wake-up that is never done");
        }
    }

    /// What was called since this was last asked.
    pub(crate) fn calls(&mut self) -> Vec<String> {
        std::mem::take(&mut self.calls)
    }

    /// One call for one step, as AWS answers it.
    pub(crate) fn mint(&mut self, order: &MintOrder) -> Outcome {
        let (about, token) = match &order.step.source {
            Source::Sso(role) => (role.role_name.clone(), order.token.as_ref().unwrap().expose().to_owned()),
            Source::AssumeRole(role) => (role.role_arn.clone(), order.base.as_ref().unwrap().access_key_id.clone()),
            other => panic!("{other:?}"),
        };
        self.calls.push(format!("{about} with {token}"));
        if self.rejected.contains(&token) {
            return Outcome::Failed(aws_error::fault("a role", Some(401), Some("UnauthorizedException"), None));
        }
        if let Some(no) = self.portal_says.get(&about) {
            return Outcome::Failed(no());
        }
        self.count += 1;
        Outcome::Minted(self.set(&format!("ASIA{}", self.count), self.truth + self.role_life.num_milliseconds()))
    }

    fn set(&self, id: &str, expires: i64) -> Credentials {
        Credentials {
            access_key_id: id.to_owned(),
            secret_access_key: Secret::new(format!("s-{id}")),
            session_token: Some(Secret::new("t")),
            expires_at: Some(AwsTime::from_millis(expires / SECOND * SECOND)),
            account_id: None,
        }
    }

    /// One refresh, from lock to unlock in one moment.
    pub(crate) fn refresh(&mut self, order: &RefreshOrder) -> Outcome {
        let RefreshOrder { session, known, superseded, save, .. } = order;
        let file = session.cache_file();
        let unsaved = self.disk_is_full.then(|| "no space left".to_owned());
        if *save {
            self.calls.push(format!("save {}", refresh_token(known)));
            let text = match before_save(session, known, superseded.as_ref(), &self.found(&file)) {
                Save::Write { text, .. } | Save::Create(text) => text,
                Save::Adopt(token) => return Outcome::Session(SessionEnd::Found(token)),
                Save::SignedOut => return Outcome::Session(SessionEnd::SignedOut),
                Save::Done => return Outcome::Session(SessionEnd::Renewed { token: known.clone(), unsaved: None }),
            };
            if unsaved.is_none() {
                self.disk.insert(file, text.expose().to_owned());
            }
            return Outcome::Session(SessionEnd::Renewed { token: known.clone(), unsaved });
        }
        let found = as_known(session, known, superseded.as_ref(), self.now().wall, self.found(&file));
        match before_refresh(session, known, &found) {
            Before::Call => {}
            Before::Adopt(token) => return Outcome::Session(SessionEnd::Found(token)),
            Before::SignedOut => return Outcome::Session(SessionEnd::SignedOut),
            Before::Unusable(why) => {
                return Outcome::Failed(aws_error::fault("x", None, Some("SsoCacheUnusable"), Some(&why)));
            }
        }
        self.calls.push(format!("refresh {}", refresh_token(known)));
        if let Some(no) = self.oidc_says {
            return Outcome::Failed(no());
        }
        let answer = self.next_token(session);
        let life = answer.expires_in.num_milliseconds();
        let expires = WallTime::from_millis(self.wall + life);
        match after_refresh(session, known, &answer, expires, &found) {
            After::Write { text, token, .. } => {
                if unsaved.is_none() {
                    self.disk.insert(file, text.expose().to_owned());
                }
                Outcome::Session(SessionEnd::Renewed { token, unsaved })
            }
            other => panic!("{other:?}"),
        }
    }

    fn next_token(&mut self, session: &Session) -> TokenAnswer {
        self.count += 1;
        let (grant, minutes) = match session {
            Session::Sso(_) => {
                let text = if self.repeats { "a1".to_owned() } else { format!("a{}", self.count) };
                (Grant::Token(Secret::new(text)), 60)
            }
            Session::Login(_) => {
                let set = Credentials { expires_at: None, ..self.set(&format!("a{}", self.count), 0) };
                (Grant::Keys(set), 15)
            }
        };
        let refresh_token = self.rotates.then(|| Secret::new(format!("r{}", self.count)));
        let expires_in = self.token_life.unwrap_or(TimeDelta::minutes(minutes));
        TokenAnswer { grant, expires_in, refresh_token, id_token: None }
    }

    /// The person has done what the page wanted: the sign-in that was begun last ends well.
    pub(crate) fn signed_in(&mut self, number: u32) {
        let order = self.sign_ins.pop_front().unwrap();
        let text = text_of(&order.session, number, WallTime::from_millis(self.wall + HOUR));
        let token = order.session.read(&text).unwrap();
        let unsaved = self.disk_is_full.then(|| "no space left".to_owned());
        if unsaved.is_none() {
            self.disk.insert(order.session.cache_file(), text);
        }
        self.end(order.ticket, Outcome::Session(SessionEnd::Renewed { token, unsaved }));
    }

    /// Signs in from beginning to end.
    pub(crate) fn log_in(&mut self, name: Option<&str>, number: u32) {
        let Ok(Login::SignIn(session)) = self.keeper.login_for(name) else { panic!("no session") };
        let caller = self.caller();
        self.handle(Event::SignIn { caller, session, flow: Flow::Browser });
        // AWS's time is looked at first.
        self.serve();
        self.signed_in(number);
    }

    pub(crate) fn status(&self, profile: &str) -> ProfileStatus {
        self.keeper.status(self.now()).into_iter().find(|status| status.name == profile).unwrap()
    }

    pub(crate) fn session_status(&self) -> SessionStatus {
        let mut all = self.keeper.session_status(self.now());
        assert_eq!(all.len(), 1);
        all.remove(0)
    }

    pub(crate) fn told(&mut self, id: &str) -> usize {
        self.notices.iter().filter(|notice| notice.id == id && !notice.is_over).count()
    }
}

pub(crate) fn refresh_token(token: &CachedToken) -> &str {
    token.refresh_token().map_or("nothing", Secret::expose)
}

/// The text of a session's file with token `a<number>` and refresh token `r<number>`.
pub(crate) fn text_of(session: &Session, number: u32, expires: WallTime) -> String {
    let expires = expires.to_rfc3339();
    match session {
        Session::Sso(session) => json!({
            "startUrl": session.start_url,
            "region": session.region,
            "accessToken": format!("a{number}"),
            "expiresAt": expires,
            "clientId": "c",
            "clientSecret": "cs",
            "registrationExpiresAt": "2026-12-20T00:00:00Z",
            "refreshToken": session.name.as_ref().map(|_| format!("r{number}")),
        }),
        Session::Login(_) => json!({
            "accessToken": {
                "accessKeyId": format!("a{number}"),
                "secretAccessKey": format!("s-a{number}"),
                "sessionToken": "t",
                "accountId": "111122223333",
                "expiresAt": expires,
            },
            "clientId": "c",
            "refreshToken": format!("r{number}"),
            "dpopKey": "k",
        }),
    }
    .to_string()
}

pub(crate) fn now(boot: i64, wall: i64) -> Now {
    Now { boot: BootTime::from_millis(boot), wall: WallTime::from_millis(wall), suspended: TimeDelta::zero() }
}

pub(crate) fn endpoint(region: &str) -> Endpoint {
    Endpoint { region: region.to_owned(), url: None, fips: false, dual_stack: false, ca_bundle: None }
}

pub(crate) fn sso_session() -> SsoSession {
    SsoSession {
        name: Some("corp".to_owned()),
        start_url: "https://corp.awsapps.com/start".to_owned(),
        region: "eu-west-1".to_owned(),
        scopes: Vec::new(),
        oidc: endpoint("eu-west-1"),
        portal: endpoint("eu-west-1"),
    }
}

pub(crate) fn corp() -> Session {
    Session::Sso(sso_session())
}

pub(crate) fn legacy() -> Session {
    Session::Sso(SsoSession { name: None, ..sso_session() })
}

pub(crate) fn login_session() -> Session {
    Session::Login(LoginSession {
        login_session: "arn:aws:iam::111122223333:user/someone".to_owned(),
        endpoint: endpoint("eu-west-1"),
    })
}

/// A profile whose role is called as it is.
pub(crate) fn sso(session: &Session, profile: &str) -> Plan {
    let Session::Sso(session) = session else { panic!("of another kind") };
    let role = SsoRole {
        session: session.clone().into(),
        account_id: "111122223333".to_owned(),
        role_name: profile.to_owned(),
    };
    plan(profile, vec![Source::SsoToken(session.clone().into()), Source::Sso(role.into())])
}

pub(crate) fn plan(profile: &str, sources: Vec<Source>) -> Plan {
    let step = |source| Arc::new(Step { profile: profile.to_owned(), source });
    Plan {
        profile: profile.to_owned(),
        steps: sources.into_iter().map(step).collect(),
        endpoint: endpoint("eu-west-1").into(),
        region: None,
        renew: None,
        notes: Vec::new(),
    }
}

pub(crate) fn invalid_grant() -> Fault {
    aws_error::fault("refreshing the SSO session \"corp\"", Some(400), Some("InvalidGrantException"), None)
}

pub(crate) fn timeout() -> Fault {
    aws_error::fault("a call", None, Some("Timeout"), None)
}
