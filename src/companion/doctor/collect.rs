//! Collects what the doctor's rules look at: variables, files, and what the daemon says. Nothing is changed, nothing fails: what
//! can't be read is said to be unreadable.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};

use zeroize::Zeroizing;

use crate::companion::service::drift_of_network;
use crate::companion::{client, files, offline};
use crate::core::doctor::{
    Cause, Daemon, DaemonFacts, DaemonProfile, DaemonSession, DanglingLink, Evidence, FileFacts, FileRole, FileState,
    Group, LastError, TerraformBackend, TokenFile, TokenState, WrittenExpiry,
};
use crate::core::inputs::{AwsInputs, Reading};
use crate::core::location::{AwsPaths, CachePaths, PathStyle};
use crate::core::plan::{self, PlanContext};
use crate::core::profile::{Profiles, Section, SourceFile};
use crate::core::session::{CacheFile, CacheProblem, SsoToken};
use crate::core::stated_expiry::utc_time;
use crate::core::time::WallTime;
use crate::core::web_identity::{self, token_expiry};
use crate::platform::environment::Environment;
use crate::platform::peer::own_uid;
use crate::platform::user_database::{self, Members, user_name};
use crate::platform::{access_list, cache_access, clock, program, service_manager, unreadable, zone};
use crate::wire::{ErrorEntry, ErrorKind, StatusDocument};

/// The file in which Terraform records its backend, in the current directory.
const TERRAFORM: &str = ".terraform/terraform.tfstate";
/// The start of a certificate in a PEM file.
const BEGIN: &[u8] = b"-----BEGIN ";
/// Where Windows keeps the homes, as WSL shows them.
const WINDOWS_HOMES: &str = "/mnt/c/Users";
/// So many of them are looked into.
const MOST_WINDOWS_HOMES: usize = 50;

/// Everything that can be known here.
pub(super) fn collect(environment: &Environment, named: Option<String>, offline: bool, run_process: bool) -> Evidence {
    let paths = files::aws_paths(environment).ok();
    let (inputs, [config_text, credentials_text]) = paths.as_ref().map(aws_files).unwrap_or_default();
    let profiles = inputs.profiles().clone();
    let settings = offline::settings(environment);
    // Without a home there is no debounce where the settings are either, and that is said as such.
    let refused = settings.as_ref().err().filter(|_| paths.is_some());
    let settings_refused = refused.map(offline::SettingsRefused::list).unwrap_or_default();
    let profiles_of_daemon = settings.unwrap_or_default().over(&profiles).into_owned();
    let sessions = session_files(environment, &profiles_of_daemon);
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    let (daemon, status) = ask_daemon(environment);
    let aws_minus_wall =
        status.as_ref().and_then(|status| Some((-status.clock.offset_seconds?, status.clock.uncertainty_seconds?)));
    Evidence {
        named,
        region_named: None,
        variables: environment.variables().map(|(name, value)| (name.to_owned(), value.to_owned())).collect(),
        files: paths.as_ref().map(|paths| file_facts(environment, paths)).unwrap_or_default(),
        token_files: token_files(environment, &profiles_of_daemon),
        caches: caches(&sessions),
        token_expiries: token_expiries(&sessions),
        unusable_ca_bundles: unusable_ca_bundles(environment, &profiles_of_daemon),
        programs: programs(environment, &profiles_of_daemon),
        problems: inputs.problems(),
        config_text,
        credentials_text,
        paths,
        profiles,
        profiles_of_daemon,
        context: PlanContext::from_environment(&variable, zone::local_offset()),
        daemon,
        settings_refused,
        drift: status.as_ref().and_then(|status| drift_of_network(environment, status)),
        evercred: program::path().unwrap_or_else(|| "evercred".into()).display().to_string(),
        terraform: terraform(Path::new(TERRAFORM)),
        has_aws_cli: environment.program("aws").is_some(),
        has_service_manager: service_manager::is_here(),
        uid: own_uid(),
        wall: WallTime::from_millis(clock::wall_millis()),
        aws_minus_wall,
        not_read: not_read(environment),
        offline,
        run_process,
    }
}

/// Files that doctor can't find or read.
fn not_read(environment: &Environment) -> Vec<(Cause, String)> {
    let mut gaps = Vec::new();
    if let Err(why) = files::read(Path::new(TERRAFORM)) {
        gaps.push((Cause::ToolCachedCredentials, format!("{TERRAFORM} can't be read: {why}")));
    }
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    if CachePaths::resolve(&variable, PathStyle::Unix).is_none() {
        gaps.push((Cause::SsoCacheUnwritable, "HOME is not set, so doctor can't find the cache files".to_owned()));
    }
    gaps
}

/// The AWS files, those where one would look for them, and under WSL those of Windows.
fn file_facts(environment: &Environment, paths: &AwsPaths) -> Vec<FileFacts> {
    let mut facts = vec![look_at(FileRole::Config, &paths.config), look_at(FileRole::Credentials, &paths.credentials)];
    let caches = cache_directories(environment);
    facts.extend(directories(paths, &caches));
    facts.extend(caches.iter().flat_map(|directory| cache_files(directory)));
    if let Some(home) = environment.get("HOME").filter(|home| !home.is_empty()) {
        let usual = Path::new(home).join(".aws");
        for (role, path, used) in [
            (FileRole::UsualConfig, usual.join("config"), &paths.config),
            (FileRole::UsualCredentials, usual.join("credentials"), &paths.credentials),
        ] {
            if path != *used {
                facts.push(look_at(role, &path));
            }
        }
    }
    let kernel = files::read(Path::new("/proc/sys/kernel/osrelease")).ok().flatten();
    let kernel = kernel.map(|bytes| String::from_utf8_lossy(&bytes).to_lowercase()).unwrap_or_default();
    if kernel.contains("microsoft") {
        facts.extend(windows_files(Path::new(WINDOWS_HOMES)));
    }
    facts
}

/// The directories in which the AWS tools cache tokens and credentials.
fn cache_directories(environment: &Environment) -> Vec<PathBuf> {
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    let Some(CachePaths { sso, login }) = CachePaths::resolve(&variable, PathStyle::Unix) else { return Vec::new() };
    // The caches of the AWS CLI and of botocore are next to the SSO cache.
    let aws = sso.ancestors().nth(2).unwrap_or(&sso).to_owned();
    let mut directories = vec![sso, login, aws.join("cli/cache"), aws.join("boto/cache")];
    directories.retain(|directory| directory.is_absolute());
    directories
}

/// The files of a cache directory that other users may have permissions for, up to a limit.
fn cache_files(directory: &Path) -> Vec<FileFacts> {
    /// Enough to show that there are some.
    const MOST: usize = 1000;
    let entries = std::fs::read_dir(directory).into_iter().flatten().flatten();
    let facts = entries.filter_map(|entry| {
        let path = entry.path();
        let metadata = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
        let is_private = metadata.mode() & 0o077 == 0 && metadata.uid() == own_uid();
        let state = (!is_private).then(|| present(&path, &metadata))?;
        Some(FileFacts { role: FileRole::CacheFile, path: path.display().to_string(), state, dangling: None })
    });
    let mut facts: Vec<FileFacts> = facts.take(MOST).collect();
    facts.sort_by(|a, b| a.path.cmp(&b.path));
    facts
}

/// The directories of the AWS files and of the caches, and all their parents: of the paths, of the targets of symbolic
/// links, and of the links on the way.
fn directories(paths: &AwsPaths, caches: &[PathBuf]) -> Vec<FileFacts> {
    let mut seen = BTreeSet::new();
    let mut facts = Vec::new();
    let mut add = |role: FileRole, path: &Path| {
        let Some(metadata) = path.metadata().ok().filter(std::fs::Metadata::is_dir) else { return };
        if seen.insert((metadata.dev(), metadata.ino())) {
            facts.push(FileFacts {
                role,
                path: path.display().to_string(),
                state: present(path, &metadata),
                dangling: None,
            });
        }
    };
    let files: Vec<PathBuf> =
        [&paths.config, &paths.credentials].into_iter().flat_map(|path| with_links(path)).collect();
    files.iter().filter_map(|path| path.parent()).for_each(|directory| add(FileRole::Directory, directory));
    // A user who can write a link's directory can replace the link.
    let on_the_way: BTreeSet<&Path> = files.iter().flat_map(|path| path.ancestors().skip(1)).collect();
    let with_their_links: BTreeSet<PathBuf> = on_the_way.into_iter().flat_map(with_links).collect();
    with_their_links.iter().flat_map(|path| path.ancestors()).for_each(|directory| add(FileRole::Ancestor, directory));
    let caches: Vec<PathBuf> = caches.iter().flat_map(|path| with_links(path)).collect();
    caches.iter().for_each(|directory| add(FileRole::CacheDirectory, directory));
    let above: BTreeSet<&Path> = caches.iter().flat_map(|path| path.ancestors().skip(1)).collect();
    let with_their_links: BTreeSet<PathBuf> = above.into_iter().flat_map(with_links).collect();
    let above = with_their_links.iter().flat_map(|path| path.ancestors());
    above.for_each(|directory| add(FileRole::CacheAncestor, directory));
    facts
}

/// A path, and the target of each symbolic link in turn.
fn with_links(path: &Path) -> Vec<PathBuf> {
    /// The kernel's limit.
    const MOST: usize = 40;
    let mut paths = vec![path.to_owned()];
    while let Some(last) = paths.last().filter(|_| paths.len() < MOST)
        && let Ok(target) = std::fs::read_link(last)
    {
        let next = last.parent().map_or_else(|| target.clone(), |parent| parent.join(&target));
        paths.push(next);
    }
    paths.extend(path.canonicalize().ok());
    paths
}

/// The broken symbolic link on the way to a file that does not exist: the file itself, or one of its directories.
fn dangling_link(path: &Path) -> Option<DanglingLink> {
    let is_broken = |path: &&Path| path.is_symlink() && !path.exists();
    let link = path.ancestors().filter(is_broken).last()?;
    let target = with_links(link).pop()?;
    Some(DanglingLink { link: link.display().to_string(), target: target.display().to_string() })
}

/// What is at a path.
fn present(path: &Path, metadata: &std::fs::Metadata) -> FileState {
    let (uid, mode) = (metadata.uid(), metadata.mode() & 0o7777);
    let group = if mode & 0o060 == 0 {
        Group::Private
    } else if access_list::has_one(path) {
        Group::AccessList
    } else {
        match user_database::members_besides(metadata.gid(), uid) {
            Members::None => Group::Private,
            Members::Some(name) => Group::Shared(name),
            Members::Unknown => Group::Unknown(metadata.gid()),
        }
    };
    FileState::Present { uid, mode, group }
}

fn windows_files(homes: &Path) -> Vec<FileFacts> {
    let homes = std::fs::read_dir(homes).into_iter().flatten().flatten().take(MOST_WINDOWS_HOMES);
    let in_home = |home: std::fs::DirEntry| {
        let aws = home.path().join(".aws");
        ["config", "credentials"].map(|name| look_at(FileRole::Windows, &aws.join(name)))
    };
    homes.flat_map(in_home).filter(|facts| facts.state != FileState::Missing).collect()
}

fn look_at(role: FileRole, path: &Path) -> FileFacts {
    let state = match path.metadata() {
        Err(error) if matches!(error.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => {
            FileState::Missing
        }
        Err(error) => {
            FileState::Unreadable { why: unreadable::why(&error), fix: unreadable::fix(path), owner_and_mode: None }
        }
        Ok(metadata) if unreadable::is_null_device(&metadata) => FileState::Missing,
        Ok(metadata) => {
            let (uid, mode) = (metadata.uid(), metadata.mode() & 0o7777);
            match files::read(path) {
                _ if metadata.is_dir() => FileState::Directory { fix: unreadable::fix(path) },
                Ok(_) => present(path, &metadata),
                Err(why) => {
                    FileState::Unreadable { why, fix: unreadable::fix(path), owner_and_mode: Some((uid, mode)) }
                }
            }
        }
    };
    let dangling = if state == FileState::Missing { dangling_link(path) } else { None };
    FileFacts { role, path: path.display().to_string(), state, dangling }
}

/// What the AWS files say, and their texts, also where the SDKs refuse them.
fn aws_files(paths: &AwsPaths) -> (AwsInputs, [Option<Zeroizing<String>>; 2]) {
    let mut inputs = AwsInputs::default();
    let texts =
        [(SourceFile::Config, &paths.config), (SourceFile::Credentials, &paths.credentials)].map(|(file, path)| {
            let reading = files::reading(path);
            let text = match &reading {
                Reading::Bytes(bytes) => std::str::from_utf8(bytes).ok().map(|text| Zeroizing::new(text.to_owned())),
                Reading::Missing | Reading::Unreadable(_) => None,
            };
            let _ = inputs.take(file, reading);
            text
        });
    (inputs, texts)
}

/// The files with web identity tokens.
fn token_files(environment: &Environment, profiles: &Profiles) -> Vec<TokenFile> {
    let settings = profiles.profiles.values().filter_map(|section| section.get("web_identity_token_file"));
    let named =
        environment.get("AWS_WEB_IDENTITY_TOKEN_FILE").into_iter().chain(settings.map(|value| value.text.as_str()));
    let mut paths: Vec<&str> = named.filter(|path| !path.is_empty()).collect();
    paths.sort_unstable();
    paths.dedup();
    paths.into_iter().map(|path| TokenFile { path: path.to_owned(), state: token_state(Path::new(path)) }).collect()
}

fn token_state(path: &Path) -> TokenState {
    let bytes = match files::read_at_most(path, web_identity::LARGEST_FILE) {
        Ok(Some(bytes)) => bytes,
        Ok(None) if path.exists() => return TokenState::Unusable("is empty".to_owned()),
        Ok(None) => {
            let is_link = |DanglingLink { link, target }| format!(": {link} is a symbolic link to {target}");
            let why = dangling_link(path).map(is_link).unwrap_or_default();
            return TokenState::Unusable(format!("does not exist{why}"));
        }
        Err(why) => return TokenState::Unusable(format!("can't be read: {why}")),
    };
    match web_identity::token_of(&bytes) {
        Ok(token) => TokenState::There { ends: token_expiry(token) },
        Err(why) => TokenState::Unusable(why.to_owned()),
    }
}

/// The certificate files that variables and profiles name, and that programs can't use, each with the reason.
fn unusable_ca_bundles(environment: &Environment, profiles: &Profiles) -> BTreeMap<String, String> {
    let settings = profiles.profiles.values().filter_map(|section| section.get("ca_bundle"));
    let named = environment.get("AWS_CA_BUNDLE").into_iter().chain(settings.map(|value| value.text.as_str()));
    let why = |path: &str| match files::read(Path::new(path)) {
        _ if Path::new(path).is_dir() => Some("is a directory".to_owned()),
        Ok(None) if !Path::new(path).exists() => Some("does not exist".to_owned()),
        Ok(bytes) => match bytes.unwrap_or_default().as_slice() {
            [] => Some("is empty".to_owned()),
            bytes => (!bytes.windows(BEGIN.len()).any(|part| part == BEGIN)).then(|| "has no certificate".to_owned()),
        },
        Err(why) => Some(format!("can't be read: {why}")),
    };
    named.filter(|path| !path.is_empty()).filter_map(|path| Some((path.to_owned(), why(path)?))).collect()
}

/// The cache files of the profiles' sign-in sessions, by the session's name.
fn session_files(environment: &Environment, profiles: &Profiles) -> BTreeMap<String, PathBuf> {
    let variable = |name: &str| environment.get(name).map(str::to_owned);
    let Some(paths) = CachePaths::resolve(&variable, PathStyle::Unix) else { return BTreeMap::new() };
    // The settings alone name the file: plans of thousands of profiles would take their time.
    let named = |section: &Section| {
        let setting = |key: &str| {
            let setting = section.get(key).or_else(|| section.get(&format!("evercred_{key}")));
            setting.map(|setting| setting.text.clone()).filter(|text| !text.is_empty())
        };
        let sso = setting("sso_session").or_else(|| setting("sso_start_url"));
        let login = setting("login_session");
        let sso = sso.map(|label| (paths.sso.join(CacheFile::of_sso(&label).name), label));
        [sso, login.map(|label| (paths.login.join(CacheFile::of_login(&label).name), label))]
    };
    let sessions = profiles.profiles.values().flat_map(|section| named(section)).flatten();
    sessions.map(|(path, label)| (label, path)).collect()
}

/// The cache files that can't be replaced.
fn caches(sessions: &BTreeMap<String, PathBuf>) -> BTreeMap<String, CacheProblem> {
    let problem = |(label, path): (&String, &PathBuf)| {
        let access = cache_access::look(path);
        let full = || cache_access::lacks_space(Path::new(&access.directory)).then(|| access.full());
        Some((label.clone(), access.problem(user_name).or_else(full)?))
    };
    sessions.iter().filter_map(problem).collect()
}

/// When the tokens in the cache files expire, as the files say it.
fn token_expiries(sessions: &BTreeMap<String, PathBuf>) -> BTreeMap<String, WrittenExpiry> {
    let written = |(label, path): (&String, &PathBuf)| {
        let bytes = files::read(path).ok().flatten()?;
        let text = SsoToken::written_expiry(std::str::from_utf8(&bytes).ok()?)?;
        Some((label.clone(), WrittenExpiry { path: path.display().to_string(), text }))
    };
    sessions.iter().filter_map(written).collect()
}

/// Where the programs of `credential_process` lines are.
fn programs(environment: &Environment, profiles: &Profiles) -> BTreeMap<String, Option<String>> {
    let lines = profiles.profiles.values().flat_map(|section| {
        ["credential_process", "evercred_credential_process"].into_iter().filter_map(|key| section.get(key))
    });
    let programs = lines.filter_map(|line| plan::program_of(&line.text));
    programs
        .map(|program| {
            let found = environment.program(&program).map(|path| path.display().to_string());
            (program, found)
        })
        .collect()
}

fn ask_daemon(environment: &Environment) -> (Daemon, Option<StatusDocument>) {
    let silent = |why: String, other_files| (Daemon::Silent { why, other_files }, None);
    // The doctor asks AWS itself: it reports a daemon that restarts as one that does not answer.
    let question = client::Question { request: "status", at_once: true, ..client::Question::default() };
    let answer = match client::ask_with(environment, question) {
        Err(failure) => return silent(failure.message, false),
        Ok(Err(error)) => return silent(error.message, error.kind == ErrorKind::WrongFiles),
        Ok(Ok(answer)) => answer,
    };
    match serde_json::from_value::<StatusDocument>(answer) {
        Ok(status) => (Daemon::Answers(Box::new(facts_of(&status))), Some(status)),
        Err(_) => silent(
            "evercred does not understand the daemon's status: the daemon may be another version".to_owned(),
            false,
        ),
    }
}

fn facts_of(status: &StatusDocument) -> DaemonFacts {
    DaemonFacts {
        profiles: status
            .profiles
            .iter()
            .map(|profile| DaemonProfile {
                name: profile.name.clone(),
                kind: profile.kind.clone(),
                state: profile.state,
                valid: profile.valid,
                renewed_at: profile.last_renewal.as_ref().filter(|last| last.ok).and_then(|last| utc_time(&last.at)),
                expires_at: profile.expires_at.as_deref().and_then(utc_time),
                last_error: profile.last_error.as_ref().map(last_error),
            })
            .collect(),
        sessions: status
            .sso_sessions
            .iter()
            .map(|session| DaemonSession {
                name: session.name.clone(),
                login_name: session.login_name.clone().unwrap_or_else(|| session.name.clone()),
                state: session.state,
                last_error: session.last_error.as_ref().map(last_error),
            })
            .collect(),
    }
}

fn last_error(error: &ErrorEntry) -> LastError {
    let ErrorEntry { operation, detail, code, class, message, fix, .. } = error.clone();
    LastError { operation, detail, code, class, message, fix }
}

/// What Terraform keeps of its backend.
fn terraform(path: &Path) -> Option<TerraformBackend> {
    let bytes = files::read(path).ok().flatten()?;
    let path = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    TerraformBackend::read(&path.display().to_string(), &bytes)
}
