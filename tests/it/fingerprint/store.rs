//! The stored fingerprints: a file for each module of tests, a line for each keeper.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::path::PathBuf;
use std::sync::{LazyLock, Mutex};

use super::Name;
use super::record::{Line, Record};

const HEADER: &str = "# What keepers do in tests; tests/it/fingerprint writes and compares it. \
    TEST SEED KEEPER EFFECTS ACTS WORDS DAY:HASH…\n";

type Lines = BTreeMap<Name, Line>;

static STORED: LazyLock<Mutex<Lines>> = LazyLock::new(|| Mutex::new(read()));

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/fingerprints")
}

/// Where the text of all effects goes, if it is wanted.
pub(super) fn events_directory() -> Option<PathBuf> {
    std::env::var_os("EVERCRED_WRITE_EVENTS").map(PathBuf::from)
}

fn is_writing() -> bool {
    std::env::var_os("EVERCRED_WRITE_FINGERPRINTS").is_some()
}

fn read() -> Lines {
    let mut lines = Lines::new();
    for file in std::fs::read_dir(directory()).unwrap() {
        let text = std::fs::read_to_string(file.unwrap().path()).unwrap();
        for line in text.lines().filter(|line| !line.starts_with('#')) {
            lines.extend([parse(line).unwrap_or_else(|| panic!("not a fingerprint: {line}"))]);
        }
    }
    lines
}

fn parse(line: &str) -> Option<(Name, Line)> {
    let hex = |text: &str| u64::from_str_radix(text, 16).ok();
    let [test, seed, keeper, effects, acts, words, days @ ..] = &line.split(' ').collect::<Vec<_>>()[..] else {
        return None;
    };
    let days = days.iter().map(|day| {
        let (day, hash) = day.split_once(':')?;
        Some((day.parse().ok()?, u32::try_from(hex(hash)?).ok()?))
    });
    let name = Name { test: (*test).to_owned(), seed: seed.parse().ok()?, keeper: keeper.parse().ok()? };
    let days = days.collect::<Option<_>>()?;
    Some((name, Line { effects: effects.parse().ok()?, acts: hex(acts)?, words: hex(words)?, days }))
}

fn module(test: &str) -> &str {
    test.split("::").next().unwrap_or(test)
}

fn write(lines: &Lines, of: &str) {
    let mut text = HEADER.to_owned();
    for (Name { test, seed, keeper }, Line { effects, acts, words, days }) in lines {
        if module(test) == of {
            write!(text, "{test} {seed} {keeper} {effects} {acts:016x} {words:016x}").unwrap();
            days.iter().for_each(|(day, hash)| write!(text, " {day}:{hash:08x}").unwrap());
            text.push('\n');
        }
    }
    let file = directory().join(format!("{of}.txt"));
    if text == HEADER {
        let _ = std::fs::remove_file(file);
    } else {
        std::fs::write(file, text).unwrap();
    }
}

/// Compares a record with the stored line, or stores it.
pub(super) fn check(record: &Record) -> Result<(), String> {
    let (name, line) = (&record.name, record.line());
    let Name { test, seed, keeper } = name;
    if let (Some(directory), Some(text)) = (events_directory(), record.text()) {
        std::fs::create_dir_all(&directory).unwrap();
        std::fs::write(directory.join(format!("{}-{seed}-{keeper}.txt", test.replace("::", "."))), text).unwrap();
    }
    let mut stored = STORED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    if is_writing() {
        if stored.insert(name.clone(), line.clone()) != Some(line) {
            write(&stored, module(test));
        }
        return Ok(());
    }
    let whose = match seed {
        0 => format!("keeper {keeper} of {test}"),
        _ => format!("keeper {keeper} of {test} with EVERCRED_SEED={seed}"),
    };
    let Some(before) = stored.get(name) else {
        // The first seeds are stored.
        let has_others = stored.keys().any(|other| other.test == *test && other.seed != *seed);
        let is_extra_seed = *seed > 0 && has_others;
        return if is_extra_seed { Ok(()) } else { Err(format!("{whose} has no fingerprint yet.\n{}", how(name))) };
    };
    if *before == line {
        return Ok(());
    }
    let what = match (before.acts == line.acts, before.words == line.words) {
        (true, _) => "does the same in other words",
        (false, true) => "does something else, in the same words",
        (false, false) => "does something else",
    };
    let days = before.days.keys().chain(line.days.keys());
    let first = days.filter(|day| before.days.get(day) != line.days.get(day)).min();
    let first = first.map_or(String::new(), |day| format!(", first on day {day}"));
    let counts = format!("{} effects before, {} now", before.effects, line.effects);
    Err(format!("{whose} {what}{first} ({counts}).\n{}", how(name)))
}

fn how(Name { test, seed, .. }: &Name) -> String {
    let seed = if *seed == 0 { String::new() } else { format!("EVERCRED_SEED={seed} ") };
    let run = "cargo test --no-default-features --test it --";
    format!(
        "To see what differs, write the effects before and after the change, and compare the directories:\n  \
         EVERCRED_WRITE_EVENTS=/tmp/after {seed}{run} --exact {test}; diff -r /tmp/before /tmp/after\n\
         If the change is meant: EVERCRED_WRITE_FINGERPRINTS=1 {run} {}",
        module(test),
    )
}

/// The stored lines whose test is not among these. They are removed when fingerprints are written.
pub(super) fn without_test(tests: &[&str]) -> Vec<Name> {
    let mut stored = STORED.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
    let unknown: Vec<Name> = stored.keys().filter(|name| !tests.contains(&name.test.as_str())).cloned().collect();
    if !is_writing() {
        return unknown;
    }
    for name in unknown {
        stored.remove(&name);
        write(&stored, module(&name.test));
    }
    Vec::new()
}
