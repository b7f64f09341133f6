//! Reads the AWS files and makes the plans on the thread pool, so that large files never delay the loop.
//!
//! One job runs at a time, and the loop serves requests from the previous plans. Changes during a job become one next
//! job, so no change is lost, and none is processed before an older one. If several contents of a file are waiting, the
//! job reads only the newest one.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use tokio::task::JoinSet;

use super::{path_of, plan_context, reading, settled_reading};
use crate::core::doctor::{self, Lint};
use crate::core::inputs::{AwsInputs, Change, Reading};
use crate::core::location::AwsPaths;
use crate::core::plan::{self, Endpoint, MissingSections, NodeKey, Plan, PlanContext, PlanError, Source, Step};
use crate::core::profile::{Problem, Profiles, SourceFile};
use crate::core::redact;
use crate::core::session::SsoSession;
use crate::core::settings::Settings;
use crate::delivery::control_socket::Incoming;
use crate::platform::environment::Environment;

/// The other inputs of the plans, besides the AWS files.
pub(super) struct Basis {
    pub(super) paths: AwsPaths,
    pub(super) settings_file: PathBuf,
    pub(super) settings: Settings,
    pub(super) environment: Environment,
    pub(super) temporary_processes: BTreeSet<NodeKey>,
}

/// How a job reads both files from the disk.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Disk {
    /// Not at all.
    Unread,
    /// Ignores a file that is empty or missing, as a program may be writing it.
    Settled,
    /// Reads both files in any state.
    AsTheyAre,
}

/// The input of a job.
struct Job {
    /// The paths of the files have changed: earlier readings don't count.
    are_others: bool,
    /// The contents that the watcher has reported.
    contents: BTreeMap<SourceFile, Reading>,
    disk: Disk,
    /// Make plans even if no file has changed.
    replan: bool,
    /// The requests that wait for the result.
    waiting: Vec<Incoming>,
}

impl Default for Job {
    fn default() -> Self {
        let (contents, waiting) = (BTreeMap::new(), Vec::new());
        Self { are_others: false, contents, disk: Disk::Unread, replan: false, waiting }
    }
}

impl Job {
    fn is_empty(&self) -> bool {
        self.contents.is_empty() && self.disk == Disk::Unread && !self.replan && self.waiting.is_empty()
    }
}

/// The result of a job.
pub(super) struct Planned {
    /// The changes from the reported contents.
    pub(super) changes: Vec<(SourceFile, Change)>,
    /// Whether the files on the disk differed from the contents that the watcher had reported.
    pub(super) disk_changed: bool,
    /// The new plans; `None` if nothing has changed.
    pub(super) plans: Option<Plans>,
    /// The requests that waited for it.
    pub(super) waiting: Vec<Incoming>,
}

/// The plans, and all other data from the AWS files.
pub(super) struct Plans {
    pub(super) profiles: BTreeMap<String, Result<Plan, PlanError>>,
    pub(super) sso_sessions: BTreeMap<String, SsoSession>,
    /// Why a profile without a plan may still be in the files.
    pub(super) missing: MissingSections,
    /// The STS endpoint for calls without a profile.
    pub(super) home: Endpoint,
    /// The web identity token files, and the paths in the plans.
    pub(super) token_files: BTreeMap<PathBuf, String>,
    pub(super) problems: Vec<Problem>,
    pub(super) lints: Vec<Lint>,
}

/// Runs the jobs; see the module.
#[derive(Default)]
pub(super) struct Planner {
    /// Empty while a job runs: the job owns the inputs.
    inputs: Box<AwsInputs>,
    running: JoinSet<(Box<AwsInputs>, Planned)>,
    next: Job,
}

impl Planner {
    /// Reads both files and makes plans, at the start or after a change of their paths.
    pub(super) fn read_others(&mut self) {
        (self.next.are_others, self.next.replan) = (true, true);
        self.next.contents.clear();
        self.read_again();
    }

    /// Reads both files again.
    pub(super) fn read_again(&mut self) {
        self.next.disk = Disk::AsTheyAre;
    }

    /// Takes a file's new content.
    pub(super) fn take(&mut self, file: SourceFile, content: Reading) {
        self.next.contents.insert(file, content);
    }

    /// Makes plans again after a change of another input.
    pub(super) fn replan(&mut self) {
        self.next.replan = true;
    }

    /// Reads the files before a request is served. A running job may have read them too early.
    pub(super) fn look_for(&mut self, request: Incoming) {
        self.next.disk = self.next.disk.max(Disk::Settled);
        self.next.waiting.push(request);
    }

    /// Starts the next job if there is input and no job is running.
    pub(super) fn begin(&mut self, basis: impl FnOnce() -> Basis) {
        if self.next.is_empty() || !self.running.is_empty() {
            return;
        }
        let (job, basis, inputs) = (std::mem::take(&mut self.next), basis(), std::mem::take(&mut self.inputs));
        self.running.spawn_blocking(move || run(inputs, job, &basis));
    }

    /// The result of the running job; `None` if none is running.
    pub(super) async fn planned(&mut self) -> Option<Planned> {
        match self.running.join_next().await? {
            Ok((inputs, planned)) => {
                self.inputs = inputs;
                Some(planned)
            }
            // A panic aborts a release build; in tests it is re-raised here.
            Err(error) => {
                tracing::error!("the AWS files were not read: {error}");
                None
            }
        }
    }
}

fn run(mut inputs: Box<AwsInputs>, job: Job, basis: &Basis) -> (Box<AwsInputs>, Planned) {
    let Job { are_others, contents, disk, replan, waiting } = job;
    if are_others {
        *inputs = AwsInputs::default();
    }
    let changes: Vec<(SourceFile, Change)> =
        contents.into_iter().map(|(file, content)| (file, inputs.take(file, content))).collect();
    let files = [(SourceFile::Config, &basis.paths.config), (SourceFile::Credentials, &basis.paths.credentials)];
    let mut disk_changed = false;
    for (file, path) in files {
        let found = match disk {
            Disk::Unread => None,
            Disk::Settled => settled_reading(path),
            Disk::AsTheyAre => Some(reading(path)),
        };
        disk_changed |= found.is_some_and(|found| inputs.take(file, found) != Change::None);
    }
    let has_changed = disk_changed || changes.iter().any(|(_, change)| *change != Change::None);
    let plans = (has_changed || replan).then(|| plans(&inputs, basis));
    (inputs, Planned { changes, disk_changed: disk_changed && !are_others, plans, waiting })
}

fn plans(inputs: &AwsInputs, basis: &Basis) -> Plans {
    let context =
        PlanContext { temporary_processes: basis.temporary_processes.clone(), ..plan_context(&basis.environment) };
    let all = basis.settings.over(inputs.profiles());
    let all: &Profiles = &all;
    let profiles = plan::resolve_all(all, &context);
    let profiles = profiles.into_iter().map(|(name, plan)| (name, plan.map_err(|error| placed(error, basis))));
    let profiles = profiles.collect();
    Plans {
        token_files: token_files(&profiles),
        profiles,
        sso_sessions: plan::resolve_sso_sessions(all, &context),
        missing: MissingSections::of(all).map(|error| placed(error, basis)),
        home: context.home_endpoint(all),
        problems: inputs.problems().into_iter().map(shown).collect(),
        lints: doctor::lints(inputs.profiles(), &context),
    }
}

/// A secret may be in the place of a section's name.
fn shown(problem: Problem) -> Problem {
    let message = redact::without_whole_secrets(&problem.message).into_owned();
    Problem { message, ..problem }
}

/// Adds the file and the line to an error's message.
fn placed(error: PlanError, basis: &Basis) -> PlanError {
    // A secret may be in the place of a profile's name.
    let error = PlanError { message: redact::without_whole_secrets(&error.message).into_owned(), ..error };
    let Some(origin) = error.origin else { return error };
    let path = path_of(&basis.paths, &basis.settings_file, origin.file);
    let fix = error.fix.or_else(|| origin.edit(&path));
    PlanError { message: format!("{}: {}", origin.at(&path), error.message), fix, ..error }
}

/// The web identity token files, and the paths in the plans.
fn token_files(plans: &BTreeMap<String, Result<Plan, PlanError>>) -> BTreeMap<PathBuf, String> {
    // Only a first step reads a token file.
    let first = plans.values().filter_map(|plan| plan.as_ref().ok()?.steps.first());
    let token_file = |step: &Step| match &step.source {
        Source::WebIdentity(role) => Some((absolute(&role.token_file), role.token_file.clone())),
        _ => None,
    };
    first.filter_map(token_file).collect()
}

fn absolute(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path))
}

#[cfg(test)]
mod tests {
    use std::fs::File;
    use std::io::Write;

    use serde_json::json;
    use zeroize::Zeroizing;

    use super::*;

    struct Bench {
        planner: Planner,
        folder: tempfile::TempDir,
    }

    impl Bench {
        fn new() -> Self {
            Self { planner: Planner::default(), folder: tempfile::tempdir().unwrap() }
        }

        fn config(&self) -> PathBuf {
            self.folder.path().join("config")
        }

        fn put(&self, name: &str) {
            File::create(self.config()).unwrap().write_all(section(name).as_bytes()).unwrap();
        }

        fn begin(&mut self) {
            let paths = AwsPaths { config: self.config(), credentials: self.folder.path().join("credentials") };
            self.planner.begin(|| Basis {
                paths,
                settings_file: PathBuf::new(),
                settings: Settings::default(),
                environment: Environment::default(),
                temporary_processes: BTreeSet::new(),
            });
        }

        async fn planned(&mut self) -> Planned {
            self.planner.planned().await.unwrap()
        }
    }

    fn section(name: &str) -> String {
        format!("[profile {name}]\nrole_arn = arn:aws:iam::111122223333:role/R\ncredential_source = EcsContainer\n")
    }

    fn content(name: &str) -> Reading {
        Reading::Bytes(Zeroizing::new(section(name).into_bytes()))
    }

    fn names(planned: &Planned) -> Vec<&str> {
        planned.plans.iter().flat_map(|plans| plans.profiles.keys()).map(String::as_str).collect()
    }

    fn request() -> Incoming {
        let (reply, _) = tokio::sync::oneshot::channel();
        let request = serde_json::from_value(json!({"version": 1, "request": "renew"})).unwrap();
        Incoming { request, reply }
    }

    #[tokio::test]
    async fn of_the_contents_that_come_during_a_job_the_newest_one_is_read_by_the_next_job() {
        let mut bench = Bench::new();
        bench.planner.take(SourceFile::Config, content("first"));
        bench.begin();
        for name in ["second", "third"] {
            bench.planner.take(SourceFile::Config, content(name));
            bench.begin();
        }
        assert_eq!(names(&bench.planned().await), ["first"], "only one job runs at a time");
        bench.begin();
        let planned = bench.planned().await;
        assert_eq!((names(&planned), planned.changes.len()), (vec!["third"], 1));
        bench.begin();
        assert!(bench.planner.planned().await.is_none(), "nothing is left to do");
    }

    #[tokio::test]
    async fn a_request_waits_for_a_job_that_began_after_it() {
        let mut bench = Bench::new();
        bench.planner.read_others();
        bench.begin();
        bench.put("new");
        bench.planner.look_for(request());
        bench.planner.look_for(request());
        bench.begin();
        assert!(bench.planned().await.waiting.is_empty());
        bench.begin();
        let planned = bench.planned().await;
        assert_eq!(planned.waiting.len(), 2, "both are served after one reading");
        bench.planner.look_for(request());
        bench.begin();
        let planned = bench.planned().await;
        assert!(planned.plans.is_none() && planned.waiting.len() == 1, "nothing has changed since");
    }

    #[tokio::test]
    async fn a_file_that_was_replaced_unnoticed_is_a_change_even_if_plans_are_made_for_another_reason() {
        let mut bench = Bench::new();
        bench.planner.read_others();
        bench.begin();
        assert!(!bench.planned().await.disk_changed, "the first reading is no change");
        bench.put("new");
        bench.planner.replan();
        bench.planner.look_for(request());
        bench.begin();
        let planned = bench.planned().await;
        assert!(planned.disk_changed);
        assert_eq!(names(&planned), ["new"]);
    }

    #[tokio::test]
    async fn other_files_take_the_profiles_of_the_old_ones_away() {
        let mut bench = Bench::new();
        bench.planner.take(SourceFile::Config, content("old"));
        bench.begin();
        assert_eq!(names(&bench.planned().await), ["old"]);
        bench.planner.take(SourceFile::Config, content("unread"));
        bench.planner.read_others();
        bench.begin();
        let planned = bench.planned().await;
        assert!(planned.plans.is_some() && names(&planned).is_empty());
    }
}
