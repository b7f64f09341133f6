//! Carries out what the keeper orders: each kind of step by the adapter that knows how.

use std::sync::Arc;

use super::sdk::Sdk;
use super::sessions::Sessions;
use super::sts::StsCaller;
use super::{metadata, process};
use crate::core::aws_error::{self, Operation};
use crate::core::clock::Sample;
use crate::core::credential::Credentials;
use crate::core::keeper::{CodeOrder, MintOrder, Outcome, ProbeOrder};
use crate::core::location::CachePaths;
use crate::core::plan::Source;
use crate::platform::environment::Environment;

/// Carries out orders. Clones share what can be shared, so that each order can have a task of its own.
#[derive(Clone)]
pub struct Minter {
    sdk: Sdk,
    environment: Arc<Environment>,
    /// Sign-in sessions: what they need beside the calls.
    pub sessions: Sessions,
}

impl Minter {
    /// One that goes by `environment`; the process's own is not looked at.
    pub fn new(environment: Environment, caches: CachePaths) -> Self {
        let sdk = Sdk::new(&environment);
        let sessions = Sessions::new(sdk.clone(), caches);
        Self { sdk, environment: Arc::new(environment), sessions }
    }

    /// Takes up a changed environment. What is under way ends as it began.
    pub fn reconfigure(&mut self, environment: Environment, caches: CachePaths) {
        self.sdk.reconfigure(&environment);
        self.sessions = Sessions::new(self.sdk.clone(), caches);
        self.environment = Arc::new(environment);
    }

    /// Gets what one step is to give. Ends within its kind's time limit, and always with an outcome; beside it stands what
    /// the answers on the way said about the time.
    pub async fn mint(&self, order: MintOrder) -> (Outcome, Vec<Sample>) {
        let (profile, code) = (order.step.profile.clone(), order.step.source.bad_answer_code());
        let (outcome, samples) = self.carry_out(order).await;
        let checked = |credentials: Credentials| {
            credentials.checked().ok_or_else(|| {
                let why = "the returned credentials contain characters that no key has, so evercred does not use them";
                aws_error::fault(Operation::fetch(&profile), None, Some(code), Some(why))
            })
        };
        let outcome = match outcome {
            Outcome::Minted(credentials) => checked(credentials).map(Outcome::Minted),
            Outcome::Federated { credentials, token_expires_at } => {
                checked(credentials).map(|credentials| Outcome::Federated { credentials, token_expires_at })
            }
            other => Ok(other),
        };
        (outcome.unwrap_or_else(Outcome::Failed), samples)
    }

    async fn carry_out(&self, order: MintOrder) -> (Outcome, Vec<Sample>) {
        match &order.step.source {
            Source::Process { command } => {
                let run = process::run(command, &order.step.profile, &self.environment).await;
                (run.map_or_else(Outcome::Failed, Outcome::Minted), Vec::new())
            }
            Source::InstanceMetadata => {
                let set = metadata::instance(&order.step.profile, &self.environment).await;
                (set.map_or_else(Outcome::Failed, Outcome::Minted), Vec::new())
            }
            Source::Container => {
                let set = metadata::container(&order.step.profile).await;
                (set.map_or_else(Outcome::Failed, Outcome::Minted), Vec::new())
            }
            Source::Sso(_) => self.sessions.role_credentials(&order).await,
            _ => StsCaller(&self.sdk).mint(order).await,
        }
    }

    /// Runs a program that prints the code of an MFA device.
    pub async fn read_code(&self, order: CodeOrder) -> Outcome {
        let code = process::read_code(&order.command, &order.profile, &self.environment).await;
        code.map_or_else(Outcome::Failed, Outcome::Code)
    }

    /// Asks an endpoint for the time.
    pub async fn probe(&self, order: ProbeOrder) -> (Outcome, Vec<Sample>) {
        StsCaller(&self.sdk).probe(order).await
    }
}
