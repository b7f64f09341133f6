//! The daemon: puts the parts together and runs the one loop.

mod arguments;
mod clock_document;
mod clock_facts;
mod folders;
mod log_writer;
mod logging;
mod notices;
mod planner;
mod probe;
mod problem_log;
mod recover;
mod requests;
mod run;
mod saves;
mod service_manager;
mod sessions;
mod socket;
mod state;
mod status;
mod status_pages;

use std::collections::BTreeMap;
use std::fmt;
use std::io::Write;
use std::os::unix::net::UnixListener;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use self::arguments::Arguments;
use self::folders::Folders;
use self::log_writer::LogWriter;
use crate::adapters::{clock, file as person_file};
use crate::core::aws_file::Document;
use crate::core::fix::correct;
use crate::core::inputs::{AwsInputs, Reading, Unreadable};
use crate::core::location::{AwsPaths, CachePaths, PathStyle};
use crate::core::plan::{self, PlanContext, PlanErrorCode};
use crate::core::printable;
use crate::core::profile::{Origin, SourceFile};
use crate::core::redact;
use crate::core::role_arn;
use crate::core::settings::{LISTED, Settings};
use crate::platform::environment::Environment;
use crate::platform::{harden, inherited, limits, signals, unreadable, zone};

/// No AWS file is larger; a thousand profiles need a fraction of it.
const LARGEST_FILE: u64 = 16 * 1024 * 1024;
/// Threads for files and name look-ups: enough if some hang, and few enough to limit the memory of their stacks.
const BLOCKING_THREADS: usize = 64;

/// The program.
pub fn main() -> ExitCode {
    let hardened = harden::harden();
    let prepared = signals::prepare();
    let descriptors = limits::raise_descriptors();
    let environment = Environment::of_process();
    let listeners = inherited::listeners(&environment);
    let (settings_file, check, directories) = match arguments::parse(std::env::args_os().skip(1)) {
        Ok(Arguments::Run { settings_file, check }) => (settings_file, check, Vec::new()),
        Ok(Arguments::Recover { settings_file, directories }) => (settings_file, false, directories),
        Ok(Arguments::Probe { settings_file }) => return probe::main(environment, settings_file),
        Ok(Arguments::Help) => return print(arguments::HELP),
        Ok(Arguments::Version) => return print(concat!("evercredd ", env!("CARGO_PKG_VERSION"), "\n")),
        Err(why) => return fail(2, &format!("{why}\nsee: evercredd --help")),
    };
    let log = LogWriter::start();
    match &log {
        Some(log) => {
            logging::start(environment.get("RUST_LOG"), log.clone());
            let log = log.clone();
            std::panic::set_hook(Box::new(move |panic| last_words(Some(&log), &format!("evercredd: {panic}\n"))));
        }
        None => logging::start(environment.get("RUST_LOG"), std::io::stderr),
    }
    if let Err(error) = hardened {
        tracing::warn!("this process could not be protected from core files and other processes: {error}");
    }
    if let Err(error) = prepared {
        tracing::warn!("some signals keep their default action: {error}");
    }
    let result = if !directories.is_empty() {
        recover::recover(&environment, settings_file, &directories)
    } else if check {
        check_files(&environment, settings_file)
    } else {
        Start::read(environment, listeners, settings_file, descriptors)
            .and_then(|start| start.run().map(|()| ExitCode::SUCCESS))
    };
    match result {
        Ok(exit) => {
            last_words(log.as_ref(), "");
            exit
        }
        Err(Refused { message, fix }) => {
            last_words(log.as_ref(), &refusal(&message, fix.as_deref()));
            ExitCode::FAILURE
        }
    }
}

/// Writes a text after the log, and waits briefly for a slow reader.
fn last_words(log: Option<&LogWriter>, text: &str) {
    match log {
        Some(log) => {
            let _ = log.clone().write_all(text.as_bytes());
            log.finish();
        }
        None => {
            let _ = std::io::stderr().lock().write_all(text.as_bytes());
        }
    }
}

/// Why the daemon does not start.
struct Refused {
    message: String,
    /// A command, or an edit with file and line.
    fix: Option<String>,
}

impl Refused {
    /// A reason that no command corrects, with advice.
    fn advised(message: impl fmt::Display, advice: &str) -> Self {
        Self { message: format!("{message}; {advice}"), fix: None }
    }

    /// HOME is not set.
    fn without_home(message: String) -> Self {
        Self::advised(message, "set HOME")
    }

    /// Another daemon is running.
    fn other_daemon(message: String) -> Self {
        let advice =
            "stop the other daemon, or set other directories for this one (EVERCRED_RUNTIME_DIR, EVERCRED_STATE_DIR)";
        Self::advised(message, advice)
    }

    /// A directory or a file can't be used.
    fn directory(message: String) -> Self {
        let advice =
            "correct the directory or file, or set other directories (EVERCRED_RUNTIME_DIR, EVERCRED_STATE_DIR)";
        Self::advised(message, advice)
    }
}

/// What is known before anything runs.
struct Start {
    /// The process's own environment.
    own: Environment,
    /// What the service manager listens on in our place.
    listeners: Vec<UnixListener>,
    folders: Folders,
    settings: Settings,
    /// How many descriptors may be open.
    descriptors: u64,
}

impl Start {
    fn read(
        own: Environment,
        listeners: Vec<UnixListener>,
        settings_file: Option<PathBuf>,
        descriptors: u64,
    ) -> Result<Self, Refused> {
        if descriptors < limits::LEAST_DESCRIPTORS {
            let message = format!(
                "the hard limit of open files (ulimit -Hn) is {descriptors}, and evercredd needs {}: with less, calls to AWS fail",
                limits::LEAST_DESCRIPTORS
            );
            let advice = "set a hard limit of 1024 or more where the daemon is started (systemd: LimitNOFILE=, PAM: nofile in /etc/security/limits.conf)";
            return Err(Refused::advised(message, advice));
        }
        let folders = resolve_folders(&own, settings_file)?;
        let settings = read_settings(&folders, LISTED)?;
        Ok(Self { own, listeners, folders, settings, descriptors })
    }

    fn run(self) -> Result<(), Refused> {
        if let Some(message) = &self.folders.foreign_home {
            let advice = "set EVERCRED_STATE_DIR to a directory of this user, or run evercredd as the owner of HOME";
            return Err(Refused::advised(message, advice));
        }
        // One thread: the work is waiting, and what may block goes to the pool.
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .max_blocking_threads(BLOCKING_THREADS)
            .build()
            .map_err(|error| Refused::directory(format!("the daemon can't start: {error}")))?;
        let result = runtime.block_on(run::run(self));
        // What is still in the pool (a name look-up) is not waited for.
        runtime.shutdown_background();
        result
    }
}

fn resolve_folders(own: &Environment, settings_file: Option<PathBuf>) -> Result<Folders, Refused> {
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    let mut folders =
        Folders::resolve(own, settings_file).map_err(|error| Refused::advised(error, "set it to an absolute path"))?;
    folders.settings_file = absolute(folders.settings_file);
    Ok(folders)
}

/// `--check`: prints every problem of the settings and of the AWS files.
fn check_files(own: &Environment, settings_file: Option<PathBuf>) -> Result<ExitCode, Refused> {
    let folders = resolve_folders(own, settings_file)?;
    let (settings, of_settings) = match read_settings(&folders, usize::MAX) {
        Ok(settings) => (settings, None),
        Err(refused) => {
            let bytes = person_file::read(&folders.settings_file, LARGEST_FILE).ok().flatten().unwrap_or_default();
            (Settings::of_environment(&bytes), Some(refused.message))
        }
    };
    let environment = daemon_environment(own, &settings);
    let paths = aws_paths(&environment).map_err(Refused::without_home)?;
    let mut inputs = AwsInputs::default();
    let mut texts = BTreeMap::new();
    let files = [
        (SourceFile::Config, &paths.config),
        (SourceFile::Credentials, &paths.credentials),
        (SourceFile::Settings, &folders.settings_file),
    ];
    for (file, path) in files {
        let reading = reading(path);
        if let Reading::Bytes(bytes) = &reading {
            texts.insert(file, bytes.clone());
        }
        if file != SourceFile::Settings {
            let _ = inputs.take(file, reading);
        }
    }
    let documents: BTreeMap<_, _> = texts.iter().map(|(file, bytes)| (*file, Document::parse(bytes))).collect();
    let place = |origin: Origin| {
        let path = path_of(&paths, &folders.settings_file, origin.file);
        let column = documents.get(&origin.file).zip(origin.line()).map(|(document, line)| document.column(line));
        format!("{}{}", origin.at(&path), column.map_or_else(String::new, |column| format!(":{column}")))
    };
    let mut lines = Vec::new();
    for problem in inputs.problems() {
        lines.push((problem.origin, format!("{}: {}", place(problem.origin), problem.message)));
    }
    let profiles = settings.over(inputs.profiles());
    let plans = plan::resolve_all(&profiles, &plan_context(&environment));
    let planned = plans.iter().filter(|(_, plan)| plan.is_ok()).filter_map(|(name, _)| profiles.profiles.get(name));
    for (origin, mistake) in planned.filter_map(|section| role_arn::mistake_of(section)) {
        lines.push((origin, format!("{}: {mistake}", place(origin))));
    }
    for error in plans.into_values().filter_map(Result::err) {
        let harmless = matches!(error.code, PlanErrorCode::NoCredentials | PlanErrorCode::UnreadableFile);
        if let Some(origin) = error.origin.filter(|_| !harmless) {
            lines.push((origin, format!("{}: {}", place(origin), error.message)));
        }
    }
    lines.sort();
    let lines: Vec<String> = of_settings.into_iter().chain(lines.into_iter().map(|(_, line)| line)).collect();
    if lines.is_empty() {
        return Ok(print("no problem\n"));
    }
    let _ = print(&redact::without_whole_secrets(&(lines.join("\n") + "\n")));
    Ok(ExitCode::FAILURE)
}

/// The settings.
///
/// # Errors
/// The file can't be read, or has mistakes: the message has the first `most` of them, each with its line.
fn read_settings(folders: &Folders, most: usize) -> Result<Settings, Refused> {
    let path = folders.settings_file.display();
    let failed = |why: &str| {
        let message = format!("the settings file {path} can't be read: {why}");
        Refused::advised(message, "correct the file, or select another with --config or EVERCRED_CONFIG")
    };
    let bytes = match person_file::read(&folders.settings_file, LARGEST_FILE) {
        // `/dev/null` is a file without settings.
        Ok(None) if folders.settings_file_is_named && !folders.settings_file.exists() => {
            return Err(failed("there is no such file"));
        }
        Ok(bytes) => bytes.unwrap_or_default(),
        Err(error) => return Err(failed(&error.to_string())),
    };
    Settings::parse_bytes(&bytes).map_err(|error| Refused {
        message: error.render_first(most, &path.to_string()),
        fix: Some(correct(&path.to_string(), error.line())),
    })
}

/// What the daemon goes by: its own environment without what chooses credentials and what is between it and the service
/// manager, under the setting `[environment]`.
fn daemon_environment(own: &Environment, settings: &Settings) -> Environment {
    own.without_service_manager().overlay(&settings.environment).without_credentials()
}

fn aws_paths(environment: &Environment) -> Result<AwsPaths, String> {
    let variable = |name: &str| environment.variable_or_home(name);
    let paths = AwsPaths::resolve(&variable, PathStyle::Unix)
        .ok_or("HOME is not set, so evercredd can't find the AWS files")?;
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    Ok(AwsPaths { config: absolute(paths.config), credentials: absolute(paths.credentials) })
}

fn cache_paths(environment: &Environment) -> Result<CachePaths, String> {
    let variable = |name: &str| environment.variable_or_home(name);
    let paths = CachePaths::resolve(&variable, PathStyle::Unix)
        .ok_or("HOME is not set, so evercredd can't find the cached tokens of the AWS tools")?;
    let absolute = |path: PathBuf| std::path::absolute(&path).unwrap_or(path);
    Ok(CachePaths { sso: absolute(paths.sso), login: absolute(paths.login) })
}

fn plan_context(environment: &Environment) -> PlanContext {
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    PlanContext::from_environment(&variable, zone::local_offset())
}

/// The file at a path.
fn reading(path: &Path) -> Reading {
    match person_file::read(path, LARGEST_FILE) {
        Ok(None) => Reading::Missing,
        Ok(Some(bytes)) => Reading::Bytes(bytes),
        Err(error) => unreadable_reading(path, unreadable::why(&error)),
    }
}

/// The file at a path, unless it is empty or being written; the watcher waits for a writer.
fn settled_reading(path: &Path) -> Option<Reading> {
    match person_file::read(path, LARGEST_FILE) {
        Ok(bytes) => bytes.filter(|bytes| !bytes.is_empty()).map(Reading::Bytes),
        Err(_) => None,
    }
}

fn unreadable_reading(path: &Path, why: String) -> Reading {
    Reading::Unreadable(Unreadable { why, fix: unreadable::fix(path) })
}

fn path_of(paths: &AwsPaths, settings: &Path, file: SourceFile) -> String {
    let path = match file {
        SourceFile::Config => &paths.config,
        SourceFile::Credentials => &paths.credentials,
        SourceFile::Settings => settings,
    };
    path.display().to_string()
}

fn print(text: &str) -> ExitCode {
    // A reader that went away is no error of ours.
    let _ = std::io::stdout().lock().write_all(printable::lines(text).as_bytes());
    ExitCode::SUCCESS
}

fn fail(exit: u8, message: &str) -> ExitCode {
    let text = printable::lines(&format!("evercredd: {message}\n"));
    let _ = std::io::stderr().lock().write_all(text.as_bytes());
    ExitCode::from(exit)
}

fn refusal(message: &str, fix: Option<&str>) -> String {
    let fix = fix.map_or_else(String::new, |fix| format!("fix: {fix}\n"));
    printable::lines(&format!("evercredd: {message}\n{fix}"))
}

/// The time, for what is not decided by it.
fn now() -> crate::core::time::Now {
    clock::read()
}
