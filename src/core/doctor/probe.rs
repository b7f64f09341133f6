//! What is asked of AWS, and what it answered: the messages between the companion and its `evercredd --probe` child.
//!
//! One JSON text a line: the companion writes `{"questions": […], "within_ms": …}`, the child answers `{"answers": […]}` with one answer for
//! each question, in their order; until the companion closes the pipe. Secrets go one way only, over the pipe to the child, and
//! nothing of what AWS mints comes back.

use std::fmt;

use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use super::evidence::LastError;
use crate::core::access_key;
use crate::core::aws_error::{self, ErrorClass, Fault, Operation};
use crate::core::fix::Fix;
use crate::core::plan::Endpoint;
use crate::core::printable::printable;

/// One line to the child.
#[derive(Debug, Serialize, Deserialize)]
pub struct Questions {
    /// What is asked.
    pub questions: Vec<Order>,
    /// How long the companion waits for the answers, in milliseconds: what is not known by then is said to be late.
    pub within_ms: u64,
}

/// One line back.
#[derive(Debug, Serialize, Deserialize)]
pub struct AnswerLine {
    /// One answer for each question.
    pub answers: Vec<Answer>,
}

/// A question, and what the answer will be about.
#[derive(Clone, Debug, PartialEq)]
pub struct Question {
    /// What it is about; no two questions are about the same.
    pub about: About,
    /// What is to be done.
    pub order: Order,
}

/// What a question is about.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// This machine's clock.
    Clock,
    /// KeySource keys these are.
    Identity {
        /// Where the keys stand.
        whose: KeySource,
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
        whose: KeySource,
    },
}

/// Where keys stand.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum KeySource {
    /// In the variables of the shell.
    Environment,
    /// In the files, in this profile.
    Profile(String),
}

/// In what the keys that are tried differ from what stands there.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// In nothing.
    AsIs,
    /// The session token is left out.
    WithoutToken,
    /// The session token that stands elsewhere (the other variable or setting, the other place).
    OtherToken,
    /// Quotes, blanks and comments are taken away.
    Cleaned,
    /// Id and secret change places.
    Swapped,
    /// In another region of the same partition, which every account has.
    HomeRegion,
}

/// What the child is to do.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "kebab-case")]
pub enum Order {
    /// Say what is known of this machine's clock.
    Clock {
        /// Where to look at AWS's time; nothing leaves the machine without.
        look_at: Option<Endpoint>,
        /// Time servers (`host` or `host:port`) that are asked where AWS can't be heard.
        ntp: Vec<String>,
        /// This machine's clock minus AWS's and how far that may be off, in seconds, as the daemon knows it.
        known: Option<(f64, f64)>,
    },
    /// GetCallerIdentity.
    Identify {
        /// The keys that sign.
        keys: Keys,
        /// Where.
        endpoint: Endpoint,
    },
    /// Carry out the plan of a profile as far as it needs nobody and runs no program; what AWS gives is dropped.
    Chain {
        /// The profile.
        profile: String,
        /// Look at the caches of sign-ins alone: nothing leaves the machine.
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

/// What came back.
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
    /// AWS, or something on the way to it, refused.
    Refused(Refusal),
    /// To `Chain`: the steps as far as they were carried out.
    Chain {
        /// One for each step of the plan that people see, up to the first that did not pass.
        steps: Vec<StepAnswer>,
    },
    /// It was not tried, or not finished in time; why, as the end of a sentence.
    Untried {
        /// Why.
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
    /// What it means for the next try.
    pub class: ErrorClass,
    /// What to do, by the table of error codes.
    pub fix: Option<String>,
    /// The answer says that the time of the request was off.
    pub skewed: bool,
}

impl From<Fault> for Refusal {
    fn from(fault: Fault) -> Self {
        let Fault { class, operation, code, words, fix, skewed, .. } = fault;
        Self { code, operation: *operation, words, class, fix, skewed }
    }
}

impl From<LastError> for Refusal {
    fn from(error: LastError) -> Self {
        let LastError { operation, detail, code, class, message, fix } = error;
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
    /// Why this leaves open what the keys are worth, as the end of a sentence; `None` where it is the keys that were refused.
    pub fn why_open(&self) -> Option<String> {
        if aws_error::is_unreached_code(&self.code) {
            return Some(self.no_answer());
        }
        let is_of_keys = !self.skewed && aws_error::lookup(&self.code).is_some_and(aws_error::Entry::refuses_signer);
        (!is_of_keys).then(|| format!("AWS answered {} and said nothing of the keys", self.code))
    }

    /// Why this error decides nothing, as the end of a sentence; `None` if AWS refused the request.
    pub fn why_undecided(&self) -> Option<String> {
        if aws_error::is_unreached_code(&self.code) {
            return Some(self.no_answer());
        }
        (self.skewed || self.class == ErrorClass::Retryable)
            .then(|| format!("AWS answered {}, which is not conclusive", self.code))
    }

    /// That no answer of AWS came, as the end of a sentence.
    pub fn no_answer(&self) -> String {
        format!("AWS gave no answer ({})", self.code)
    }

    /// AWS's code and words, without what was asked.
    pub fn said(&self) -> String {
        printable(&format!("{}: {}", self.code, self.words))
    }
}

/// One step of a plan that was carried out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepAnswer {
    /// The profile whose settings made the step.
    pub profile: String,
    /// The step's type, in the names of `plan --json`.
    pub kind: String,
    /// What happened.
    pub outcome: StepOutcome,
}

/// What happened at one step.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum StepOutcome {
    /// It gave credentials.
    Passed {
        /// When they expire, RFC 3339.
        expires_at: Option<String>,
        /// KeySource they are, where the answer says it.
        arn: Option<String>,
    },
    /// It failed.
    Refused(Refusal),
    /// The cache of the AWS tools holds no token that is good now.
    NotSignedIn {
        /// Why, as the end of a sentence.
        why: String,
        /// The tools renew it by themselves, unless the sign-in session is over.
        renews: bool,
    },
    /// It was not tried: it wants a code, runs a program, or there was no time; why, as the end of a sentence.
    Untried {
        /// Why.
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

/// What is known of this machine's clock.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct ClockFacts {
    /// This machine's clock minus AWS's, in seconds: positive, it is ahead.
    pub offset_seconds: Option<f64>,
    /// How far that may be off.
    pub uncertainty_seconds: Option<f64>,
    /// How it is known: "the Date of AWS's answer", "NTP (time.aws.com)", "the daemon".
    pub source: Option<String>,
    /// Why AWS's time could not be looked at, as a failed call.
    pub unreached: Option<Refusal>,
    /// What the kernel says: whether somebody keeps the clock right.
    pub kernel_synchronised: Option<bool>,
    /// What keeps the time on this machine, as a sentence.
    pub keeper: String,
    /// The mistake with a time zone that explains the offset, as a sentence.
    pub zone_mistake: Option<String>,
    /// What sets this machine's clock right, the first thing first.
    pub fixes: Vec<Fix>,
    /// What makes this machine keep its clock right, where nothing does; empty where that is not this machine's to do.
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

    /// All answers in the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (&About, &Answer)> {
        self.0.iter().map(|(about, answer)| (about, answer))
    }

    /// The answer about keys as they stand somewhere, in the first region that says something of them, else in the first that was
    /// asked.
    pub fn unmodified(&self, whose: &KeySource) -> Option<&Answer> {
        let says = |answer: &&Answer| match answer {
            Answer::Refused(refusal) => refusal.why_open().is_none(),
            answer => matches!(answer, Answer::Accepted { .. }),
        };
        let mut all = self.variants(whose, Variant::AsIs);
        all.clone().find(says).or_else(|| all.next())
    }

    /// The answer about keys with something changed.
    pub fn variant(&self, whose: &KeySource, variant: Variant) -> Option<&Answer> {
        self.variants(whose, variant).next()
    }

    fn variants(&self, whose: &KeySource, variant: Variant) -> impl Iterator<Item = &Answer> + Clone {
        self.0.iter().filter_map(move |(about, answer)| match about {
            About::Identity { whose: of, variant: is, .. } if of == whose && *is == variant => Some(answer),
            _ => None,
        })
    }

    /// What IAM said to the keys that stand somewhere.
    pub fn iam(&self, whose: &KeySource) -> Option<&Answer> {
        self.iter()
            .find_map(|(about, answer)| matches!(about, About::Iam { whose: of } if of == whose).then_some(answer))
    }

    /// The steps of the profile's plan as far as they were carried out.
    pub fn chain(&self) -> &[StepAnswer] {
        match self.get(&About::Chain) {
            Some(Answer::Chain { steps }) => steps,
            _ => &[],
        }
    }

    /// What is known of the clock.
    pub fn clock(&self) -> Option<&ClockFacts> {
        match self.get(&About::Clock) {
            Some(Answer::Clock(facts)) => Some(facts),
            _ => None,
        }
    }
}
