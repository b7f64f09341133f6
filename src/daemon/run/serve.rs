//! Requests from the control socket: whose files they mean, and how the keeper answers them.

use serde_json::json;

use super::Daemon;
use crate::core::glob::Selection;
use crate::core::keeper::{Event, Login, Wants};
use crate::core::profile::Problem;
use crate::core::service::environment;
use crate::core::session::{CacheFile, CacheFolder};
use crate::core::time::AwsTime;
use crate::daemon::clock_facts::For;
use crate::daemon::requests::{self, Asked};
use crate::daemon::status::Known;
use crate::daemon::status_pages::Page;
use crate::daemon::{cache_paths, now, path_of, status};
use crate::delivery::control_socket::Incoming;
use crate::wire::{self, Position};

impl Daemon {
    pub(super) fn take_request(&mut self, incoming: Incoming) {
        // What isn't understood is not asked whose files it means.
        if requests::same_files(&incoming.request, &self.paths) || requests::understand(&incoming.request).is_err() {
            return self.begin(incoming);
        }
        let (request, paths) = (incoming.request.clone(), self.paths.clone());
        self.looks.spawn_blocking(move || {
            let are_same = requests::same_files_on_disk(&request, &paths);
            (incoming, are_same)
        });
    }

    pub(super) fn looked(&mut self, incoming: Incoming, are_same: bool) {
        if are_same {
            return self.begin(incoming);
        }
        let error = requests::wrong_files(&incoming.request, &self.paths);
        let _ = incoming.reply.send(wire::answer_error(&error));
    }

    /// Serves a request. If newer files could change the answer, it first reads them again: events may be late, and some
    /// file systems have none.
    pub(super) fn begin(&mut self, incoming: Incoming) {
        let needs_look = match requests::understand(&incoming.request) {
            Ok(Asked::Keeper(_, Wants::Renewal)) => true,
            Ok(Asked::Keeper(name, _) | Asked::Code(name, _) | Asked::Login { name: Some(name), .. }) => {
                self.keeper.would_be_refused(&name, now())
            }
            Ok(Asked::Status) => self.keeper.refusal_of(Selection(&incoming.request.profiles)).is_some(),
            _ => false,
        };
        if needs_look { self.planner.look_for(incoming) } else { self.serve(incoming) }
    }

    pub(super) fn serve(&mut self, Incoming { request, reply }: Incoming) {
        match requests::understand(&request) {
            Ok(Asked::Keeper(profile, wants)) => {
                let caller = self.callers.add(profile.clone(), wants, reply);
                self.keeper.handle(Event::Asked { caller, profile, wants }, now());
            }
            Ok(Asked::Code(profile, code)) => {
                let caller = self.callers.add(profile.clone(), Wants::Renewal, reply);
                self.keeper.handle(Event::Code { caller, profile, code }, now());
            }
            Ok(Asked::Login { name, flow, force }) => match self.keeper.login_for(name.as_deref()) {
                Ok(login) if !force && let Some(signed_in) = self.keeper.lasting_sign_in(&login, now()) => {
                    let answer = json!({
                        "signed_in": signed_in.name,
                        "ends_at": signed_in.ends_at.map(AwsTime::to_rfc3339),
                        "expires_at": signed_in.expires_at.map(AwsTime::to_rfc3339),
                    });
                    let _ = reply.send(wire::answer_ok(&answer));
                }
                Ok(Login::Code { profile, device }) => {
                    let answer = json!({"profile": profile, "needs": "mfa-code", "device": device});
                    let _ = reply.send(wire::answer_ok(&answer));
                }
                Ok(Login::SignIn(session)) => {
                    let caller = self.callers.add(name.unwrap_or_default(), Wants::Renewal, reply);
                    self.keeper.handle(Event::SignIn { caller, session, flow }, now());
                }
                Err(refusal) => {
                    let _ = reply.send(wire::answer_error(&refusal.into()));
                }
            },
            Ok(Asked::AwaitSignIn(sign_in, pasted)) => {
                if let Some(code) = pasted {
                    self.sessions.paste(sign_in, code);
                }
                let caller = self.callers.add(String::new(), Wants::Renewal, reply);
                self.keeper.handle(Event::AwaitSignIn { caller, sign_in }, now());
            }
            Ok(Asked::Roles(session)) => {
                let caller = self.callers.add(session.clone(), Wants::Renewal, reply);
                self.keeper.handle(Event::ListRoles { caller, session }, now());
            }
            Ok(Asked::Logout(name)) => match self.keeper.login_for(name.as_deref()) {
                Ok(login) => {
                    let caller = self.callers.add(name.unwrap_or_default(), Wants::Renewal, reply);
                    self.keeper.handle(Event::Logout { caller, login }, now());
                }
                Err(refusal) => {
                    let _ = reply.send(wire::answer_error(&refusal.into()));
                }
            },
            Ok(Asked::Status) => {
                if request.after.is_none() {
                    // A clock that was set since the last event is seen now.
                    self.keeper.handle_timeout(now());
                }
                let selection = Selection(&request.profiles);
                let refusal = self.keeper.refusal_of(selection).filter(|_| request.after.is_none());
                let _ = reply.send(match refusal {
                    Some(refusal) => wire::answer_error(&refusal.into()),
                    None => {
                        let page = self.status_page(request.after.clone(), selection);
                        wire::answer_ok(&serde_json::to_value(page).unwrap_or_default())
                    }
                });
            }
            Ok(Asked::Clock) => {
                self.keeper.handle_timeout(now());
                self.clock_facts.look(&self.environment, For::Caller(reply));
            }
            Err(error) => {
                let _ = reply.send(wire::answer_error(&error));
            }
        }
    }

    /// The page of the status of the selected profiles that begins at a position; without one the first page. It computes
    /// only the entries that it carries.
    fn status_page(&mut self, after: Option<Position>, selection: Selection<'_>) -> wire::StatusDocument {
        let now = now();
        let base = status::Base {
            started_at: self.started_at,
            program: self.program.clone(),
            environment: environment::shown(&|name| self.environment.get(name).map(str::to_owned)),
            warn: self.start.settings.clock.warn.get(),
        };
        let clock_fix = self.clock_facts.first_fix(&self.environment, &self.keeper, now);
        let keeper = &self.keeper;
        let mut page = Page::new(status::document_without_lists(keeper, base, now), after);
        page.add_profiles(|after| status::profiles(keeper, after, selection, now));
        page.add_sso_sessions(|from| status::sso_sessions(keeper, from, selection, now));
        page.add_mfa_sessions(|from| status::mfa_sessions(keeper, selection, now).skip(from));
        let path = |file| path_of(&self.paths, &self.start.folders.settings_file, file);
        let caches = cache_paths(&self.environment).ok();
        let cache_path = |file: &CacheFile| {
            let caches = caches.as_ref()?;
            let directory = match file.folder {
                CacheFolder::Sso => &caches.sso,
                CacheFolder::Login => &caches.login,
            };
            Some(directory.join(&file.name).display().to_string())
        };
        let others = self.settings_problem.iter().chain(&self.state_problems).cloned().chain(self.saves.problem());
        let others: Vec<_> = others.collect();
        // A mistake in another profile is not shown. A fatal problem makes some programs refuse the whole file.
        let concerned = (!selection.is_all()).then(|| keeper.with_sources(selection));
        let is_of_selection = |profile: &str| concerned.as_ref().is_none_or(|names| names.contains(profile));
        let is_shown = |problem: &&Problem| {
            let mut names = problem.ignored_names().peekable();
            problem.fatal || names.peek().is_none() || names.any(is_of_selection)
        };
        let files: Vec<_> = self.file_problems.iter().filter(is_shown).collect();
        let lints: Vec<_> = self.lints.lints().iter().filter(|lint| is_of_selection(&lint.profile)).collect();
        let count = files.len() + lints.len() + others.len();
        page.add_problems(|from| {
            let (files, lints) = (files.into_iter().map(Known::File), lints.into_iter().map(Known::Lint));
            let known = files.chain(lints).chain(others.into_iter().map(Known::Other));
            let warnings =
                std::iter::once_with(move || status::warnings(keeper, clock_fix, &cache_path, selection, now))
                    .flatten();
            known.skip(from).map(|known| known.entry(&path)).chain(warnings.skip(from.saturating_sub(count)))
        });
        page.finish()
    }
}
