//! One person's sign-in, from the question to the file in the cache.

use std::time::Duration;

use chrono::TimeDelta;
use tokio::sync::{mpsc, oneshot};

use super::redirect::{self, Back};
use super::{Sessions, dpop, expiry, oidc, service_of, signin, vanity};
use crate::adapters::{aws_call, clock};
use crate::core::aws_error::{self, ErrorClass, Fault, Operation, Remedy};
use crate::core::clock::Sample;
use crate::core::credential::{Credentials, Grant};
use crate::core::keeper::{Flow, Prompt, SessionEnd, SignInOrder, Ticket};
use crate::core::secret::Secret;
use crate::core::session::{
    Authorization, CacheFile, CachedToken, Found, LoginRefresh, LoginSession, LoginToken, Registration, Session,
    SsoSession, SsoToken, login_session_of, login_url, read_pasted, registration_file, sso_url,
};
use crate::platform::random;

/// A registration lives for ninety days, and a session can be as long: one that has less left than this is renewed first.
const REGISTRATION_LEFT: TimeDelta = TimeDelta::days(60);
/// For the lock, at the end of a sign-in.
const A_MOMENT: Duration = Duration::from_secs(5);
/// RFC 8628 section 3.5.
const SLOWER: TimeDelta = TimeDelta::seconds(5);
/// AWS's pages wait for so long.
const PAGE_WAITS: TimeDelta = TimeDelta::minutes(10);

/// Signs a person in.
pub(super) async fn run(
    sessions: &Sessions,
    order: &SignInOrder,
    begun: &mpsc::Sender<(Ticket, Prompt)>,
    pasted: oneshot::Receiver<Secret>,
    samples: &mut Vec<Sample>,
) -> Result<SessionEnd, Fault> {
    let operation = Operation::new("signing in").object(format!("to {}", order.session.described()));
    if let Some(problem) =
        sessions.cache.problem(&order.session.cache_file()).await.filter(|problem| problem.is_not_regular)
    {
        let fault = aws_error::fault(&operation, None, Some("SsoCacheUnusable"), Some(&problem.why));
        // A sign-in can't put it right.
        return Err(Fault { class: ErrorClass::Permanent, remedy: problem.fix.map(Remedy::Fix), ..fault });
    }
    let sign_in = SignIn { sessions, order, begun, operation: &operation };
    let (text, token) = match (&order.session, order.flow) {
        (Session::Sso(session), Flow::Browser) => sign_in.sso_in_browser(session, samples).await?,
        (Session::Sso(session), Flow::DeviceCode) => sign_in.sso_with_code(session, samples).await?,
        (Session::Login(session), _) => sign_in.login(session, pasted, samples).await?,
    };
    let file = order.session.cache_file();
    // A person waits: who holds the lock for so long is not waited for.
    let _lock = sessions.cache.lock(&file, A_MOMENT).await;
    // A file that can't be read, or is another session's, is kept.
    let session = order.session.clone();
    let keep = move |found: &Found| match found {
        Found::Text(text) => session.read(text.expose()).is_err() && !text.expose().trim().is_empty(),
        Found::Unreadable(_) => true,
        Found::Missing => false,
    };
    let unsaved = sessions.cache.write(&file, &text, keep).await.err();
    Ok(SessionEnd::Renewed { token, unsaved })
}

/// A page that waits for the user, with nothing to type there.
fn page_prompt(url: String) -> Prompt {
    Prompt { url, user_code: None, url_with_code: None, expires_in: PAGE_WAITS, pastes_code: false, warning: None }
}

struct SignIn<'a> {
    sessions: &'a Sessions,
    order: &'a SignInOrder,
    begun: &'a mpsc::Sender<(Ticket, Prompt)>,
    operation: &'a Operation,
}

type Signed = (Secret, CachedToken);

impl SignIn<'_> {
    async fn sso_in_browser(&self, session: &SsoSession, samples: &mut Vec<Sample>) -> Result<Signed, Fault> {
        let sdk = &self.sessions.sdk;
        let start_url = vanity::resolve(sdk, session, self.operation).await?;
        let registration = self.registration(session, &start_url, samples).await?;
        let base = oidc::page(self.operation, session).await?;
        let (code, authorization) = self
            .ask_in_browser(|authorization| sso_url(&base, &registration.client_id, &session.scopes, authorization))
            .await?;
        let proof = oidc::Proof::Code(&code, &authorization);
        let answer = oidc::exchange(sdk, session, &registration, proof, self.operation, samples).await?;
        self.signed_in(session, &registration, &answer).await
    }

    async fn sso_with_code(&self, session: &SsoSession, samples: &mut Vec<Sample>) -> Result<Signed, Fault> {
        let sdk = &self.sessions.sdk;
        let start_url = vanity::resolve(sdk, session, self.operation).await?;
        let mut registration = self.registration(session, &start_url, samples).await?;
        let begun = oidc::begin_device_code(sdk, session, &start_url, &registration, self.operation, samples).await;
        let code = match begun {
            // A kept registration that AWS has forgotten; the next one is new.
            Err(fault) if matches!(fault.code.as_str(), "InvalidClientException" | "UnauthorizedClientException") => {
                registration = self.registration(session, &start_url, samples).await?;
                oidc::begin_device_code(sdk, session, &start_url, &registration, self.operation, samples).await?
            }
            begun => begun?,
        };
        let oidc::DeviceCode { device_code, stated } = code;
        let end = clock::boot() + stated.expires_in;
        let mut interval = stated.interval;
        self.tell(Prompt {
            url: stated.url,
            user_code: Some(stated.user_code),
            url_with_code: stated.url_with_code,
            expires_in: stated.expires_in,
            pastes_code: false,
            warning: None,
        })
        .await;
        loop {
            let pause = interval.min(end - clock::boot()).to_std().unwrap_or_default();
            #[expect(
                clippy::disallowed_methods,
                reason = "the server says how often it may be asked whether the person is done"
            )]
            tokio::time::sleep(pause).await;
            let proof = oidc::Proof::DeviceCode(&device_code);
            match oidc::exchange(sdk, session, &registration, proof, self.operation, samples).await {
                Ok(answer) => return self.signed_in(session, &registration, &answer).await,
                Err(fault) => match fault.code.as_str() {
                    "AuthorizationPendingException" => {}
                    "SlowDownException" => interval += SLOWER,
                    "ExpiredTokenException" => return Err(self.fault("SignInExpired", "the code has expired")),
                    "AccessDeniedException" => {
                        return Err(self.fault("SignInRefused", "the request was denied on AWS's page"));
                    }
                    // The network may come back while the person types.
                    _ if fault.class == ErrorClass::Retryable && clock::boot() < end => {}
                    _ => return Err(fault),
                },
            }
            if clock::boot() >= end {
                return Err(self.fault("SignInExpired", "the code has expired"));
            }
        }
    }

    async fn login(
        &self,
        session: &LoginSession,
        pasted: oneshot::Receiver<Secret>,
        samples: &mut Vec<Sample>,
    ) -> Result<Signed, Fault> {
        let sdk = &self.sessions.sdk;
        let key = dpop::new_key().map_err(|why| self.fault("CacheFailed", &why))?;
        let service = service_of(&self.order.session);
        let base = aws_call::resolve(self.operation, service, &session.endpoint).await?;
        let (client_id, (code, authorization)) = match self.order.flow {
            Flow::Browser => {
                let url = |authorization: &Authorization| login_url(&base, signin::SAME_DEVICE, authorization);
                (signin::SAME_DEVICE, self.ask_in_browser(url).await?)
            }
            Flow::DeviceCode => (signin::CROSS_DEVICE, self.ask_for_code(&base, pasted).await?),
        };
        let proof = signin::Proof::Code { client_id, code: &code, authorization: &authorization, key: &key };
        let answer =
            signin::call(sdk, &self.order.session, proof, self.order.aws_minus_boot, self.operation, samples).await?;
        let id_token = answer.id_token.clone().unwrap_or_else(|| Secret::new(""));
        let who = login_session_of(&id_token).unwrap_or_default();
        if who != session.login_session {
            let why = format!(
                "the browser is signed in as {who:?}, and the profile's login_session is {}: choose that session in the browser, or \
                 run aws login to change the profile",
                session.login_session
            );
            return Err(self.fault("SignInRefused", &why));
        }
        let Grant::Keys(set) = &answer.grant else {
            return Err(self.fault("InvalidResponse", "the answer has no credentials"));
        };
        let account_id = who.split(':').nth(4).filter(|account| !account.is_empty()).map(str::to_owned);
        let set = Credentials { account_id, ..set.clone() };
        let refresh = answer.refresh_token.clone().map(|refresh_token| LoginRefresh {
            refresh_token,
            client_id: client_id.to_owned(),
            dpop_key: key.clone(),
        });
        let (text, token) = LoginToken::signed_in(&set, refresh, &id_token, expiry(&answer));
        Ok((Secret::new(text), CachedToken::Login(Box::new(token))))
    }

    /// Sends the person to a page, and waits until the browser comes back.
    async fn ask_in_browser(&self, url: impl Fn(&Authorization) -> String) -> Result<(Secret, Authorization), Fault> {
        let (listener, port) = redirect::listen()
            .await
            .map_err(|error| self.fault("Network", &format!("no port of 127.0.0.1 can be listened at: {error}")))?;
        let random = random::secret().map_err(|error| self.fault("CacheFailed", &error.to_string()))?;
        let authorization = Authorization::new(random, port);
        let url = url(&authorization);
        let prompt = page_prompt(url);
        self.tell(prompt.clone()).await;
        let flooded = async |why: String| {
            tracing::warn!("{}: {why}", self.operation);
            self.tell(Prompt { warning: Some(why), ..prompt }).await;
        };
        match redirect::wait(&listener, &authorization, flooded).await {
            Back::Code(code) => Ok((code, authorization)),
            Back::Denied(why) => Err(self.fault("SignInRefused", &format!("AWS's page said: {why}"))),
        }
    }

    /// Sends the user to a page in any browser, and waits for the code that it shows.
    async fn ask_for_code(
        &self,
        base: &str,
        pasted: oneshot::Receiver<Secret>,
    ) -> Result<(Secret, Authorization), Fault> {
        let random = random::secret().map_err(|error| self.fault("CacheFailed", &error.to_string()))?;
        let authorization = Authorization::cross_device(random, base);
        let url = login_url(base, signin::CROSS_DEVICE, &authorization);
        self.tell(Prompt { pastes_code: true, ..page_prompt(url) }).await;
        let pasted = pasted.await.map_err(|_| self.fault("SignInExpired", "no code was pasted"))?;
        let code = read_pasted(pasted.expose(), &authorization)
            .map_err(|why| self.fault("SignInRefused", &format!("the pasted code {why}")))?;
        Ok((code, authorization))
    }

    async fn tell(&self, prompt: Prompt) {
        // When nobody listens the program is ending.
        let _ = self.begun.send((self.order.ticket, prompt)).await;
    }

    /// The client's registration: the one that is kept, if it will outlive the session, else a new one. It is kept again once it
    /// has been of use: one that AWS does not accept any more is tried once.
    async fn registration(
        &self,
        session: &SsoSession,
        start_url: &str,
        samples: &mut Vec<Sample>,
    ) -> Result<Registration, Fault> {
        let file = self.registration_file(session);
        if let Found::Text(text) = self.sessions.cache.read(&file).await {
            let _ = self.sessions.cache.remove(&file).await;
            if let Some(kept) = Registration::read(text.expose())
                && kept.expires - clock::read().wall > REGISTRATION_LEFT
            {
                return Ok(kept);
            }
        }
        oidc::register(&self.sessions.sdk, session, start_url, self.order.flow, self.operation, samples).await
    }

    async fn keep_registration(&self, session: &SsoSession, registration: &Registration) {
        let text = Secret::new(registration.text(&session.scopes));
        if let Err(why) = self.sessions.cache.write(&self.registration_file(session), &text, |_| false).await {
            tracing::debug!("the client's registration can't be kept ({why}): the next sign-in registers anew");
        }
    }

    fn registration_file(&self, session: &SsoSession) -> CacheFile {
        registration_file(session, if self.order.flow == Flow::Browser { "browser" } else { "device" })
    }

    async fn signed_in(
        &self,
        session: &SsoSession,
        registration: &Registration,
        answer: &crate::core::session::TokenAnswer,
    ) -> Result<Signed, Fault> {
        let Grant::Token(access_token) = &answer.grant else {
            return Err(self.fault("InvalidResponse", "the answer has no token"));
        };
        self.keep_registration(session, registration).await;
        let expires = expiry(answer);
        let (text, token) =
            SsoToken::signed_in(session, registration, access_token, answer.refresh_token.as_ref(), expires);
        Ok((Secret::new(text), CachedToken::Sso(Box::new(token))))
    }

    fn fault(&self, code: &str, why: &str) -> Fault {
        aws_error::fault(self.operation, None, Some(code), Some(why))
    }
}
