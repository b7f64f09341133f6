//! `evercredd --recover DIRECTORY…`: saves the tokens that a killed daemon left, for `evercred service uninstall`.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::process::ExitCode;

use super::state::StateFiles;
use super::{
    Refused, aws_paths, cache_paths, daemon_environment, plan_context, read_settings, reading, resolve_folders,
};
use crate::adapters::clock;
use crate::adapters::mint::Minter;
use crate::adapters::sessions;
use crate::core::inputs::AwsInputs;
use crate::core::keeper::{Outcome, RefreshOrder, SessionEnd, Ticket, UnsavedToken};
use crate::core::plan;
use crate::core::profile::SourceFile;
use crate::core::secret::Secret;
use crate::core::session::Session;
use crate::core::settings::Settings;
use crate::platform::environment::Environment;

/// Writes newer tokens into their cache files: those that a killed daemon left in the directories, and those that are
/// not yet in a cache file. Tokens that can't be written stay in place.
///
/// # Errors
/// The files can't be found, or a daemon is running.
pub(super) fn recover(
    own: &Environment,
    settings_file: Option<PathBuf>,
    directories: &[PathBuf],
) -> Result<ExitCode, Refused> {
    let folders = resolve_folders(own, settings_file)?;
    // Left-overs are recovered even if the settings have mistakes.
    let settings = read_settings(&folders, 1).unwrap_or_else(|_| Settings::default());
    let environment = daemon_environment(own, &settings);
    let refused = Refused::without_home;
    let (paths, caches) = (aws_paths(&environment).map_err(refused)?, cache_paths(&environment).map_err(refused)?);
    let mut inputs = AwsInputs::default();
    for (file, path) in [(SourceFile::Config, &paths.config), (SourceFile::Credentials, &paths.credentials)] {
        let _ = inputs.take(file, reading(path));
    }
    let (profiles, context) = (settings.over(inputs.profiles()), plan_context(&environment));
    let plans = plan::resolve_all(&profiles, &context).into_values().flatten();
    // Only a first step is a session.
    let of_plans = plans.filter_map(|plan| plan.steps.first()?.source.session());
    let of_sections = plan::resolve_sso_sessions(&profiles, &context).into_values().map(Session::Sso);
    let known: BTreeMap<String, Session> =
        of_plans.chain(of_sections).map(|session| (session.cache_file().name, session)).collect();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(|error| Refused::directory(format!("tokens can't be recovered: {error}")))?;
    let minter = Minter::new(environment, caches);
    runtime.block_on(async {
        for directory in directories {
            sessions::recover(directory, &known).await;
        }
        let is_there = |folder: &PathBuf| folder.join("unsaved.json").exists();
        if [&folders.state, &folders.runtime].into_iter().any(is_there) {
            save(&folders.state, &folders.runtime, &settings, &minter, &known).await?;
        }
        Ok(ExitCode::SUCCESS)
    })
}

/// Writes the tokens of `unsaved.json` into their cache files.
async fn save(
    state: &std::path::Path,
    runtime: &std::path::Path,
    settings: &Settings,
    minter: &Minter,
    known: &BTreeMap<String, Session>,
) -> Result<(), Refused> {
    let (files, _) = StateFiles::open(state, runtime, clock::boot_id())
        .map_err(|_| Refused::other_daemon("the state directory is in use, or can't be used".to_owned()))?;
    let mut remaining = Vec::new();
    for unsaved in files.recover(settings.state.persist).unsaved {
        // The AWS files have no session for it.
        let Some(session) = known.get(&unsaved.file.name) else { continue };
        let Some(order) = order(session, &unsaved) else { continue };
        let (outcome, _) = minter.sessions.refresh(order).await;
        let is_left =
            matches!(outcome, Outcome::Failed(_) | Outcome::Session(SessionEnd::Renewed { unsaved: Some(_), .. }));
        if is_left {
            remaining.push(unsaved);
        }
    }
    files.save_unsaved(&remaining, settings.state.persist).map_err(Refused::directory)
}

fn order(session: &Session, unsaved: &UnsavedToken) -> Option<RefreshOrder> {
    let read = |text: &Secret| session.read(text.expose()).ok();
    let superseded = match &unsaved.superseded {
        Some(text) => Some(read(text)?),
        None => None,
    };
    Some(RefreshOrder {
        ticket: Ticket(0),
        session: session.clone(),
        known: read(&unsaved.token)?,
        superseded,
        save: true,
        is_needed: false,
        // The writes need no signed requests.
        aws_minus_boot: chrono::TimeDelta::zero(),
    })
}
