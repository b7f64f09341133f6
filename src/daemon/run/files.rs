//! What the files say, and what comes of it when they change: plans and settings.

use std::path::PathBuf;

use super::Daemon;
use crate::adapters::watch::{FileChange, FileContent};
use crate::core::fix::correct;
use crate::core::inputs::{Change, Reading};
use crate::core::keeper::Event;
use crate::core::profile::SourceFile;
use crate::core::settings::Settings;
use crate::daemon::planner::{Basis, Planned, Plans};
use crate::daemon::{aws_paths, cache_paths, daemon_environment, now, path_of, unreadable_reading};
use crate::platform::allocator;
use crate::wire::ProblemEntry;

impl Daemon {
    /// Starts a job of the planner, if one is requested and none is running.
    pub(super) fn begin_planning(&mut self) {
        let (paths, settings, environment, keeper) =
            (&self.paths, &self.start.settings, &self.environment, &self.keeper);
        self.planner.begin(|| Basis {
            paths: paths.clone(),
            settings_file: self.start.folders.settings_file.clone(),
            settings: settings.clone(),
            environment: environment.clone(),
            temporary_processes: keeper.memory().temporary_processes.clone(),
        });
    }

    /// Applies the result of a job, and serves the requests that waited for it.
    pub(super) fn planned(&mut self, planned: Planned) {
        let Planned { changes, disk_changed, plans, waiting } = planned;
        for (file, change) in &changes {
            let path = path_of(&self.paths, &self.start.folders.settings_file, *file);
            match change {
                Change::None => {}
                Change::Profiles => tracing::info!("{path} has changed"),
                Change::Rejected => tracing::warn!("{path} can't be read; its earlier profiles stay in use"),
            }
        }
        if disk_changed {
            tracing::info!("an AWS file has changed");
            // The watcher remembers an older content, and must report a return to it as a change.
            self.watcher.report_again([self.paths.config.clone(), self.paths.credentials.clone()]);
        }
        if let Some(plans) = plans {
            let by_change = disk_changed || changes.iter().any(|(_, change)| *change == Change::Profiles);
            self.take_plans(plans, by_change);
        }
        for request in waiting {
            self.serve(request);
        }
    }

    /// `by_change`: the user has just changed a file.
    fn take_plans(&mut self, plans: Plans, by_change: bool) {
        let Plans { profiles, sso_sessions, missing, home, token_files, problems, lints } = plans;
        let place = |file| path_of(&self.paths, &self.start.folders.settings_file, file);
        let said = problems.iter();
        let said =
            said.map(|problem| format!("{}: {}", problem.origin.at(&place(problem.origin.file)), problem.message));
        for line in self.problem_log.lines(said) {
            tracing::warn!("{line}");
        }
        self.file_problems = problems;
        self.lints.set(lints, by_change, now().boot);
        self.keeper.handle(Event::MissingSections(missing), now());
        self.keeper.handle(Event::Plans { profiles, sso_sessions }, now());
        self.keeper.handle(Event::Home(home), now());
        let files = self.keeper.session_files();
        let sessions_changed = self.sessions.watch(&self.minter.sessions, files);
        if token_files != self.token_files || sessions_changed {
            self.token_files = token_files;
            self.watcher.set_paths(self.watched());
        }
        allocator::return_freed_memory();
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

    /// Processes changes; those of cache files in one step, as there may be thousands.
    pub(super) fn files_changed(&mut self, changes: Vec<FileChange>) {
        let mut cache_files = Vec::new();
        let mut events = Vec::new();
        for change in changes {
            match self.sessions.file_changed(&change.path, &change.content) {
                Some((file, found)) => {
                    cache_files.push(file.clone());
                    events.push(Event::SessionFile { file, found });
                }
                None => self.file_changed(change),
            }
        }
        if !events.is_empty() {
            self.sessions.check_files(&self.minter.sessions, &cache_files);
            self.session_events(events);
        }
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
        if path == self.paths.config && path == self.paths.credentials {
            self.planner.read_again();
        } else if path == self.paths.config {
            self.planner.take(SourceFile::Config, found);
        } else if path == self.paths.credentials {
            self.planner.take(SourceFile::Credentials, found);
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
                tracing::warn!("{} is not used: {why}; the earlier settings stay in use", path.display());
                self.settings_problem = Some(ProblemEntry {
                    id: "settings-refused".to_owned(),
                    message: format!("the settings file is not used: {why}; the earlier settings stay in use"),
                    file: Some(path.display().to_string()),
                    line,
                    fix: line.map(|line| correct(&path.display().to_string(), line as usize)),
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
                self.planner.read_others();
            }
            Ok(_) => {}
            Err(why) => tracing::warn!("{why}"),
        }
        // Region and endpoint variables may have changed too.
        self.planner.replan();
    }
}
