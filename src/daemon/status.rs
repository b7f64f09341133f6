//! The status document, from what the keeper and the inputs say.

use std::collections::BTreeMap;

use chrono::TimeDelta;

use super::clock_document::{as_of, seconds, source};
use crate::core::clock::Clock;
use crate::core::doctor::{Lint, LintFix};
use crate::core::fix::word;
use crate::core::glob::Selection;
use crate::core::keeper::{ErrorStatus, Keeper, MfaStatus, ProfileStatus, SessionStatus, Warning};
use crate::core::profile::{Lost, Problem, SourceFile};
use crate::core::session::CacheFile;
use crate::core::time::{AwsTime, Now};
use crate::wire::{
    self, ClockStatus, DaemonStatus, ErrorEntry, MfaEntry, ProblemEntry, ProfileEntry, ProgramStatus, RenewalEntry,
    SessionEntry, StatusDocument,
};

/// The facts of a page besides the keeper.
pub(super) struct Base {
    /// When the daemon started.
    pub(super) started_at: AwsTime,
    /// Its values of the variables that are carried from a shell.
    pub(super) environment: BTreeMap<String, String>,
    /// The program file that it was started from.
    pub(super) program: Option<ProgramStatus>,
    /// `clock.warn`.
    pub(super) warn: TimeDelta,
}

/// A problem that the daemon knows besides the keeper's warnings.
pub(super) enum Known<'a> {
    /// A line or a file that can't be read.
    File(&'a Problem),
    /// A mistake in a value.
    Lint(&'a Lint),
    /// Another problem.
    Other(ProblemEntry),
}

impl Known<'_> {
    /// Its entry. `path` gives the path of each file.
    pub(super) fn entry(self, path: &dyn Fn(SourceFile) -> String) -> ProblemEntry {
        match self {
            Known::File(problem) => ProblemEntry {
                id: match (problem.fatal, &problem.lost) {
                    (true, Lost::File) => wire::UNREADABLE_FILE,
                    (true, _) => "aws-file-refused",
                    (false, _) => "aws-file-warning",
                }
                .to_owned(),
                message: problem.message.clone(),
                file: Some(path(problem.origin.file)),
                line: problem.origin.line(),
                fix: problem.fix_at(&path(problem.origin.file)).filter(|_| problem.fatal),
            },
            Known::Lint(lint) => {
                let file = path(lint.origin.file);
                ProblemEntry {
                    id: lint.id.name().to_owned(),
                    message: lint.message.clone(),
                    line: lint.origin.line(),
                    fix: Some(match &lint.fix {
                        LintFix::Command(command) => command.clone(),
                        LintFix::Edit(edit) => format!("in {}, line {}: {edit}", word(&file), lint.origin.line),
                    }),
                    file: Some(file),
                }
            }
            Known::Other(problem) => problem,
        }
    }
}

/// The warnings about the selected profiles and their sessions, and about the clock. `clock_fix` is the first step to
/// correct the clock, `cache_path` gives the path of a file in the caches of the AWS tools.
pub(super) fn warnings(
    keeper: &Keeper,
    clock_fix: Option<String>,
    cache_path: &dyn Fn(&CacheFile) -> Option<String>,
    selection: Selection<'_>,
    now: Now,
) -> Vec<ProblemEntry> {
    let of_sessions = keeper
        .session_status_from(0, selection, now)
        .flat_map(|session| session.warning.into_iter().chain(session.cache));
    let of_clock = keeper.clock_warning(now).map(|warning| Warning { fix: clock_fix.or(warning.fix), ..warning });
    let warnings = keeper.profile_warnings(selection, now).into_iter().chain(of_sessions).chain(of_clock);
    let entry = |Warning { id, message, fix, file }: Warning| {
        let file = file.and_then(|file| cache_path(&file));
        ProblemEntry { id: id.to_owned(), message, file, line: None, fix }
    };
    warnings.map(entry).collect()
}

/// The document without profiles, sessions and problems.
pub(super) fn document_without_lists(keeper: &Keeper, base: Base, now: Now) -> StatusDocument {
    StatusDocument {
        schema: "evercred.status/1".to_owned(),
        now: Some(keeper.clock().best(now).to_rfc3339()),
        daemon: DaemonStatus {
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: std::process::id(),
            started_at: base.started_at.to_rfc3339(),
            program: base.program,
            environment: base.environment,
        },
        clock: clock(keeper.clock(), base.warn, now),
        profiles: Vec::new(),
        sso_sessions: Vec::new(),
        mfa_sessions: Vec::new(),
        problems: Vec::new(),
        next: None,
    }
}

/// The entries of the selected profiles after a name, each computed when it is taken.
pub(super) fn profiles<'a>(
    keeper: &'a Keeper,
    after: Option<&str>,
    selection: Selection<'a>,
    now: Now,
) -> impl Iterator<Item = ProfileEntry> + use<'a> {
    keeper.status_after(after, selection, now).map(|status| profile(keeper, status))
}

/// The entries of the sign-in sessions that the selected profiles use, from an index, each computed when it is taken.
pub(super) fn sso_sessions<'a>(
    keeper: &'a Keeper,
    from: usize,
    selection: Selection<'a>,
    now: Now,
) -> impl Iterator<Item = SessionEntry> + use<'a> {
    keeper.session_status_from(from, selection, now).map(session)
}

/// The entries of the sessions with MFA that the selected profiles use.
pub(super) fn mfa_sessions(
    keeper: &Keeper,
    selection: Selection<'_>,
    now: Now,
) -> impl Iterator<Item = MfaEntry> + use<> {
    keeper.mfa_status(selection, now).into_iter().map(mfa_session)
}

fn clock(clock: &Clock, warn: TimeDelta, now: Now) -> ClockStatus {
    let (offset, uncertainty) = clock.wall_error(now);
    ClockStatus {
        state: clock.grade(now, warn).name().to_owned(),
        offset_seconds: source(clock).map(|_| seconds(offset)),
        uncertainty_seconds: source(clock).map(|_| seconds(uncertainty)),
        source: source(clock).map(str::to_owned),
        measured_at: clock.heard_at().map(|at| as_of(clock, at, now).to_rfc3339()),
        crosses_limit_in_seconds: clock.crossings(now).first().map(|crossing| crossing.after.num_seconds()),
    }
}

fn profile(keeper: &Keeper, status: ProfileStatus) -> ProfileEntry {
    let account_name = status.account_id.as_deref().and_then(|id| keeper.account_name(id)).map(str::to_owned);
    ProfileEntry {
        name: status.name,
        kind: status.kind.to_owned(),
        auto_renew: status.auto_renew,
        state: status.state,
        usable: status.usable,
        account_id: status.account_id,
        account_name,
        role: status.role,
        region: status.region,
        sso_session: status.sso_session,
        valid: status.valid,
        expires_at: status.expires_at.map(AwsTime::to_rfc3339),
        remaining_seconds: status.remaining.map(|remaining| remaining.num_seconds()),
        renew_at: status.renew_at.map(AwsTime::to_rfc3339),
        last_renewal: status.last_renewal.map(|renewal| RenewalEntry {
            at: renewal.at.to_rfc3339(),
            ok: renewal.ok,
            took_ms: renewal.took.num_milliseconds(),
            reason: renewal.reason,
        }),
        last_error: status.last_error.map(error),
        deliveries: vec!["credential-process".to_owned()],
    }
}

fn session(status: SessionStatus) -> SessionEntry {
    SessionEntry {
        name: status.name,
        login_name: Some(status.login_name),
        kind: status.kind.to_owned(),
        state: status.state,
        expires_at: status.expires_at.map(AwsTime::to_rfc3339),
        ends_at: status.ends_at.map(AwsTime::to_rfc3339),
        profiles: status.profiles,
        last_error: status.error.map(error),
    }
}

fn mfa_session(status: MfaStatus) -> MfaEntry {
    MfaEntry {
        device: status.device,
        profile: status.profile,
        expires_at: status.expires_at.map(AwsTime::to_rfc3339),
        profiles: status.profiles,
    }
}

fn error(error: ErrorStatus) -> ErrorEntry {
    ErrorEntry {
        at: error.at.to_rfc3339(),
        operation: error.operation.map(String::from),
        detail: error.detail,
        code: error.code,
        class: error.class,
        message: error.message,
        fix: error.fix,
    }
}
