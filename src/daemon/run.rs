//! The one loop: waits for something to happen, tells the keeper, does what the keeper says.

mod files;
mod serve;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::task::JoinSet;

use super::clock_facts::{ClockFacts, For};
use super::notices::{self, PersonNotices};
use super::planner::Planner;
use super::requests::Callers;
use super::saves::Saves;
use super::service_manager::{ServiceManager, how_to_restart};
use super::sessions::SessionWork;
use super::state::{Recovered, StateFiles, Unavailable};
use super::{Refused, Start, aws_paths, cache_paths, daemon_environment, now};
use crate::adapters::mint::Minter;
use crate::adapters::watch::FileWatcher;
use crate::adapters::{clock, ntp};
use crate::core::clock::{Clock, Sample};
use crate::core::doctor::FileLints;
use crate::core::keeper::{Action, Disturbance, Event, Keeper, LogLevel, LogLine, NtpOrder, Outcome, Ticket};
use crate::core::location::AwsPaths;
use crate::core::profile::Problem;
use crate::core::time::AwsTime;
use crate::core::timekeeping::TimeKeeping;
use crate::daemon::problem_log::ProblemLog;
use crate::daemon::socket::Socket;
use crate::delivery::control_socket::{self, Incoming, ListenError};
use crate::platform::environment::Environment;
use crate::platform::network::{self, WayOut};
use crate::platform::timer::{Timer, Wake};
use crate::platform::{allocator, program, random};
use crate::wire::{ProblemEntry, ProgramStatus};

/// Requests that wait for the loop; more wait in their connections.
const QUEUE: usize = 64;

/// From this number of events on, the memory that they took is returned to the system.
const MANY: usize = 256;

/// The capacity of the queue of changed files. Each entry has all the files of one look.
const CHANGES: usize = 8;

/// For what is under way at the end: a call and what is behind it. Service managers wait for longer.
const LONGEST_END: Duration = Duration::from_secs(20);

/// Everything that the loop works on.
struct Daemon {
    start: Start,
    environment: Environment,
    paths: AwsPaths,
    /// Reads the AWS files, and makes the plans.
    planner: Planner,
    /// The problems of the AWS files.
    file_problems: Vec<Problem>,
    /// What is wrong with the keys in the files, and what was told of it.
    lints: FileLints,
    problem_log: ProblemLog,
    /// Why the settings file as it is now is not in force.
    settings_problem: Option<ProblemEntry>,
    /// State files that were set aside at the start.
    state_problems: Vec<ProblemEntry>,
    keeper: Keeper,
    minter: Minter,
    calls: JoinSet<Ended>,
    sessions: SessionWork,
    callers: Callers,
    /// Requests, and whether the caller's paths lead to the files that this daemon watches.
    looks: JoinSet<(Incoming, bool)>,
    ntp: JoinSet<Event>,
    clock_facts: ClockFacts,
    notices: PersonNotices,
    saves: Saves,
    socket: Socket,
    watcher: FileWatcher,
    /// The web identity token files, and how the plans name them.
    token_files: BTreeMap<PathBuf, String>,
    timer: Timer,
    manager: ServiceManager,
    program: Option<ProgramStatus>,
    started_at: AwsTime,
}

/// An order that has ended.
type Ended = (Ticket, Outcome, Vec<Sample>);

/// Runs until it is told to stop.
///
/// # Errors
/// Why it can't start.
pub(super) async fn run(mut start: Start) -> Result<(), Refused> {
    let environment = daemon_environment(&start.own, &start.settings);
    let paths = aws_paths(&environment).map_err(Refused::directory)?;
    if let Some(why) = &start.folders.no_session {
        tracing::warn!("{why}; the socket is in {}", start.folders.runtime.display());
    }
    let (state, unsaved) =
        StateFiles::open(&start.folders.state, &start.folders.runtime, clock::boot_id()).map_err(|unavailable| {
            match unavailable {
                Unavailable::Taken(why) => Refused::other_daemon(why),
                Unavailable::Disk(why) | Unavailable::Misplaced(why) => Refused::directory(why),
            }
        })?;
    let failed = |what: &'static str| move |error: std::io::Error| Refused::directory(format!("{what}: {error}"));
    let mut interrupt = signal(SignalKind::interrupt()).map_err(failed("signals can't be waited for"))?;
    let mut terminate = signal(SignalKind::terminate()).map_err(failed("signals can't be waited for"))?;
    let mut hangup = signal(SignalKind::hangup()).map_err(failed("signals can't be waited for"))?;
    let timer = Timer::start().map_err(failed("the timer can't be started"))?;
    let handed_over = std::mem::take(&mut start.listeners);
    let is_handed_over = !handed_over.is_empty();
    let listener = control_socket::listen(&start.folders.runtime, handed_over).map_err(|error| match error {
        ListenError::Taken(why) => Refused::other_daemon(why),
        ListenError::Unusable(why) => Refused::directory(why),
    })?;

    let (requests, mut incoming) = mpsc::channel(QUEUE);
    let places = control_socket::places(start.descriptors);
    let (changes, mut changed) = mpsc::channel(CHANGES);
    let watcher = FileWatcher::new(Vec::new(), changes);

    let (keeper, state_problems) = keeper(&start, &state);
    let started_at = keeper.clock().best(now());
    let minter = Minter::new(environment.clone(), cache_paths(&environment).map_err(Refused::directory)?);
    let mut daemon = Daemon {
        environment,
        paths,
        planner: Planner::default(),
        file_problems: Vec::new(),
        lints: FileLints::default(),
        problem_log: ProblemLog::default(),
        settings_problem: None,
        state_problems,
        keeper,
        minter,
        calls: JoinSet::new(),
        sessions: SessionWork::default(),
        callers: Callers::default(),
        looks: JoinSet::new(),
        ntp: JoinSet::new(),
        clock_facts: ClockFacts::default(),
        notices: PersonNotices::new(&start.settings.notify),
        saves: Saves::new(state, unsaved),
        socket: Socket::serve(listener, is_handed_over, &start.folders.runtime, requests, places),
        watcher,
        token_files: BTreeMap::new(),
        timer,
        manager: ServiceManager::from_environment(&start.own),
        program: program(&start.own),
        started_at,
        start,
    };
    // Before the first plans every profile would be missing.
    daemon.planner.read_others();
    daemon.begin_planning();
    if let Some(planned) = daemon.planner.planned().await {
        daemon.planned(planned);
    }
    daemon.watcher.set_paths(daemon.watched());
    let left = daemon.socket.left();
    let watching = tokio::spawn(daemon.watcher.clone().run());
    let (ways, mut way_out) = mpsc::channel(1);
    let listening = tokio::spawn(watch_network(ways));
    daemon.manager.ready();
    tracing::info!("watching {} and {}", daemon.paths.config.display(), daemon.paths.credentials.display());

    loop {
        daemon.carry_out();
        tokio::select! {
            Some(request) = incoming.recv() => daemon.take_request(request),
            Some(Ok((request, are_same))) = daemon.looks.join_next() => daemon.looked(request, are_same),
            Some(planned) = daemon.planner.planned() => daemon.planned(planned),
            Some(found) = daemon.clock_facts.found() => daemon.clock_looked_at(found),
            Some(Ok(event)) = daemon.ntp.join_next() => daemon.keeper.handle(event, now()),
            Some(ended) = daemon.calls.join_next() => daemon.ended(ended),
            Some(events) = daemon.sessions.next() => daemon.session_events(events),
            // Whoever hung up is looked for before anything is carried out.
            () = left.notified() => {}
            Some(changes) = changed.recv() => daemon.files_changed(changes),
            Some(()) = daemon.saves.ended() => {}
            Some(way) = way_out.recv() => daemon.network_changed(way),
            wake = daemon.timer.wake() => match wake {
                Wake::Due => daemon.keeper.handle_timeout(now()),
                Wake::WallClockSet => daemon.keeper.handle(Event::Disturbed(Disturbance::WallClockSet), now()),
            },
            _ = hangup.recv() => {
                tracing::info!("reading every file again");
                daemon.watcher.rescan();
            }
            _ = terminate.recv() => break,
            _ = interrupt.recv() => break,
        }
    }
    daemon.manager.stopping();
    tracing::info!("stopping");
    daemon.socket.stop();
    watching.abort();
    listening.abort();
    // A refresh that AWS has answered already must reach its file.
    daemon.finish_sessions().await;
    // Both would write the same files.
    while daemon.saves.ended().await.is_some() {}
    daemon.saves.last(&daemon.keeper, daemon.start.settings.state.persist);
    Ok(())
}

/// The keeper with what the last daemon left to it, and what of that can't be used.
fn keeper(start: &Start, state: &StateFiles) -> (Keeper, Vec<ProblemEntry>) {
    let Recovered { memory, minted, unsaved, clock: saved, complaints } = state.recover(start.settings.state.persist);
    let problem = |message: String| {
        tracing::warn!("{message}");
        ProblemEntry { id: "state-file-set-aside".to_owned(), message, file: None, line: None, fix: None }
    };
    let problems = complaints.into_iter().map(problem).collect();
    let now = now();
    let mut estimate = Clock::new(now, clock::wall_is_synchronised());
    if let Some(saved) = saved {
        estimate.restore(saved, now);
    }
    let mut keeper = Keeper::new(start.settings.keeper(), memory, estimate, random::seed());
    for (sets, same_boot) in minted {
        keeper.restore_minted(sets, same_boot);
    }
    keeper.restore_unsaved(unsaved);
    (keeper, problems)
}

/// What this program was started from, so that a companion can tell when something else stands there.
fn program(own: &Environment) -> Option<ProgramStatus> {
    let path = program::path()?;
    let identity = program::identity(&path)?;
    Some(ProgramStatus { path: path.display().to_string(), identity, restart: how_to_restart(own) })
}

/// Without the kernel's word what failed is tried again all the same, only later.
async fn watch_network(changes: mpsc::Sender<WayOut>) {
    if let Err(error) = network::watch(changes).await {
        tracing::debug!("changes of the network are not seen: {error}");
    }
}

impl Daemon {
    /// Does what the keeper says, and sets the timer to when it wants to be asked again.
    fn carry_out(&mut self) {
        let now = now();
        for caller in self.callers.gone() {
            self.keeper.handle(Event::CallerGone(caller), now);
        }
        // Whoever is answered from memory changes nothing.
        let mut acted = false;
        let mut unread = Vec::new();
        while let Some(action) = self.keeper.poll_action() {
            acted |= !matches!(action, Action::Answer { .. });
            match action {
                Action::Mint(order) => {
                    let (minter, ticket) = (self.minter.clone(), order.ticket);
                    self.calls.spawn(async move {
                        let (outcome, samples) = minter.mint(*order).await;
                        (ticket, outcome, samples)
                    });
                }
                Action::LookAtSession(file) => unread.extend(self.keeper.session_of_file(&file).cloned()),
                Action::Refresh(order) => self.sessions.refresh(&self.minter.sessions, *order),
                Action::BeginSignIn(order) => self.sessions.sign_in(&self.minter.sessions, *order),
                Action::CancelSignIn(ticket) => self.sessions.cancel(ticket),
                Action::SignOut(order) => self.sessions.sign_out(&self.minter.sessions, *order),
                Action::ListRoles(order) => self.sessions.list_roles(&self.minter.sessions, *order),
                Action::Notice(notice) if notices::depends_on_the_machine(&notice) => {
                    self.clock_facts.look(&self.environment, For::Person(notice));
                }
                Action::Notice(notice) => self.notices.tell(notice, now),
                Action::RunCodeProgram(order) => {
                    let (minter, ticket) = (self.minter.clone(), order.ticket);
                    self.calls.spawn(async move { (ticket, minter.read_code(order).await, Vec::new()) });
                }
                Action::Probe(order) => {
                    let (minter, ticket) = (self.minter.clone(), order.ticket);
                    self.calls.spawn(async move {
                        let (outcome, samples) = minter.probe(order).await;
                        (ticket, outcome, samples)
                    });
                }
                Action::AskNtp(NtpOrder { server, about }) => {
                    self.ntp.spawn(async move {
                        let result = ntp::ask(&server, about).await;
                        Event::NtpAnswered { server, result }
                    });
                }
                Action::Answer { caller, answer } => {
                    let (estimate, warn) = (self.keeper.clock(), self.start.settings.clock.warn.get());
                    self.callers.answer(caller, answer, |credentials| {
                        Some(estimate.for_local_reader(credentials.expires_at?, now, warn))
                    });
                }
                Action::Remember => self.saves.memory = true,
                Action::Replan => self.planner.replan(),
                Action::KeepMinted => self.saves.minted = true,
                Action::KeepUnsaved => self.saves.unsaved = true,
                Action::Log(line) => log(&line),
            }
        }
        self.sessions.read_files(&self.minter.sessions, &unread);
        if self.socket.next_timeout().is_some_and(|at| at <= now.boot) {
            self.make_socket_again();
        }
        self.lints.handle_timeout(now.boot);
        while let Some(notice) = self.lints.poll_notice() {
            self.notices.tell(notice, now);
        }
        self.begin_planning();
        self.saves.begin(&self.keeper, self.start.settings.state.persist);
        // Only a loop that came so far says that it is alive.
        let alive = self.manager.alive(now.boot);
        self.manager.status(acted, || self.keeper.summary(now));
        let shown = self.notices.show(&self.environment, now);
        let saves = self.saves.next_timeout();
        let socket = self.socket.next_timeout();
        let due = [self.keeper.next_timeout(), self.lints.next_timeout(), saves, alive, shown, socket];
        let next = due.into_iter().flatten().min();
        self.timer.arm(next.map(|at| (at - now.boot).to_std().unwrap_or(Duration::ZERO)));
    }

    fn ended(&mut self, ended: Result<Ended, tokio::task::JoinError>) {
        match ended {
            Ok((ticket, outcome, samples)) => {
                self.keeper.handle(Event::Ended { ticket, outcome, samples }, now());
            }
            // In release a panic aborts; in tests it shows here.
            Err(error) => tracing::error!("a call ended without an outcome: {error}"),
        }
    }

    /// Ends the work on sessions, and writes what is not in its file yet.
    async fn finish_sessions(&mut self) {
        let end = async {
            self.sessions.stop_sign_ins();
            while let Some(events) = self.sessions.finished().await {
                self.keeper.handle_all(events, now());
                // Orders that come now are for the next daemon.
                while self.keeper.poll_action().is_some() {}
            }
            for order in self.keeper.last_saves(now()) {
                self.sessions.refresh(&self.minter.sessions, order);
            }
            while let Some(events) = self.sessions.finished().await {
                self.keeper.handle_all(events, now());
            }
        };
        if tokio::time::timeout(LONGEST_END, end).await.is_err() {
            tracing::warn!("a refresh of a session took too long and was cancelled");
        }
    }

    /// Gives the keeper the events of sessions: those of thousands of cache files in one step.
    fn session_events(&mut self, events: Vec<Event>) {
        let wrote = events.iter().any(|event| matches!(event, Event::Ended { .. }));
        let are_many = events.len() >= MANY;
        self.keeper.handle_all(events, now());
        if are_many {
            allocator::return_freed_memory();
        }
        if wrote {
            self.watcher.report_again(self.sessions.paths().cloned());
        }
    }

    /// A network that went away is found out by whoever calls: there may be endpoints on this machine.
    fn network_changed(&mut self, way: WayOut) {
        tracing::debug!("the way out to the network has changed: {way:?}");
        if way.is_there() {
            self.keeper.handle(Event::Disturbed(Disturbance::Network), now());
        }
    }

    fn clock_looked_at(&mut self, found: Result<(TimeKeeping, For), tokio::task::JoinError>) {
        match found {
            Ok((facts, wanted_for)) => {
                let warn = self.start.settings.clock.warn.get();
                let now = now();
                if let Some(notice) = self.clock_facts.take(facts, wanted_for, &self.keeper, warn, now) {
                    self.notices.tell(notice, now);
                }
            }
            Err(error) => tracing::error!("the state of the time service can't be read: {error}"),
        }
    }
}

fn log(line: &LogLine) {
    let LogLine { level, profile, message } = line;
    match (level, profile) {
        (LogLevel::Warn, Some(profile)) => tracing::warn!(profile, "{message}"),
        (LogLevel::Warn, None) => tracing::warn!("{message}"),
        (LogLevel::Info, Some(profile)) => tracing::info!(profile, "{message}"),
        (LogLevel::Info, None) => tracing::info!("{message}"),
        (LogLevel::Debug, Some(profile)) => tracing::debug!(profile, "{message}"),
        (LogLevel::Debug, None) => tracing::debug!("{message}"),
    }
}
