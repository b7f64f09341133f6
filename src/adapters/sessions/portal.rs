//! The access portal of IAM Identity Center: role credentials for a token, and what there is.

use std::time::Duration;

use aws_sdk_sso::Client;
use aws_sdk_sso::error::ProvideErrorMetadata;
use aws_smithy_runtime_api::client::orchestrator::HttpResponse;
use aws_smithy_runtime_api::client::result::SdkError;
use chrono::TimeDelta;

use crate::adapters::aws_call::{Call, Name};
use crate::adapters::sdk::{Sdk, client_config};
use crate::core::aws_error::{Fault, Operation};
use crate::core::clock::Sample;
use crate::core::credential::Credentials;
use crate::core::keeper::{Account, Outcome};
use crate::core::plan::{Endpoint, Service, SsoRole};
use crate::core::printable::line;
use crate::core::secret::Secret;
use crate::core::session::{SsoSession, role_expiry};

/// No person has more pages of accounts or roles.
const MOST_PAGES: usize = 1_000;
/// Where the portal says that too many calls came, and not for how long.
const PAUSE: Duration = Duration::from_secs(1);
/// A list takes a few of these at most.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
const MOST_TRIES: u32 = 5;
/// For all pages: the tool waits a little longer.
const LONGEST_LIST: Duration = Duration::from_secs(110);
/// Accounts and roles together: what fits into one message of the control socket.
const MOST_NAMES: usize = 20_000;

struct Ready<'a> {
    client: Client,
    call: Call<'a>,
}

async fn ready<'a>(sdk: &Sdk, operation: &'a Operation, endpoint: &Endpoint) -> Result<Ready<'a>, Fault> {
    let call = Call::prepare(&sdk.network, operation, Service::Portal, endpoint).await?;
    // The token stands for a signature: no time is needed.
    let config = client_config!(aws_sdk_sso, &sdk.config, call, endpoint, TimeDelta::zero());
    Ok(Ready { client: Client::from_conf(config.build()), call })
}

/// Gets the credentials of one role.
pub(super) async fn role_credentials(
    sdk: &Sdk,
    role: &SsoRole,
    endpoint: &Endpoint,
    profile: &str,
    token: &Secret,
) -> (Outcome, Vec<Sample>) {
    let SsoRole { account_id, role_name, .. } = role;
    let role = format!("of {role_name} in account {account_id}");
    let operation = Operation::new("GetRoleCredentials").object(role).profile(profile);
    let Ready { client, call } = match ready(sdk, &operation, endpoint).await {
        Ok(ready) => ready,
        Err(fault) => return (Outcome::Failed(fault), Vec::new()),
    };
    let answer = client
        .get_role_credentials()
        .account_id(account_id)
        .role_name(role_name)
        .access_token(token.expose())
        .send()
        .await
        .map_err(|error| call.json_fault(&error, Name::Exception));
    let outcome = answer.and_then(|answer| {
        let set = answer.role_credentials().ok_or_else(|| call.unusable(None, "an answer without credentials"))?;
        let given = |text: Option<&str>| text.filter(|text| !text.is_empty()).map(str::to_owned);
        match (given(set.access_key_id()), given(set.secret_access_key()), given(set.session_token())) {
            (Some(access_key_id), Some(secret), Some(token)) => {
                let Some(expires_at) = role_expiry(set.expiration()) else {
                    return Err(call.unusable(None, "an expiration that is no time"));
                };
                Ok(Outcome::Minted(Credentials {
                    access_key_id,
                    secret_access_key: Secret::new(secret),
                    session_token: Some(Secret::new(token)),
                    expires_at: Some(expires_at),
                    account_id: Some(account_id.clone()),
                }))
            }
            _ => Err(call.unusable(None, "an answer with half of a set of credentials")),
        }
    });
    let samples = call.samples(&outcome);
    (outcome.unwrap_or_else(Outcome::Failed), samples)
}

/// Lists every account and role of who is signed in.
pub(super) async fn list_roles(sdk: &Sdk, session: &SsoSession, token: &Secret) -> (Outcome, Vec<Sample>) {
    let operation = &Operation::new("listing accounts and roles");
    let Ready { client, call } = match ready(sdk, operation, &session.portal).await {
        Ok(ready) => ready,
        Err(fault) => return (Outcome::Failed(fault), Vec::new()),
    };
    let listed = match tokio::time::timeout(LONGEST_LIST, listed(&client, &call, token)).await {
        Ok(listed) => listed,
        Err(_) => Err(call.timed_out()),
    };
    let samples = call.samples(&listed);
    (listed.map_or_else(Outcome::Failed, Outcome::Roles), samples)
}

async fn listed(client: &Client, call: &Call<'_>, token: &Secret) -> Result<Vec<Account>, Fault> {
    let (mut accounts, mut names) = (Vec::new(), 0);
    let mut next: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let page = patiently(call, || {
            let page = client.list_accounts().access_token(token.expose()).max_results(100);
            page.set_next_token(next.clone()).send()
        });
        let page = page.await?;
        for account in page.account_list() {
            let id = account.account_id().unwrap_or_default();
            let roles = roles_of(client, call, token, id, MOST_NAMES - names).await?;
            names += 1 + roles.len();
            if names > MOST_NAMES {
                return Err(call.unusable(None, "more accounts and roles than anybody has"));
            }
            accounts.push(Account { id: line(id), name: line(account.account_name().unwrap_or_default()), roles });
        }
        next = next_page(call, page.next_token(), next.as_deref())?;
        if next.is_none() {
            return Ok(accounts);
        }
    }
    Err(endless(call))
}

async fn roles_of(
    client: &Client,
    call: &Call<'_>,
    token: &Secret,
    account: &str,
    most: usize,
) -> Result<Vec<String>, Fault> {
    let mut roles = Vec::new();
    let mut next: Option<String> = None;
    for _ in 0..MOST_PAGES {
        let page = patiently(call, || {
            let page = client.list_account_roles().access_token(token.expose()).account_id(account).max_results(100);
            page.set_next_token(next.clone()).send()
        });
        let page = page.await?;
        roles.extend(page.role_list().iter().filter_map(|role| role.role_name().map(line)));
        next = next_page(call, page.next_token(), next.as_deref())?;
        if next.is_none() || roles.len() > most {
            return Ok(roles);
        }
    }
    Err(endless(call))
}

/// The token of the next page, where there is one.
fn next_page(call: &Call<'_>, next: Option<&str>, before: Option<&str>) -> Result<Option<String>, Fault> {
    match next.filter(|token| !token.is_empty()) {
        Some(next) if before == Some(next) => Err(endless(call)),
        next => Ok(next.map(str::to_owned)),
    }
}

fn endless(call: &Call<'_>) -> Fault {
    call.unusable(None, "a list whose pages do not end")
}

/// One call of a list for which a person waits: the portal's wish for a pause is granted, a few times.
async fn patiently<T, E, F>(call: &Call<'_>, send: impl Fn() -> F) -> Result<T, Fault>
where
    E: ProvideErrorMetadata + std::error::Error + 'static,
    F: Future<Output = Result<T, SdkError<E, HttpResponse>>>,
{
    let mut tries = 0;
    loop {
        let fault = match send().await {
            Ok(answer) => return Ok(answer),
            Err(error) => call.json_fault(&error, Name::Exception),
        };
        tries += 1;
        if fault.code != "TooManyRequestsException" || tries >= MOST_TRIES {
            return Err(fault);
        }
        let pause = fault.retry_after.and_then(|pause| pause.to_std().ok()).unwrap_or(PAUSE).min(LONGEST_PAUSE);
        #[expect(clippy::disallowed_methods, reason = "the portal says how long it wants to be left alone")]
        tokio::time::sleep(pause).await;
    }
}

/// Ends a session for everybody who has its token.
pub(super) async fn log_out(
    sdk: &Sdk,
    session: &SsoSession,
    token: &Secret,
    samples: &mut Vec<Sample>,
) -> Result<(), Fault> {
    let operation = &Operation::new("ending the session at AWS");
    let Ready { client, call } = ready(sdk, operation, &session.portal).await?;
    let answer = client.logout().access_token(token.expose()).send().await;
    // An answer without a body may be anybody's.
    samples.extend(call.recorder.samples(false));
    match answer.map_err(|error| call.json_fault(&error, Name::Exception)) {
        Ok(_) => Ok(()),
        // It had ended already.
        Err(fault) if fault.code == "UnauthorizedException" => Ok(()),
        Err(fault) => Err(fault),
    }
}
