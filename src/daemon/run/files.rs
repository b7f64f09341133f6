//! What the files say, and what comes of it when they change: plans and settings.

use std::collections::BTreeMap;
use std::path::PathBuf;

use super::Daemon;
use crate::adapters::watch::{FileChange, FileContent};
use crate::core::doctor;
use crate::core::inputs::{AwsInputs, Change, Reading};
use crate::core::keeper::Event;
use crate::core::plan::{self, Plan, PlanContext, PlanError, PlanErrorCode, Source, Step};
use crate::core::profile::SourceFile;
use crate::core::settings::Settings;
use crate::daemon::{
    aws_paths, cache_paths, daemon_environment, now, path_of, plan_context, reading, unreadable_reading,
};
use crate::wire::ProblemEntry;

impl Daemon {
    pub(super) fn read_aws_files(&mut self) {
        for (file, path) in
            [(SourceFile::Config, &self.paths.config), (SourceFile::Credentials, &self.paths.credentials)]
        {
            let _ = self.inputs.take(file, reading(path));
        }
    }

    pub(super) fn make_plans(&mut self) {
        for problem in self.inputs.problems() {
            let place = path_of(&self.paths, &self.start.folders.settings_file, problem.origin.file);
            tracing::warn!("{}: {}", problem.origin.at(&place), problem.message);
        }
        let all = self.start.settings.over(self.inputs.profiles());
        let context = PlanContext {
            temporary_processes: self.keeper.memory().temporary_processes.clone(),
            ..plan_context(&self.environment)
        };
        let (profiles, sso_sessions) = (plan::resolve_all(&all, &context), plan::resolve_sso_sessions(&all, &context));
        let profiles = profiles.into_iter().map(|(name, plan)| (name, plan.map_err(|error| self.placed(error))));
        let profiles = profiles.collect();
        let token_files = token_files(&profiles);
        let unreadable = plan::unreadable_files(&all).map(|error| self.placed(error));
        self.keeper.handle(Event::UnreadableFiles(unreadable), now());
        self.keeper.handle(Event::Plans { profiles, sso_sessions }, now());
        self.keeper.handle(Event::Home(context.home_endpoint(&all)), now());
        let files = self.keeper.session_files();
        let sessions_changed = self.sessions.watch(&self.minter.sessions, files);
        if token_files != self.token_files || sessions_changed {
            self.token_files = token_files;
            self.watcher.set_paths(self.watched());
        }
    }

    /// Adds the file and the line to an error's message.
    fn placed(&self, error: PlanError) -> PlanError {
        let Some(origin) = error.origin else { return error };
        let path = path_of(&self.paths, &self.start.folders.settings_file, origin.file);
        let fix = match error.code {
            PlanErrorCode::UnreadableFile => {
                error.fix.or_else(|| Some(format!("correct {path}, line {}", origin.line)))
            }
            _ => error.fix,
        };
        PlanError { message: format!("{}: {}", origin.at(&path), error.message), fix, ..error }
    }

    /// Looks at the keys in the files. `by_change`: a person has just changed one of them.
    pub(super) fn look_for_mistakes(&mut self, by_change: bool) {
        let remarks = doctor::remarks(self.inputs.profiles(), &plan_context(&self.environment));
        self.remarks.set(remarks, by_change, now().boot);
    }

    pub(super) fn watched(&self) -> Vec<PathBuf> {
        let own = [&self.start.folders.settings_file, &self.paths.config, &self.paths.credentials];
        own.into_iter()
            .chain(self.socket.path())
            .chain(self.token_files.keys())
            .chain(self.sessions.paths())
            .cloned()
            .collect()
    }

    /// Processes changes; those of cache files together, as there may be thousands.
    pub(super) fn files_changed(&mut self, changes: impl Iterator<Item = FileChange>) {
        let mut of_sessions = Vec::new();
        for change in changes {
            match self.sessions.file_changed(&change.path, &change.content) {
                Some(event) => {
                    if let Event::SessionFile { file, .. } = &event {
                        self.sessions.check(&self.minter.sessions, file.clone());
                    }
                    of_sessions.push(event);
                }
                None => {
                    self.keeper.handle_all(std::mem::take(&mut of_sessions), now());
                    self.file_changed(change);
                }
            }
        }
        self.keeper.handle_all(of_sessions, now());
    }

    fn file_changed(&mut self, FileChange { path, content }: FileChange) {
        if self.socket.path() == Some(&path) {
            if matches!(content, FileContent::Missing) {
                self.make_socket_again();
            }
            return;
        }
        let found = match content {
            FileContent::Missing => Reading::Missing,
            FileContent::Text(bytes) => Reading::Bytes(bytes),
            FileContent::Unreadable(why) => unreadable_reading(&path, why),
        };
        if let Some(token_file) = self.token_files.get(&path) {
            // What is in it is read when it is needed.
            let event = Event::TokenFileChanged(token_file.clone());
            return self.keeper.handle(event, now());
        }
        // One path may be both files, in odd set-ups.
        if path == self.start.folders.settings_file {
            return self.settings_changed(found);
        }
        let mut changes = Vec::new();
        if path == self.paths.config && path == self.paths.credentials {
            self.read_aws_files();
            changes.push(Change::Profiles);
        } else if path == self.paths.config {
            changes.push(self.inputs.take(SourceFile::Config, found));
        } else if path == self.paths.credentials {
            changes.push(self.inputs.take(SourceFile::Credentials, found));
        }
        if changes.contains(&Change::Profiles) {
            tracing::info!("{} has changed", path.display());
            self.make_plans();
            self.look_for_mistakes(true);
        } else if changes.contains(&Change::Rejected) {
            tracing::warn!("{} can't be read; its earlier profiles stay in use", path.display());
            self.make_plans();
        }
    }

    /// Creates the removed socket again. Other files in its directory may be gone too, so they are written again.
    pub(super) fn make_socket_again(&mut self) {
        if self.socket.make_again(now().boot) {
            (self.saves.minted, self.saves.unsaved) = (true, true);
            // It may be removed again before the watcher has seen it.
            self.watcher.report_again(self.socket.path().cloned());
        }
    }

    /// Processes new readings of the AWS files.
    pub(super) fn take_readings(&mut self, readings: Vec<(SourceFile, Reading)>) {
        let changes: Vec<Change> =
            readings.into_iter().map(|(file, reading)| self.inputs.take(file, reading)).collect();
        if changes.iter().any(|change| *change != Change::None) {
            tracing::info!("an AWS file has changed");
            self.make_plans();
            self.look_for_mistakes(true);
            // The watcher remembers an older content: a return to that is a change too.
            self.watcher.report_again([self.paths.config.clone(), self.paths.credentials.clone()]);
        }
    }

    /// New settings are taken whole or not at all.
    fn settings_changed(&mut self, found: Reading) {
        let path = self.start.folders.settings_file.clone();
        let parsed = match found {
            Reading::Missing if self.start.folders.settings_file_is_named => Err(("the file is gone".to_owned(), None)),
            Reading::Missing => Ok(Settings::default()),
            Reading::Unreadable(unreadable) => Err((unreadable.why, None)),
            Reading::Bytes(bytes) => {
                Settings::parse_bytes(&bytes).map_err(|error| (error.message(), u32::try_from(error.line()).ok()))
            }
        };
        match parsed {
            Ok(settings) => {
                self.settings_problem = None;
                if settings != self.start.settings {
                    tracing::info!("{} has changed", path.display());
                    self.start.settings = settings;
                    self.apply_settings();
                }
            }
            Err((why, line)) => {
                tracing::warn!("{} is not used: {why}; the settings go on as they were", path.display());
                self.settings_problem = Some(ProblemEntry {
                    id: "settings-refused".to_owned(),
                    message: format!("the settings file is not used: {why}; the daemon keeps the settings it had"),
                    file: Some(path.display().to_string()),
                    line,
                    // The command shows every mistake with its line.
                    fix: Some("evercred config check".to_owned()),
                });
            }
        }
    }

    fn apply_settings(&mut self) {
        self.environment = daemon_environment(&self.start.own, &self.start.settings);
        match cache_paths(&self.environment) {
            Ok(caches) => self.minter.reconfigure(self.environment.clone(), caches),
            Err(why) => tracing::warn!("{why}"),
        }
        self.keeper.handle(Event::Settings(self.start.settings.keeper()), now());
        self.notices.set(&self.start.settings.notify, now());
        // Where minted sets are kept may have changed.
        self.saves.minted = true;
        match aws_paths(&self.environment) {
            Ok(paths) if paths != self.paths => {
                self.paths = paths;
                self.watcher.set_paths(self.watched());
                self.inputs = AwsInputs::default();
                self.read_aws_files();
            }
            Ok(_) => {}
            Err(why) => tracing::warn!("{why}"),
        }
        // Region and endpoint variables may have changed too.
        self.make_plans();
        self.look_for_mistakes(false);
    }
}

/// The web identity token files, and how the plans name them.
fn token_files(plans: &BTreeMap<String, Result<Plan, PlanError>>) -> BTreeMap<PathBuf, String> {
    let steps = plans.values().filter_map(|plan| plan.as_ref().ok()).flat_map(|plan| &plan.steps);
    let token_file = |step: &Step| match &step.source {
        Source::WebIdentity(role) => Some((absolute(&role.token_file), role.token_file.clone())),
        _ => None,
    };
    steps.filter_map(|step| token_file(step)).collect()
}

fn absolute(path: &str) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| PathBuf::from(path))
}
