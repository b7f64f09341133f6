//! What is asked of AWS, and what it answered: the messages between the companion and its `evercredd --probe` child.
//!
//! One JSON text a line: the companion writes `{"questions": […], "within_ms": …}`, the child answers `{"answers": […]}` with one answer for
//! each question, in their order; until the companion closes the pipe. Keys of the files and the shell go to the child, and keys that a
//! `credential_process` printed come back; credentials that AWS gives to the child don't.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::evidence::LastError;
use crate::core::access_key;
use crate::core::aws_error::{self, ErrorClass, Fault, Operation, Remedy};
use crate::core::cause::Cause;
use crate::core::fix::Fix;
use crate::core::plan::Endpoint;
use crate::core::printable::printable;

/// One line to the child.
#[derive(Debug, Serialize, Deserialize)]
pub struct Questions {
    /// The requests, in order.
    pub questions: Vec<Order>,
    /// The time limit for all answers, in milliseconds.
    pub within_ms: u64,
}

/// One line back.
#[derive(Debug, Serialize, Deserialize)]
pub struct AnswerLine {
    /// One answer for each question.
    pub answers: Vec<Answer>,
}

/// A request, and the subject of its answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// The subject of the answer. Each question has another one.
    pub about: About,
    /// The request.
    pub order: Order,
}

/// The subject of a question and its answer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// This machine's clock.
    Clock,
    /// The identity of keys, by GetCallerIdentity.
    Identity {
        /// Where the keys stand.
        source: KeySource,
        /// What is different from what stands there.
        variant: Variant,
        /// The region that was asked.
        region: String,
    },
    /// Whether the plan of the profile works, step by step.
    Chain,
    /// Whether IAM accepts the keys.
    Iam {
        /// Where the keys stand.
        source: KeySource,
    },
}

/// The place of keys.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeySource {
    /// In the variables of the shell.
    Environment,
    /// In the files, in this profile.
    Profile(String),
    /// In the document that this profile's `credential_process` printed.
    Process(String),
}

/// The difference between the keys that are sent and the configured ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// They are sent as configured.
    AsIs,
    /// Without the session token.
    WithoutToken,
    /// With the session token of another variable, setting or place.
    OtherToken,
    /// Without quotes, blanks and comments.
    Cleaned,
    /// With id and secret swapped.
    Swapped,
    /// In another region of the same partition, which every account has.
    HomeRegion,
}

/// A request to the child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Order {
    /// Measure this machine's clock skew.
    Clock {
        /// The endpoint to probe for AWS time; without it, no request is sent.
        look_at: Option<Endpoint>,
        /// Time servers (`host` or `host:port`) for the case that AWS does not answer.
        ntp: Vec<String>,
        /// The daemon's estimate: local minus AWS time, and its uncertainty, in seconds.
        known: Option<(f64, f64)>,
    },
    /// GetCallerIdentity.
    Identify {
        /// The keys that sign.
        keys: Keys,
        /// Where.
        endpoint: Endpoint,
    },
    /// Run the plan of a profile as far as it needs no user input. AWS's credentials are dropped.
    Chain {
        /// The profile.
        profile: String,
        /// Read only the cache files of sign-ins: no request is sent.
        offline: bool,
        /// Run the profile's `credential_process`.
        #[serde(default)]
        run_process: bool,
    },
    /// GetUser of IAM, which only reads.
    Iam {
        /// The keys that sign.
        keys: Keys,
        /// The region, for its partition, and an endpoint that was configured for IAM.
        endpoint: Endpoint,
    },
}

/// Keys, on their way to the child. `Debug` shows the id alone, where it is one.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keys {
    /// The access key id.
    pub access_key_id: String,
    /// The secret access key.
    pub secret_access_key: Zeroizing<String>,
    /// The session token.
    pub session_token: Option<Zeroizing<String>>,
}

impl fmt::Debug for Keys {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Keys").field("access_key_id", &access_key::shown(&self.access_key_id)).finish_non_exhaustive()
    }
}

/// An answer of the child.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum Answer {
    /// To `Clock`.
    Clock(ClockFacts),
    /// AWS accepted the keys.
    Accepted {
        /// The twelve digits of the account; empty where the answer does not say (IAM's to a role).
        account_id: String,
        /// Who the caller is; empty where the answer does not say.
        arn: String,
    },
    /// AWS refused the request, or did not answer.
    Refused(Refusal),
    /// To `Chain`: the steps as far as they were carried out.
    Chain {
        /// One for each step of the plan that people see, up to the first that did not pass.
        steps: Vec<StepAnswer>,
    },
    /// The request was not made, or took too long.
    Untried {
        /// The reason, as the end of a sentence.
        why: String,
    },
}

/// A call that failed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    /// AWS's code, or ours (see `core::aws_error`).
    pub code: String,
    /// The failed operation.
    pub operation: Operation,
    /// AWS's words; without them, the meaning of the code.
    pub words: String,
    /// The effect on the next attempt.
    pub class: ErrorClass,
    /// A command, or the advice of the table of error codes.
    pub fix: Option<String>,
    /// AWS refused the request because of its time.
    pub skewed: bool,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let Fault { class, operation, code, words, remedy, skewed, .. } = fault;
        Self { code, operation: *operation, words, class, fix: remedy.map(Remedy::into_text), skewed }
    }
}

impl From<LastError> for Refusal {
    fn from(error: LastError) -> Self {
        let LastError { operation, detail, code, class, message, fix } = error;
        let fix = fix.or_else(|| Some(aws_error::lookup(&code)?.fix.to_owned()));
        let operation = operation.map_or_else(|| Operation::new("the renewal"), Operation::named);
        Self { code, operation, words: detail.unwrap_or(message), class, fix, skewed: false }
    }
}

impl fmt::Display for Refusal {
    /// One sentence with the operation, the code and AWS's words.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} failed: {}: {}", self.operation, self.code, self.words)
    }
}

impl Refusal {
    /// Whether the request was not sent, because of a file, a program or a setting on this machine.
    pub fn is_local(&self) -> bool {
        aws_error::lookup(&self.code).is_some_and(|entry| entry.origin == aws_error::Origin::Local)
    }

    /// Why this error says nothing about the keys, as the end of a sentence; `None` if AWS refused the keys.
    pub fn why_open(&self) -> Option<String> {
        if aws_error::is_unreached_code(&self.code) {
            return Some(self.no_answer());
        }
        let is_of_keys = !self.skewed && aws_error::lookup(&self.code).is_some_and(aws_error::Entry::refuses_signer);
        (!is_of_keys).then(|| {
            format!(
                "{} answered {}, which does not show whether the keys are valid",
                self.operation.service(),
                self.code
            )
        })
    }

    /// Why this error decides nothing, as the end of a sentence; `None` if AWS refused the request.
    pub fn why_undecided(&self) -> Option<String> {
        if aws_error::is_unreached_code(&self.code) {
            return Some(self.no_answer());
        }
        (self.skewed || self.class == ErrorClass::Retryable)
            .then(|| format!("{} answered {}, which is not conclusive", self.operation.service(), self.code))
    }

    /// Whether the cause is a usual one of the code.
    pub fn is_usual_for(&self, cause: Cause) -> bool {
        aws_error::lookup(&self.code).is_some_and(|entry| entry.likelihood(cause).is_some())
    }

    /// The reason that AWS gave no answer, as the end of a sentence.
    pub fn no_answer(&self) -> String {
        let (service, operation) = (self.operation.service(), &self.operation.name);
        printable(&format!("{service} gave no usable answer to {operation} ({})", self.aws_text()))
    }

    /// AWS's code and words, without what was asked.
    pub fn aws_text(&self) -> String {
        printable(&format!("{}: {}", self.code, self.words))
    }
}

/// The result of one step of a plan.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StepAnswer {
    /// The profile whose settings made the step.
    pub profile: String,
    /// The step's type, in the names of `plan --json`.
    pub kind: String,
    /// The result.
    pub outcome: StepOutcome,
    /// The keys that another program printed: they are checked as keys in a file are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub printed: Option<Keys>,
    /// The account that a `credential_process` names for its keys.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stated_account: Option<String>,
    /// The answer to GetCallerIdentity with the credentials that AWS returned, if it does not name their owner.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub identity: Option<Answer>,
}

impl StepAnswer {
    /// The failed call: that of the step, or GetCallerIdentity with its credentials.
    pub fn refusal(&self) -> Option<&Refusal> {
        match (&self.outcome, &self.identity) {
            (StepOutcome::Refused(refusal), _) | (_, Some(Answer::Refused(refusal))) => Some(refusal),
            _ => None,
        }
    }

    /// Whether the step returned credentials, and AWS did not leave out their owner.
    pub fn is_passed(&self) -> bool {
        matches!(self.outcome, StepOutcome::Passed { .. }) && self.identity.is_none()
    }
}

/// The result of a step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum StepOutcome {
    /// The step returned credentials.
    Passed {
        /// When they expire, RFC 3339.
        expires_at: Option<String>,
        /// The identity of the credentials, if the answer has it.
        arn: Option<String>,
    },
    /// The step failed.
    Refused(Refusal),
    /// The cache of the AWS tools has no valid token.
    NotSignedIn {
        /// Why, as the end of a sentence.
        why: String,
        /// Whether the tools refresh the token, unless the sign-in session has expired.
        renews: bool,
    },
    /// The step did not run: it needs an MFA code, runs a program, or time ran out.
    Untried {
        /// The reason, as the end of a sentence.
        why: String,
    },
}

impl StepOutcome {
    /// The identity of the returned credentials, if the answer has it.
    pub fn arn(&self) -> Option<String> {
        match self {
            Self::Passed { arn, .. } => arn.clone(),
            _ => None,
        }
    }
}

/// The facts about this machine's clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClockFacts {
    /// Local minus AWS time, in seconds: positive if this machine's clock is ahead.
    pub offset_seconds: Option<f64>,
    /// The uncertainty of the offset, in seconds.
    pub uncertainty_seconds: Option<f64>,
    /// The source of the offset: "the Date of AWS's answer", "NTP (time.aws.com)", "the daemon".
    pub source: Option<String>,
    /// The failed probe, if AWS time could not be read.
    pub unreached: Option<Refusal>,
    /// Whether the kernel reports a synchronised clock.
    pub kernel_synchronised: Option<bool>,
    /// The service that synchronises the clock, as a sentence.
    pub keeper: String,
    /// The time zone mistake that explains the offset, as a sentence.
    pub zone_mistake: Option<String>,
    /// The fixes for the clock, the best one first.
    pub fixes: Vec<Fix>,
    /// The fixes for a clock that no service synchronises; empty if the host sets the clock.
    pub keeper_fixes: Vec<Fix>,
}

/// The answers so far.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Answers(Vec<(About, Answer)>);

impl Answers {
    /// Adds an answer.
    pub fn add(&mut self, about: About, answer: Answer) {
        self.0.push((about, answer));
    }

    /// The answer to a question.
    pub fn get(&self, about: &About) -> Option<&Answer> {
        self.0.iter().find(|(other, _)| other == about).map(|(_, answer)| answer)
    }

    /// All answers, in order.
    pub fn iter(&self) -> impl Iterator<Item = (&About, &Answer)> {
        self.0.iter().map(|(about, answer)| (about, answer))
    }

    /// The answer about keys as they stand somewhere, in the first region that says something of them, else in the first that was
    /// asked.
    pub fn unmodified(&self, source: &KeySource) -> Option<&Answer> {
        let says = |answer: &&Answer| match answer {
            Answer::Refused(refusal) => refusal.why_open().is_none(),
            answer => matches!(answer, Answer::Accepted { .. }),
        };
        let mut all = self.variants(source, Variant::AsIs);
        all.clone().find(says).or_else(|| all.next())
    }

    /// The answer about changed keys.
    pub fn variant(&self, source: &KeySource, variant: Variant) -> Option<&Answer> {
        self.variants(source, variant).next()
    }

    fn variants(&self, source: &KeySource, variant: Variant) -> impl Iterator<Item = &Answer> + Clone {
        self.0.iter().filter_map(move |(about, answer)| match about {
            About::Identity { source: of, variant: is, .. } if of == source && *is == variant => Some(answer),
            _ => None,
        })
    }

    /// IAM's answer to keys.
    pub fn iam(&self, source: &KeySource) -> Option<&Answer> {
        self.iter()
            .find_map(|(about, answer)| matches!(about, About::Iam { source: of } if of == source).then_some(answer))
    }

    /// The results of the steps that ran.
    pub fn chain(&self) -> &[StepAnswer] {
        match self.get(&About::Chain) {
            Some(Answer::Chain { steps }) => steps,
            _ => &[],
        }
    }

    /// The facts about the clock.
    pub fn clock(&self) -> Option<&ClockFacts> {
        match self.get(&About::Clock) {
            Some(Answer::Clock(facts)) => Some(facts),
            _ => None,
        }
    }
}
