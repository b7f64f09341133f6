//! The effects of a keeper in stable words.
//!
//! The words here do not follow the names of types and fields in the code. Every struct is taken apart field by field, so that a
//! new field is an error of the compiler until its meaning is written here.

use std::collections::BTreeMap;
use std::fmt::Write;

use chrono::TimeDelta;
use evercred::core::aws_error::ErrorClass;
use evercred::core::credential::Credentials;
use evercred::core::glob::Selection;
use evercred::core::keeper::*;
use evercred::core::plan::{Endpoint, Source, Step};
use evercred::core::secret::Secret;
use evercred::core::session::{CacheFile, CacheFolder, CachedToken, Session, SsoSession};
use evercred::core::time::{AwsTime, Now};

/// One effect: what is done, and the sentences that come with it.
pub(super) struct Effect {
    pub(super) acts: String,
    pub(super) words: String,
}

impl Effect {
    pub(super) fn act(acts: impl Into<String>) -> Self {
        Self { acts: acts.into(), words: String::new() }
    }

    fn with(acts: impl Into<String>, words: impl Into<String>) -> Self {
        Self { acts: acts.into(), words: words.into() }
    }
}

/// Describes actions. Tickets count from the first one that comes out: their numbers mean nothing.
#[derive(Default)]
pub(super) struct Words {
    tickets: BTreeMap<Ticket, usize>,
}

impl Words {
    fn ticket(&mut self, ticket: Ticket) -> usize {
        let next = self.tickets.len() + 1;
        *self.tickets.entry(ticket).or_insert(next)
    }

    pub(super) fn action(&mut self, action: &Action) -> Effect {
        match action {
            Action::Mint(order) => Effect::act(self.call(order)),
            Action::RunCodeProgram(CodeOrder { ticket, profile, command }) => {
                Effect::act(format!("code program {}: {command:?} for {profile}", self.ticket(*ticket)))
            }
            Action::LookAtSession(file) => Effect::act(format!("reads {}", cache_file(file))),
            Action::Refresh(order) => self.refresh(order),
            Action::BeginSignIn(order) => {
                let SignInOrder { ticket, session: to, flow, aws_minus_boot } = &**order;
                let flow = match flow {
                    Flow::Browser => "browser",
                    Flow::DeviceCode => "device code",
                };
                let (number, offset) = (self.ticket(*ticket), millis(*aws_minus_boot));
                Effect::act(format!("sign-in {number}: {flow}, {}, offset {offset}", session(to)))
            }
            Action::CancelSignIn(ticket) => Effect::act(format!("cancels sign-in {}", self.ticket(*ticket))),
            Action::SignOut(order) => {
                let SignOutOrder { ticket, session: from, token } = &**order;
                let (number, token) = (self.ticket(*ticket), or_none(token.as_ref(), cached_token));
                Effect::act(format!("sign-out {number}: {}, token {token}", session(from)))
            }
            Action::ListRoles(order) => {
                let RolesOrder { ticket, session, token } = &**order;
                let number = self.ticket(*ticket);
                Effect::act(format!("lists roles {number}: {}, token {}", sso_session(session), token.expose()))
            }
            Action::Notice(Notice { id, subject, worse, is_over, message, fix }) => {
                let state = if *is_over { "clears" } else { "raises" };
                Effect::with(
                    format!("{state} notice {id} of {subject:?}, worse {worse}"),
                    sentence(message, fix.as_ref()),
                )
            }
            Action::Probe(ProbeOrder { ticket, endpoint: of }) => {
                Effect::act(format!("probe {}: {}", self.ticket(*ticket), endpoint(of)))
            }
            Action::AskNtp(NtpOrder { server, about }) => {
                Effect::act(format!("asks NTP {server}, about {}", at(*about)))
            }
            Action::Answer { caller: CallerId(caller), answer } => {
                let Effect { acts, words } = self.answer(answer);
                Effect::with(format!("answers {caller}: {acts}"), words)
            }
            Action::Remember => Effect::act("saves memory"),
            Action::Replan => Effect::act("makes plans"),
            Action::KeepMinted => Effect::act("saves credentials"),
            Action::KeepUnsaved => Effect::act("saves unsaved tokens"),
            Action::Log(LogLine { level, profile, message }) => {
                let level = match level {
                    LogLevel::Warn => "warn",
                    LogLevel::Info => "info",
                    LogLevel::Debug => "debug",
                };
                Effect::with("logs", format!("{level} {}: {message}", profile.as_deref().unwrap_or("-")))
            }
        }
    }

    fn call(&mut self, order: &MintOrder) -> String {
        let MintOrder {
            ticket,
            step: Step { profile, source: of },
            endpoint: to,
            base,
            mfa_code,
            token,
            aws_minus_boot,
        } = order;
        format!(
            "call {}: {} for {profile}, {}, signed {}, code {}, token {}, offset {}",
            self.ticket(*ticket),
            source(of),
            endpoint(to),
            or_none(base.as_ref(), credentials),
            secret(mfa_code.as_ref()),
            secret(token.as_ref()),
            millis(*aws_minus_boot),
        )
    }

    pub(super) fn refresh(&mut self, order: &RefreshOrder) -> Effect {
        let RefreshOrder { ticket, session: of, known, superseded, save, is_needed, aws_minus_boot } = order;
        Effect::act(format!(
            "{} {}: {}, token {}, before it {}, needed {is_needed}, offset {}",
            if *save { "saves token" } else { "refresh" },
            self.ticket(*ticket),
            session(of),
            cached_token(known),
            or_none(superseded.as_ref(), cached_token),
            millis(*aws_minus_boot),
        ))
    }

    fn answer(&mut self, answer: &Answer) -> Effect {
        match answer {
            Answer::Credentials(set) => Effect::act(credentials(set)),
            Answer::Refused(Refusal { kind, code, message, fix, see }) => {
                let kind = match kind {
                    RefusalKind::MissingProfile => "missing profile",
                    RefusalKind::UnreadableFile => "unreadable file",
                    RefusalKind::NeedsLogin => "needs login",
                    RefusalKind::Failed => "failed",
                };
                let code = code.as_deref().unwrap_or("-");
                let see = see.as_ref().map_or(String::new(), |see| format!(" see {see}"));
                Effect::with(format!("refused, {kind}, code {code}"), sentence(message, fix.as_ref()) + &see)
            }
            Answer::SignIn { sign_in, session, prompt } => {
                let Prompt { url, user_code, url_with_code, expires_in, pastes_code, warning } = prompt;
                let acts = format!(
                    "sign-in {} to {session}: {url}, code {}, with code {}, for {}, pastes {pastes_code}",
                    self.ticket(*sign_in),
                    text(user_code.as_ref()),
                    text(url_with_code.as_ref()),
                    millis(*expires_in),
                );
                Effect::with(acts, text(warning.as_ref()))
            }
            Answer::NotYet { warning } => Effect::with("not yet", text(warning.as_ref())),
            Answer::SignedIn { session, ends_at, profiles, unsaved, fix: _ } => Effect::with(
                format!("signed in to {session} until {}, {profiles} profiles", or_none(ends_at.as_ref(), at_of)),
                text(unsaved.as_ref()),
            ),
            Answer::SignedOut { name, end } => {
                let SignOutEnd { not_told, not_removed, fix: _, left, works_until } = end;
                let until = works_until.map_or("-".to_owned(), |until| until.as_millis().to_string());
                let left = or_none(left.as_ref(), cached_token);
                Effect::with(
                    format!("signed out of {name}, left {left}, works until {until}"),
                    format!("{} {}", text(not_told.as_ref()), text(not_removed.as_ref())),
                )
            }
            Answer::Roles { session, accounts } => {
                let mut acts = format!("roles of {}", sso_session(session));
                for Account { id, name, roles } in accounts {
                    write!(acts, "; {id} {name:?} {roles:?}").unwrap();
                }
                Effect::act(acts)
            }
        }
    }
}

/// The content of the file that an action writes.
pub(super) fn files_of(action: &Action, keeper: &Keeper) -> Vec<Effect> {
    match action {
        Action::Remember => vec![memory(keeper)],
        Action::KeepMinted => keeper.minted().iter().map(minted).collect(),
        Action::KeepUnsaved => keeper.unsaved().iter().map(unsaved).collect(),
        _ => Vec::new(),
    }
}

fn memory(keeper: &Keeper) -> Effect {
    let Memory { last_asked, sessions, temporary_processes } = keeper.memory();
    let mut acts = "memory".to_owned();
    for (profile, asked) in last_asked {
        write!(acts, "; {profile} asked {}", at(*asked)).unwrap();
    }
    for (name, SessionMemory { signed_in_at, length_ms, length_before_ms, signed_out }) in sessions {
        let (signed_in_at, length) = (or_none(signed_in_at.as_ref(), at_of), length_ms.unwrap_or(-1));
        let signed_out = text(signed_out.as_ref());
        write!(acts, "; session {name} since {signed_in_at}, length {length}, signed out {signed_out}").unwrap();
        if let Some(before) = length_before_ms {
            write!(acts, ", before {before}").unwrap();
        }
    }
    for key in temporary_processes {
        write!(acts, "; temporary {}", key.as_str()).unwrap();
    }
    Effect::act(acts)
}

fn minted(MintedSet { key, credentials: set, minted_at }: &MintedSet) -> Effect {
    Effect::act(format!("saved {}: {} since {}", key.as_str(), credentials(set), at(*minted_at)))
}

fn unsaved(UnsavedToken { file, token, superseded }: &UnsavedToken) -> Effect {
    Effect::act(format!("unsaved {}: {} over {}", cache_file(file), token.expose(), secret(superseded.as_ref())))
}

/// Everything that a keeper shows besides its profiles: what is saved, sessions, the clock.
pub(super) fn state(keeper: &Keeper, now: Now) -> Vec<Effect> {
    let clock = keeper.clock();
    let interval = clock.aws_now(now);
    let (error, uncertainty) = clock.wall_error(now);
    let estimate = format!(
        "clock {} to {}, best {}, wall error {} within {}, known {}, suspect {}",
        at(interval.earliest),
        at(interval.latest),
        at(clock.best(now)),
        millis(error),
        millis(uncertainty),
        clock.is_known(),
        clock.is_suspect(),
    );
    let mut effects = vec![
        Effect::with(estimate, format!("{} {}", keeper.summary(now), keeper.probe_error().unwrap_or("-"))),
        memory(keeper),
    ];
    effects.extend(keeper.clock_warning(now).as_ref().map(warning));
    effects.extend(keeper.profile_warnings(Selection::ALL, now).iter().map(warning));
    effects.extend(keeper.minted().iter().map(minted));
    effects.extend(keeper.unsaved().iter().map(unsaved));
    effects.extend(keeper.session_status(now).iter().map(session_status));
    effects
}

fn warning(Warning { id, message, fix, file }: &Warning) -> Effect {
    let file = or_none(file.as_ref(), cache_file);
    Effect::with(format!("warning {id}, file {file}"), sentence(message, fix.as_ref()))
}

fn error(ErrorStatus { at: since, operation, detail, code, class, message, fix, next_try }: &ErrorStatus) -> Effect {
    let class = match class {
        ErrorClass::Retryable => "retryable",
        ErrorClass::NeedsLogin => "needs login",
        ErrorClass::Permanent => "permanent",
    };
    let next = next_try.map_or("-".to_owned(), |next| next.as_millis().to_string());
    Effect::with(
        format!("error {code}, {class}, at {}, next try {next}", at(*since)),
        format!(
            "{} {} {}",
            sentence(message, fix.as_ref()),
            operation.as_deref().unwrap_or("-"),
            detail.as_deref().unwrap_or("-")
        ),
    )
}

pub(super) fn profile(status: &ProfileStatus) -> Effect {
    let ProfileStatus {
        name,
        kind,
        auto_renew,
        state: at_present,
        usable,
        account_id,
        role,
        region,
        sso_session,
        valid,
        expires_at,
        remaining,
        renew_at,
        last_renewal,
        last_error,
        warning: warned,
    } = status;
    let mut effect = Effect::act(format!(
        "profile {name}: {kind}, {}, auto-renewed {auto_renew}, usable {usable}, account {}, role {}, region {}, \
         session {}, valid {}, expires {}, remaining {}, renewed {}",
        state_name(*at_present),
        text(account_id.as_ref()),
        text(role.as_ref()),
        text(region.as_ref()),
        text(sso_session.as_ref()),
        valid.map_or("-", |valid| if valid { "yes" } else { "no" }),
        or_none(expires_at.as_ref(), at_of),
        remaining.map_or(-1, millis),
        or_none(renew_at.as_ref(), at_of),
    ));
    if let Some(RenewalStatus { at: ended, ok, took, reason }) = last_renewal {
        write!(effect.acts, ", last renewal at {}, ok {ok}, took {}", at(*ended), millis(*took)).unwrap();
        effect.words.push_str(reason);
    }
    for part in [last_error.as_ref().map(error), warned.as_ref().map(warning)].into_iter().flatten() {
        write!(effect.acts, ", {}", part.acts).unwrap();
        write!(effect.words, " {}", part.words).unwrap();
    }
    effect
}

fn session_status(status: &SessionStatus) -> Effect {
    let SessionStatus {
        name,
        login_name,
        kind,
        state: at_present,
        expires_at,
        ends_at,
        profiles,
        error: failed,
        warning: warned,
        cache,
    } = status;
    let mut effect = Effect::act(format!(
        "session {name}, login {login_name}: {kind}, {}, expires {}, ends {}, {profiles} profiles",
        state_name(*at_present),
        or_none(expires_at.as_ref(), at_of),
        or_none(ends_at.as_ref(), at_of),
    ));
    let parts = [failed.as_ref().map(error), warned.as_ref().map(warning), cache.as_ref().map(warning)];
    for part in parts.into_iter().flatten() {
        write!(effect.acts, ", {}", part.acts).unwrap();
        write!(effect.words, " {}", part.words).unwrap();
    }
    effect
}

pub(super) fn device(MfaStatus { device, profile, expires_at, profiles }: &MfaStatus) -> Effect {
    let expires = or_none(expires_at.as_ref(), at_of);
    Effect::act(format!("MFA device {device} of {profile}: expires {expires}, {profiles} profiles"))
}

fn state_name(state: State) -> &'static str {
    match state {
        State::Fresh => "fresh",
        State::Renewing => "renewing",
        State::Retrying => "retrying",
        State::NeedsLogin => "needs login",
        State::Failed => "failed",
        State::Ready => "ready",
        State::Static => "static",
    }
}

fn source(source: &Source) -> String {
    match source {
        Source::Static(keys) => format!("identity of {}", keys.access_key_id),
        Source::Environment => "environment".to_owned(),
        Source::Container => "container".to_owned(),
        Source::InstanceMetadata => "instance metadata".to_owned(),
        Source::Process { command } => format!("program {command:?}"),
        Source::SsoToken(session) => format!("token of {}", sso_session(session)),
        Source::Sso(role) => format!("role {} of {}, {}", role.role_name, role.account_id, sso_session(&role.session)),
        Source::Login(session) => format!("login {}", session.login_session),
        Source::WebIdentity(role) => format!(
            "web identity {} as {}, file {}, seconds {}",
            role.role_arn,
            role.role_session_name,
            role.token_file,
            role.duration_seconds.unwrap_or(0),
        ),
        Source::SessionToken(session) => format!(
            "session of {}, seconds {}",
            text(session.mfa_serial.as_ref()),
            session.duration_seconds.unwrap_or(0)
        ),
        Source::AssumeRole(role) => format!(
            "role {} as {}, external id {}, seconds {}, device {}",
            role.role_arn,
            role.role_session_name,
            text(role.external_id.as_ref()),
            role.duration_seconds.unwrap_or(0),
            text(role.mfa_serial.as_ref()),
        ),
    }
}

fn endpoint(Endpoint { region, url, fips, dual_stack, ca_bundle }: &Endpoint) -> String {
    let mut name = region.clone();
    name.push_str(if *fips { " FIPS" } else { "" });
    name.push_str(if *dual_stack { " dual-stack" } else { "" });
    url.iter().for_each(|url| write!(name, " {url}").unwrap());
    ca_bundle.iter().for_each(|bundle| write!(name, " certificates {}", bundle.path).unwrap());
    name
}

fn session(session: &Session) -> String {
    let file = cache_file(&session.cache_file());
    match session {
        Session::Sso(session) => format!("{}, {file}", sso_session(session)),
        Session::Login(session) => format!("login {}, {}, {file}", session.login_session, endpoint(&session.endpoint)),
    }
}

fn sso_session(SsoSession { name, start_url, region, scopes, oidc, portal }: &SsoSession) -> String {
    let (name, oidc, portal) = (text(name.as_ref()), endpoint(oidc), endpoint(portal));
    format!("SSO {name} at {start_url} in {region}, scopes {scopes:?}, {oidc}, {portal}")
}

fn cache_file(CacheFile { folder, name }: &CacheFile) -> String {
    match folder {
        CacheFolder::Sso => format!("sso/{name}"),
        CacheFolder::Login => format!("login/{name}"),
    }
}

/// The digest tells tokens apart.
fn cached_token(token: &CachedToken) -> String {
    format!("{} until {}", &token.digest()[..16], token.expires().as_millis())
}

fn credentials(set: &Credentials) -> String {
    let Credentials { access_key_id, secret_access_key, session_token, expires_at, account_id } = set;
    format!(
        "{access_key_id} {} {} until {} of {}",
        secret_access_key.expose(),
        secret(session_token.as_ref()),
        or_none(expires_at.as_ref(), at_of),
        text(account_id.as_ref()),
    )
}

fn sentence(message: &str, fix: Option<&String>) -> String {
    format!("{message} [{}]", text(fix))
}

fn text(text: Option<&String>) -> &str {
    text.map_or("-", String::as_str)
}

fn secret(secret: Option<&Secret>) -> &str {
    secret.map_or("-", Secret::expose)
}

fn or_none<T>(value: Option<&T>, describe: impl Fn(&T) -> String) -> String {
    value.map_or("-".to_owned(), describe)
}

fn at(time: AwsTime) -> String {
    time.as_millis().to_string()
}

fn at_of(time: &AwsTime) -> String {
    at(*time)
}

fn millis(span: TimeDelta) -> i64 {
    span.num_milliseconds()
}
