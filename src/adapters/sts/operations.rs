//! The operations of STS that give credentials, or say whose they are.

use aws_sdk_sts::Client;
use aws_sdk_sts::types::Credentials as StsCredentials;

use crate::adapters::aws_call::Call;
use crate::core::aws_error::Fault;
use crate::core::credential::{Credentials, is_account_id};
use crate::core::keeper::Outcome;
use crate::core::plan::{AssumeRole, WebIdentity};
use crate::core::printable::printable;
use crate::core::secret::Secret;
use crate::core::time::AwsTime;
use crate::core::web_identity::token_expiry;

pub(super) async fn assume_role(
    client: &Client,
    call: &Call<'_>,
    role: &AssumeRole,
    code: Option<&Secret>,
) -> Result<Outcome, Fault> {
    let answer = client
        .assume_role()
        .role_arn(&role.role_arn)
        .role_session_name(&role.role_session_name)
        .set_external_id(role.external_id.clone())
        .set_duration_seconds(role.duration_seconds.map(seconds))
        .set_serial_number(role.mfa_serial.clone())
        .set_token_code(code.map(|code| code.expose().to_owned()))
        .send()
        .await
        .map_err(|error| call.fault(&error))?;
    let account = answer.assumed_role_user().and_then(|user| account_of(user.arn()));
    minted(call, answer.credentials(), account.or_else(|| account_of(&role.role_arn)))
}

/// GetSessionToken; its answer does not say whose session it is.
pub(super) async fn session_token(
    client: &Client,
    call: &Call<'_>,
    device: Option<&str>,
    code: Option<&Secret>,
    duration_seconds: Option<u32>,
) -> Result<Outcome, Fault> {
    let answer = client
        .get_session_token()
        .set_duration_seconds(duration_seconds.map(seconds))
        .set_serial_number(device.map(str::to_owned))
        .set_token_code(code.map(|code| code.expose().to_owned()))
        .send()
        .await
        .map_err(|error| call.fault(&error))?;
    minted(call, answer.credentials(), device.and_then(account_of))
}

/// AssumeRoleWithWebIdentity: the token stands for a signature.
pub(super) async fn web_identity(
    client: &Client,
    call: &Call<'_>,
    role: &WebIdentity,
    token: &Secret,
) -> Result<Outcome, Fault> {
    let answer = client
        .assume_role_with_web_identity()
        .role_arn(&role.role_arn)
        .role_session_name(&role.role_session_name)
        .web_identity_token(token.expose())
        .set_duration_seconds(role.duration_seconds.map(seconds))
        .send()
        .await
        .map_err(|error| call.fault(&error))?;
    let account = answer.assumed_role_user().and_then(|user| account_of(user.arn()));
    let credentials = whole(call, answer.credentials(), account.or_else(|| account_of(&role.role_arn)))?;
    Ok(Outcome::Federated { credentials, token_expires_at: token_expiry(token.expose()) })
}

pub(super) async fn identify(client: &Client, call: &Call<'_>) -> Result<Outcome, Fault> {
    let answer = client.get_caller_identity().send().await.map_err(|error| call.fault(&error))?;
    match (answer.account(), answer.arn()) {
        (Some(account), Some(arn)) if !account.is_empty() && !arn.is_empty() => {
            Ok(Outcome::Identified { account_id: printable(account), arn: printable(arn) })
        }
        _ => Err(call.unusable(None, "an answer that names no caller")),
    }
}

fn minted(call: &Call<'_>, set: Option<&StsCredentials>, account_id: Option<String>) -> Result<Outcome, Fault> {
    whole(call, set, account_id).map(Outcome::Minted)
}

/// A set as STS sends it, if it is whole.
fn whole(call: &Call<'_>, set: Option<&StsCredentials>, account_id: Option<String>) -> Result<Credentials, Fault> {
    let set = set.ok_or_else(|| call.unusable(None, "an answer without credentials"))?;
    let expires_at = set.expiration().to_millis().ok().filter(|millis| *millis > 0);
    let expires_at = expires_at.and_then(AwsTime::checked_from_millis);
    let whole = [set.access_key_id(), set.secret_access_key(), set.session_token()].iter().all(|text| !text.is_empty());
    let Some(expires_at) = expires_at.filter(|_| whole) else {
        return Err(call.unusable(None, "an answer with half of a set of credentials"));
    };
    Ok(Credentials {
        access_key_id: set.access_key_id().to_owned(),
        secret_access_key: Secret::new(set.secret_access_key()),
        session_token: Some(Secret::new(set.session_token())),
        expires_at: Some(expires_at),
        account_id,
    })
}

fn seconds(seconds: u32) -> i32 {
    i32::try_from(seconds).unwrap_or(i32::MAX)
}

/// `arn:partition:service:region:ACCOUNT:…`.
fn account_of(arn: &str) -> Option<String> {
    let account = arn.split(':').nth(4)?;
    is_account_id(account).then(|| account.to_owned())
}
