//! How much memory the core needs for each profile of the AWS files: it grows with their number alone, and stays under a bound.
#![allow(
    clippy::unwrap_used,
    clippy::print_stdout,
    reason = "a test fails by panicking, and prints figures for people"
)]

use std::alloc::{GlobalAlloc, Layout, System};
use std::cell::Cell;
use std::fmt::Write;

use evercred::core::clock::Clock;
use evercred::core::inputs::{AwsInputs, Reading};
use evercred::core::keeper::{Action, Event, Keeper, Memory};
use evercred::core::plan::{PlanContext, resolve_all, resolve_sso_sessions};
use evercred::core::profile::SourceFile;
use evercred::core::session::Found;
use evercred::core::settings::Settings;
use evercred::core::time::{BootTime, Now, WallTime};
use zeroize::Zeroizing;

/// Counts the bytes that each thread has allocated, as glibc's allocator rounds them.
struct Counting;

thread_local! {
    static ALLOCATED: Cell<isize> = const { Cell::new(0) };
}

fn count(bytes: usize, sign: isize) {
    let rounded = ((bytes + 8).next_multiple_of(16)).max(32);
    let _ = ALLOCATED.try_with(|allocated| allocated.set(allocated.get() + sign * rounded as isize));
}

#[expect(unsafe_code, reason = "an allocator is unsafe by its trait; this one passes everything on")]
// SAFETY: every call goes to the system's allocator with the same arguments.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        count(layout.size(), 1);
        // SAFETY: the caller's promises are those of the system's allocator.
        unsafe { System.alloc(layout) }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        count(layout.size(), -1);
        // SAFETY: as above; the memory came from the system's allocator.
        unsafe { System.dealloc(at, layout) }
    }
}

#[global_allocator]
static COUNTING: Counting = Counting;

fn allocated() -> isize {
    ALLOCATED.with(Cell::get)
}

fn roles(count: usize) -> String {
    let mut config = String::new();
    for at in 0..count {
        let role = format!("arn:aws:iam::111122223333:role/R{at}");
        writeln!(config, "[profile p{at}]\nrole_arn = {role}\nsource_profile = base\nregion = eu-west-1").unwrap();
    }
    config
}

fn sessions(count: usize) -> String {
    let mut config = String::new();
    for at in 0..count {
        writeln!(
            config,
            "[sso-session s{at}]\nsso_start_url = https://c{at}.awsapps.com/start\nsso_region = us-east-1"
        )
        .unwrap();
        writeln!(config, "[profile p{at}]\nsso_session = s{at}\nsso_account_id = 111122223333").unwrap();
        writeln!(config, "sso_role_name = Dev\nregion = eu-west-1").unwrap();
    }
    config
}

/// The bytes that are still allocated after each stage, and by it.
fn stages(config: &str) -> Vec<(&'static str, isize)> {
    let mut stages = Vec::new();
    let mut last = allocated();
    let mut note = |stage| {
        let now = allocated();
        stages.push((stage, now - last));
        last = now;
    };
    let bytes = |text: &str| Reading::Bytes(Zeroizing::new(text.as_bytes().to_vec()));
    let mut inputs = AwsInputs::default();
    let _ = inputs.take(SourceFile::Config, bytes(config));
    let keys = "[base]\naws_access_key_id = AKIABASEBASEBASEBASE\naws_secret_access_key = s\n";
    let _ = inputs.take(SourceFile::Credentials, bytes(keys));
    note("files");
    let settings = Settings::default();
    let (boot, wall) = (BootTime::from_millis(1_000), WallTime::from_millis(1_700_000_000_000));
    let now = Now { boot, wall, suspended: chrono::TimeDelta::zero() };
    let mut keeper = Keeper::new(settings.keeper(), Memory::default(), Clock::new(now, false), 1);
    note("empty keeper");
    {
        let all = settings.over(inputs.profiles());
        let context = PlanContext::default();
        let plans = resolve_all(&all, &context);
        note("plans");
        let sso_sessions = resolve_sso_sessions(&all, &context);
        note("sessions");
        keeper.handle(Event::Plans { profiles: plans, sso_sessions }, now);
    }
    note("keeper");
    let mut files = Vec::new();
    while let Some(action) = keeper.poll_action() {
        if let Action::LookAtSession(file) = action {
            files.push(file);
        }
    }
    note("actions");
    keeper.handle_all(files.into_iter().map(|file| Event::SessionFile { file, found: Found::Missing }), now);
    note("cache files");
    drop(keeper.status(now));
    note("status");
    stages
}

/// The bytes that each profile more costs, from 1,000 to 10,000 of them.
fn bytes_each(name: &str, config: fn(usize) -> String) -> isize {
    let (few, many) = (stages(&config(1_000)), stages(&config(10_000)));
    let each = few.iter().zip(&many).map(|((stage, few), (_, many))| (stage, (many - few) / 9_000));
    each.inspect(|(stage, bytes)| println!("{name}, {stage}: {bytes} bytes each")).map(|(_, bytes)| bytes).sum()
}

/// Roles below a `[DEFAULT]` of a megabyte.
fn roles_with_defaults(count: usize) -> String {
    let mut config = "[DEFAULT]\n".to_owned();
    for at in 0..1_000 {
        writeln!(config, "setting_{at} = {}", "x".repeat(1_000)).unwrap();
    }
    config + &roles(count)
}

#[test]
fn profiles_share_the_settings_of_the_section_default_in_capitals() {
    let each = bytes_each("defaults", roles_with_defaults);
    assert!(each < 2_048, "{each} bytes");
}

#[test]
fn a_profile_with_a_role_needs_less_than_two_kibibytes() {
    let each = bytes_each("roles", roles);
    assert!(each < 2_048, "{each} bytes");
}

#[test]
fn an_sso_session_with_its_profile_needs_less_than_seven_kibibytes() {
    let each = bytes_each("sessions", sessions);
    assert!(each < 7_168, "{each} bytes");
}
