//! Questions about keys that are given: whose they are, whether IAM takes them, and what time it is at AWS.

use chrono::TimeDelta;

use super::iam;
pub use super::iam::Caller;
use super::sdk::Sdk;
use super::sts::StsCaller;
use crate::core::aws_error::{Fault, Operation};
use crate::core::clock::Sample;
use crate::core::keeper::{Outcome, ProbeOrder};
use crate::core::plan::{Endpoint, StaticKeys};
use crate::platform::environment::Environment;

/// Asks. Clones share the network.
#[derive(Clone)]
pub struct Asker(Sdk);

impl Asker {
    /// One that goes by the proxy and certificate settings of `environment`.
    pub fn new(environment: &Environment) -> Self {
        Self(Sdk::new(environment))
    }

    /// An unsigned look at AWS's time.
    pub async fn time(&self, order: ProbeOrder) -> (Outcome, Vec<Sample>) {
        StsCaller(&self.0).probe(order).await
    }

    /// GetCallerIdentity, and what the answer says about the time.
    pub async fn identify(
        &self,
        operation: &Operation,
        keys: &StaticKeys,
        endpoint: &Endpoint,
        aws_minus_boot: TimeDelta,
    ) -> (Result<Caller, Fault>, Vec<Sample>) {
        let (outcome, samples) = StsCaller(&self.0).identify(operation, keys, endpoint, aws_minus_boot).await;
        let caller = match outcome {
            Outcome::Identified { account_id, arn } => Ok(Caller { account_id, arn }),
            Outcome::Failed(fault) => Err(fault),
            _ => Ok(Caller::default()),
        };
        (caller, samples)
    }

    /// GetUser of IAM, and what the answer says about the time.
    pub async fn get_user(
        &self,
        keys: &StaticKeys,
        endpoint: &Endpoint,
        aws_minus_boot: TimeDelta,
    ) -> (Result<Caller, Fault>, Vec<Sample>) {
        iam::get_user(&self.0, keys, endpoint, aws_minus_boot).await
    }
}
