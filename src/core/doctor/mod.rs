//! The doctor: finds out why AWS refuses, from what was collected on this machine and what AWS answered to a few questions.
//!
//! Pure, and in rounds: [`questions`] says what to ask AWS next, given the answers so far, until it has no more; then
//! [`diagnose`] turns evidence and answers into findings. Each kind of cause is a module of its own with one
//! `Rule`. `open` computes from what each cause needs which of them could not be checked.

mod account;
mod adoption;
mod answers;
#[cfg(test)]
mod answers_tests;
mod aws_files;
#[cfg(test)]
mod basis_tests;
mod cache_files;
mod case;
mod client_resolution;
mod clock;
mod commands;
mod connection;
mod document;
mod driver;
mod endpoint_override;
mod evidence;
mod expiry;
mod file_syntax;
mod finding;
mod key_format;
mod lint;
mod minted;
mod misspelt;
mod open;
mod precedence;
pub mod probe;
mod profile_values;
mod question;
mod redact;
mod refused;
mod region;
mod report;
mod role;
mod rule;
mod server;
mod sessions;
#[cfg(test)]
mod testing;
mod token_file;
mod verdict;

pub use self::case::{Case, KeySet, SourcedValue};
pub use self::client_resolution::{Provider, ResolvedFrom};
use self::driver::Checked;
pub use self::evidence::{
    Daemon, DaemonFacts, DaemonProfile, DaemonSession, DanglingLink, Evidence, FileFacts, FileRole, FileState, Group,
    LastError, TerraformBackend, TokenFile, TokenState, Variables, WrittenExpiry,
};
pub use self::finding::{Certainty, Finding, Severity};
pub use self::lint::debounce::{CREDENTIALS_MALFORMED, FileLints};
pub use self::lint::{Lint, LintFix, lints};
pub use self::probe::{About, Answer, Answers, KeySource, Keys, Order, Question, Refusal, Variant};
pub use self::question::questions;
pub use self::report::Report;
use self::rule::{Findings, Rule};
pub use self::server::{NamedEndpoint, named_endpoints};
pub use self::verdict::{Identity, Outcome, Verdict};
pub use crate::core::cause::Cause;
pub use crate::core::clients::Client;

/// Every rule. Of equally urgent findings, those of an earlier rule come first.
static RULES: &[Rule] = &[
    clock::RULE,
    misspelt::RULE,
    aws_files::RULE,
    adoption::RULE,
    client_resolution::RULE,
    token_file::RULE,
    profile_values::RULE,
    expiry::RULE,
    precedence::RULE,
    file_syntax::RULE,
    key_format::RULE,
    region::RULE,
    answers::RULE,
    connection::RULE,
    role::RULE,
    minted::RULE,
    sessions::RULE,
    account::RULE,
];

/// The report, from the evidence and all answers.
pub fn diagnose(evidence: &Evidence, answers: &Answers) -> Report {
    let case = Case::new(evidence, answers);
    let Checked { mut findings, checked, not_checked } = driver::run(&case, RULES.iter().enumerate());
    let choices = client_resolution::choices(&case);
    verdict::demote_unused(&case, &choices, &mut findings);
    let report = Report {
        profile: case.profile.clone(),
        lacks_profile: case.lacks_profile(),
        region: region::name(&case),
        identity: verdict::identity(&case, &choices),
        verdict: verdict::verdict(&case, &choices, &findings),
        choices,
        findings,
        checked,
        not_checked,
    };
    redact::redact(&case, report)
}
