//! The commands that need no daemon: they read the files themselves.

use std::path::{Path, PathBuf};
use std::process::ExitCode;

use serde_json::{Value, json};
use zeroize::Zeroizing;

use super::arguments::ConfigCommand;
use super::failure::{ATTENTION, Failure, NO_PROFILE};
use super::{files, output, render};
use crate::core::directories::Directories;
use crate::core::fix::correct;
use crate::core::location::AwsPaths;
use crate::core::plan::{self, Plan, PlanContext, PlanError, PlanErrorCode, Source};
use crate::core::printable;
use crate::core::profile::{Lost, Origin, Problem, Profiles, Section, SourceFile};
use crate::core::profiles_document::profiles_document;
use crate::core::redact;
use crate::core::role_arn;
use crate::core::settings::{LISTED, Mistake, Settings, SettingsError};
use crate::platform::environment::Environment;
use crate::platform::zone;

/// `plan`.
pub(super) fn plan(environment: &Environment, profile: Option<String>, json: bool) -> Result<ExitCode, Failure> {
    let paths = files::aws_paths(environment)?;
    let name = profile.unwrap_or_else(|| environment.profile());
    let (settings_file, _) = settings_path(environment)?;
    let (profiles, refused) = all_profiles(environment, files::read_aws(&paths).profiles());
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    let context = PlanContext::from_environment(&variable, zone::local_offset());
    let mut plan = plan::resolve(&profiles, &name, &context);
    let path = |file| files::path_of(&paths, &settings_file, file);
    let mut exit = if refused.is_some() { ATTENTION } else { 0 };
    if let Ok(plan) = &mut plan {
        let mistakes = role_arn::mistakes_of_plan(&profiles, plan).into_iter();
        let notes: Vec<String> =
            mistakes.map(|(origin, mistake)| format!("{}: {mistake}", origin.at(&path(origin.file)))).collect();
        if !notes.is_empty() {
            exit = ATTENTION;
        }
        plan.notes.extend(notes);
    }
    let mut document = plan::plan_document(&name, &plan, &path);
    if json {
        let mistakes = refused.iter().flat_map(SettingsRefused::list).map(Value::String);
        document["notes"].as_array_mut().into_iter().for_each(|notes| notes.extend(mistakes.clone()));
        output::print_json(&document)?;
    } else if plan.is_ok() {
        output::print(&described(&document))?;
    }
    let refused = refused.map(SettingsRefused::failure).filter(|_| !json);
    let may_be_there =
        |error: &PlanError| error.origin.is_some_and(|origin| origin.file == SourceFile::Settings && origin.line > 0);
    match (refused, &plan) {
        (Some(mut refused), Err(error)) if may_be_there(error) && error.code == PlanErrorCode::UnreadableFile => {
            let name = redact::without_whole_secrets(&name);
            refused.message.push_str(&format!("\nprofile \"{name}\" may depend on these settings"));
            return Err(refused);
        }
        (refused, _) => refused.iter().for_each(output::error),
    }
    match plan {
        Ok(_) => Ok(ExitCode::from(exit)),
        Err(error) => {
            let exit = if error.code == PlanErrorCode::MissingProfile { NO_PROFILE } else { ATTENTION };
            if json {
                return Ok(ExitCode::from(exit));
            }
            let failure = Failure::new(exit, redact::without_whole_secrets(&said(&error, &path)));
            let edit = error.origin.and_then(|origin| origin.edit(&path(origin.file)));
            Err(match (error.fix.or(edit), error.origin) {
                (Some(fix), _) => failure.fix(fix),
                (None, None) => failure.see("evercred profiles"),
                (None, Some(_)) => failure,
            })
        }
    }
}

fn resolved(environment: &Environment, paths: &AwsPaths, name: &str) -> Result<Plan, PlanError> {
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    let context = PlanContext::from_environment(&variable, zone::local_offset());
    plan::resolve(&with_settings(environment, files::read_aws(paths).profiles()), name, &context)
}

/// The profiles of the AWS files with those of the settings; settings that the daemon refuses are not in force.
pub(super) fn with_settings(environment: &Environment, profiles: &Profiles) -> Profiles {
    settings(environment).unwrap_or_default().over(profiles).into_owned()
}

/// The reason for which a daemon that is started from here refuses the settings.
pub(super) enum SettingsRefused {
    /// The file can't be found or read.
    Unreadable(Failure),
    /// The file has mistakes.
    Mistaken {
        /// The path of the file.
        path: String,
        /// The mistakes.
        error: Box<SettingsError>,
    },
}

impl SettingsRefused {
    /// The first mistakes, each with its place in one line.
    pub(super) fn list(&self) -> Vec<String> {
        match self {
            Self::Unreadable(failure) => vec![failure.message.clone()],
            Self::Mistaken { path, error } => error.list_first(LISTED, path),
        }
    }

    /// The same for stderr, with the lines of the file.
    fn failure(self) -> Failure {
        match self {
            Self::Unreadable(failure) => failure,
            Self::Mistaken { path, error } => {
                let fix = correct(&path, error.line());
                Failure::listing(ATTENTION, error.render_first(LISTED, &path)).fix(fix)
            }
        }
    }

    /// A problem of the files: profiles of the settings may be missing.
    fn problem(&self) -> Problem {
        let (line, message) = match self {
            Self::Unreadable(failure) => (0, failure.message.clone()),
            Self::Mistaken { error, .. } => {
                (error.line(), format!("evercred's settings can't be used: {}", error.message()))
            }
        };
        let origin = Origin { file: SourceFile::Settings, line: u32::try_from(line).unwrap_or_default() };
        Problem::fatal(origin, message, Lost::File, None)
    }

    /// The mistakes as problems of `profiles --json`.
    fn document(&self) -> Vec<Value> {
        match self {
            Self::Unreadable(failure) => {
                vec![json!({"file": null, "line": null, "message": failure.message, "fatal": true})]
            }
            Self::Mistaken { path, error } => {
                let entry = |mistake: &Mistake| {
                    let (line, column, message) = (mistake.line(), mistake.column(), mistake.message());
                    json!({"file": path, "line": line, "column": column, "message": message, "fatal": true})
                };
                error.mistakes().into_iter().map(entry).collect()
            }
        }
    }
}

/// The settings, or why a daemon that is started from here refuses them.
pub(super) fn settings(environment: &Environment) -> Result<Settings, SettingsRefused> {
    let (path, named) = settings_path(environment).map_err(SettingsRefused::Unreadable)?;
    let bytes = read_settings(&path, named).map_err(SettingsRefused::Unreadable)?;
    let mistaken = |error| SettingsRefused::Mistaken { path: path.display().to_string(), error: Box::new(error) };
    Settings::parse_bytes(&bytes).map_err(mistaken)
}

/// The profiles of the AWS files with those of the settings. Refused settings are a problem of the files.
fn all_profiles(environment: &Environment, profiles: &Profiles) -> (Profiles, Option<SettingsRefused>) {
    match settings(environment) {
        Ok(settings) => (settings.over(profiles).into_owned(), None),
        Err(refused) => {
            let mut profiles = profiles.clone();
            profiles.problems.push(refused.problem());
            (profiles, Some(refused))
        }
    }
}

/// The time servers of the settings.
pub(super) fn ntp_servers(environment: &Environment) -> Vec<String> {
    settings(environment).unwrap_or_default().clock.ntp.iter().map(ToString::to_string).collect()
}

/// What a daemon that is started from here goes by: the setting `[environment]` lies over what it is started with.
pub(super) fn daemon_environment(environment: &Environment) -> Environment {
    match settings(environment) {
        Ok(settings) => environment.overlay(&settings.environment),
        Err(_) => environment.clone(),
    }
}

/// Where this shell finds the program of the first `credential_process` behind a profile.
pub(super) fn program_on_path(environment: &Environment, profile: &str) -> Option<PathBuf> {
    let plan = resolved(environment, &files::aws_paths(environment).ok()?, profile).ok()?;
    let command = plan.steps.iter().find_map(|step| match &step.source {
        Source::Process { command } => Some(command),
        _ => None,
    })?;
    let program = command.split_whitespace().next().filter(|program| !program.contains('/'))?;
    let folders = environment.get("PATH")?.split(':').filter(|folder| folder.starts_with('/'));
    folders.map(|folder| Path::new(folder).join(program)).find(|path| path.is_file())
}

/// `profiles`.
pub(super) fn profiles(environment: &Environment, json: bool) -> Result<ExitCode, Failure> {
    let paths = files::aws_paths(environment)?;
    let inputs = files::read_aws(&paths);
    let (settings_file, _) = settings_path(environment)?;
    let (mut profiles, refused) = all_profiles(environment, inputs.profiles());
    profiles.problems = inputs.problems();
    let path = |file| files::path_of(&paths, &settings_file, file);
    let is_refused = refused.is_some() || profiles.problems.iter().any(|problem| problem.fatal);
    if json {
        let mut document = profiles_document(&profiles, &path);
        let mistakes: Vec<Value> = refused.iter().flat_map(SettingsRefused::document).collect();
        document["problems"].as_array_mut().into_iter().for_each(|problems| problems.extend(mistakes.iter().cloned()));
        output::print_json(&document)?;
    } else {
        let mut text = String::new();
        for (title, sections) in
            [("profile", &profiles.profiles), ("sso-session", &profiles.sso_sessions), ("services", &profiles.services)]
        {
            for section in sections.values() {
                let place = path(section.origin.file);
                let name = redact::without_whole_secrets(&section.name);
                text.push_str(&format!("{title} {name}  ({place}:{})\n", section.origin.line));
                text.push_str(&settings_of(section));
            }
        }
        output::print(&text)?;
        if let Some(failure) = problems_failure(&profiles.problems, &path) {
            output::error(&failure);
        }
        refused.map(SettingsRefused::failure).iter().for_each(output::error);
    }
    Ok(ExitCode::from(if is_refused { ATTENTION } else { 0 }))
}

/// The problems of the files, one a line, with the fix of the first that needs one.
fn problems_failure(problems: &[Problem], path: &dyn Fn(SourceFile) -> String) -> Option<Failure> {
    if problems.is_empty() {
        return None;
    }
    let one = |problem: &Problem| {
        let message = redact::without_whole_secrets(&problem.message);
        printable::line(&format!("{}: {message}", problem.origin.at(&path(problem.origin.file))))
    };
    let lines: Vec<String> = problems.iter().map(one).collect();
    let failure = Failure::listing(ATTENTION, lines.join("\n"));
    Some(match problems.iter().find(|problem| problem.fatal) {
        Some(problem) => Failure { fix: problem.fix_at(&path(problem.origin.file)), ..failure },
        None => failure,
    })
}

/// `config`.
pub(super) fn config(environment: &Environment, what: ConfigCommand) -> Result<ExitCode, Failure> {
    let (path, named) = settings_path(environment)?;
    if what == ConfigCommand::Path {
        return output::print_exact(&format!("{}\n", path.display()));
    }
    let bytes = read_settings(&path, named)?;
    let settings = Settings::parse_bytes(&bytes).map_err(|error| {
        let path = path.display().to_string();
        Failure::listing(ATTENTION, error.render(&path)).fix(correct(&path, error.line()))
    })?;
    // What was parsed is text.
    let text = std::str::from_utf8(&bytes).unwrap_or_default();
    if what == ConfigCommand::Check {
        return output::print(&format!("{}: no problem\n", path.display()));
    }
    let origin =
        |line: Option<usize>| line.map_or_else(|| "default".to_owned(), |line| format!("{}:{line}", path.display()));
    let rows: Vec<Vec<String>> = settings
        .list(text)
        .into_iter()
        .map(|shown| vec![shown.key, format!("= {}", shown.value), origin(shown.line)])
        .collect();
    output::print(&render::table(&rows, |_, _| None))
}

fn settings_path(environment: &Environment) -> Result<(PathBuf, bool), Failure> {
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    let settings =
        Directories::of(&variable).settings_file().map_err(|error| Failure::new(ATTENTION, error.to_string()))?;
    Ok((settings.path, settings.named))
}

/// The files that decide what the profiles are.
pub(super) fn files(environment: &Environment) -> Vec<PathBuf> {
    let aws = files::aws_paths(environment).ok().map(|paths| [paths.config, paths.credentials]);
    let settings = settings_path(environment).ok().map(|(path, _)| path);
    aws.into_iter().flatten().chain(settings).collect()
}

/// A default file that is missing means all defaults, a named one is an error.
fn read_settings(path: &Path, named: bool) -> Result<Zeroizing<Vec<u8>>, Failure> {
    let failed =
        |why: &str| Failure::new(ATTENTION, format!("the settings file {} can't be read: {why}", path.display()));
    match files::read(path) {
        // `/dev/null` is a file without settings.
        Ok(None) if named && !path.exists() => Err(failed("there is no such file").fix("unset EVERCRED_CONFIG")),
        Ok(bytes) => Ok(bytes.unwrap_or_default()),
        Err(why) => Err(failed(&why)),
    }
}

/// A plan for people: one line a step.
fn described(document: &Value) -> String {
    let mut text = String::new();
    for (at, step) in document["steps"].as_array().into_iter().flatten().enumerate() {
        let kind = step["type"].as_str().unwrap_or_default();
        let profile = step["profile"].as_str().filter(|profile| !profile.is_empty());
        let profile = profile.map_or_else(String::new, |profile| format!(" (profile {profile})"));
        text.push_str(&format!("{}. {kind}{profile}\n", at + 1));
        for (key, value) in
            step.as_object().into_iter().flatten().filter(|(key, _)| *key != "type" && *key != "profile")
        {
            let value = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            text.push_str(&format!("     {key} = {value}\n"));
        }
    }
    for note in document["notes"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        text.push_str(&format!("note: {note}\n"));
    }
    text
}

fn said(error: &PlanError, path: &dyn Fn(SourceFile) -> String) -> String {
    match error.origin {
        Some(origin) => format!("{}: {}", origin.at(&path(origin.file)), error.message),
        None => error.message.clone(),
    }
}

/// The settings of one section, each with its line; nested ones are set in further.
fn settings_of(section: &Section) -> String {
    let mut text = String::new();
    for (key, value) in section.settings.iter() {
        let line = value.origin.line;
        if value.nested().is_empty() {
            let shown = redact::setting(key, &value.text);
            let one_line: Vec<&str> = shown.lines().map(str::trim).collect();
            text.push_str(&format!("    {key} = {}  (line {line})\n", one_line.join(" ")));
        } else {
            text.push_str(&format!("    {key} =  (line {line})\n"));
            for (key, value) in value.nested().iter() {
                let shown = redact::setting(key, &value.text);
                text.push_str(&format!("        {key} = {shown}  (line {})\n", value.origin.line));
            }
        }
    }
    text
}
