//! Dependencies point inward: reads the `crate::` paths of every source file and holds them against a table.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use evercred::core::aws_error;
use evercred::core::cause::Cause;

use crate::imports::Imports;

/// What each folder may name besides itself. A folder that is not here may not exist.
const MAY_USE: &[(&str, &[&str])] = &[
    ("core", &[]),
    ("wire", &["core"]),
    ("platform", &["core"]),
    ("companion", &["core", "platform", "wire"]),
    ("adapters", &["core", "platform"]),
    ("delivery", &["adapters", "core", "platform", "wire"]),
    ("daemon", &["adapters", "core", "delivery", "platform", "wire"]),
    ("bin", &["companion", "daemon", "platform"]),
];

/// Modules that still import each other, with the reason. An entry names one circle by its modules or by the modules that
/// they are in. A new circle is to be removed, not to be added here; an entry whose circle is gone is removed too.
const CIRCLES: &[(&[&str], &str)] = &[
    (&["core::keeper", "core::settings::values"], "the keeper's files are one state machine: each is an `impl Keeper`"),
    (&["core::plan::walk", "core::plan::walk_up"], "the walk over the profiles calls itself for each source profile"),
    (&["core::plan", "core::session", "core::stated_expiry"], "a step names its session, and a session its endpoint"),
    (&["adapters::sessions"], "the sign-in flows are steps of one client"),
    (&["adapters::sessions"], "the cache of the AWS tools and its lock"),
    (
        &["companion::arguments", "companion::drift", "companion::offline", "companion::service"],
        "commands that print settings",
    ),
    (&["daemon"], "the probe is a part of the daemon's program"),
];

/// Files with error codes or names of causes in literals, with the reason. Other files use a predicate of the tables. An entry
/// whose file has none is removed.
const NAME_CODES: &[(&str, &str)] = &[
    ("adapters", "makes errors with these codes, and follows the protocols that define them"),
    ("core/doctor/connection.rs", "explains evercred's own codes for requests without an answer"),
    ("core/doctor/role.rs", "the codes of AssumeRole, each with another finding"),
    ("core/doctor/sessions", "the codes of the sign-in services, each with another finding"),
    ("core/explain", "reads codes in texts of other programs"),
];

/// What the pure core may not touch, each because it is a way to the outside.
const NOT_IN_CORE: &[&str] = &[
    "std::fs",
    "std::env",
    "std::net",
    "std::thread",
    "std::process",
    "std::os",
    "std::io",
    "SystemTime",
    "Instant",
    "tokio",
    "rustix",
    "libc::",
    "tracing",
    "aws_sdk",
    "aws_config",
    "aws_smithy",
];

#[test]
fn every_folder_uses_only_what_lies_inward_of_it() {
    let allowed: BTreeMap<&str, &[&str]> = MAY_USE.iter().copied().collect();
    let mut offences = Vec::new();
    for (file, text) in sources() {
        let layer = layer_of(&file);
        if layer == "lib" {
            continue;
        }
        let may = allowed.get(layer.as_str()).unwrap_or_else(|| panic!("{}: no layer of this name", file.display()));
        for (line, code) in code_lines(&text) {
            for prefix in ["crate::", "evercred::"] {
                for (at, _) in code.match_indices(prefix) {
                    let rest = &code[at + prefix.len()..];
                    let used: String = rest.chars().take_while(|c| c.is_ascii_alphanumeric() || *c == '_').collect();
                    if used != layer && !used.is_empty() && !may.contains(&used.as_str()) {
                        offences.push(format!("{}:{line}: {layer} names {prefix}{used}", file.display()));
                    }
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn the_core_touches_nothing_outside() {
    let mut offences = Vec::new();
    for (file, text) in sources().into_iter().filter(|(file, _)| layer_of(file) == "core") {
        for (line, code) in code_lines(&text) {
            for word in NOT_IN_CORE.iter().filter(|word| code.contains(**word)) {
                offences.push(format!("{}:{line}: the core names {word}", file.display()));
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

/// A reader of one module has to read only the modules that it imports: in a circle, that is all of them.
#[test]
fn modules_do_not_import_each_other() {
    let modules: Vec<(String, String)> = sources()
        .into_iter()
        .map(|(file, text)| {
            let parts = file.with_extension("");
            let parts = parts.iter().map(|part| part.to_str().unwrap()).filter(|part| *part != "mod");
            (parts.collect::<Vec<_>>().join("::"), text)
        })
        .collect();
    let is_in = |module: &str, parent: &str| module == parent || module.starts_with(&format!("{parent}::"));
    let mut unused = CIRCLES.to_vec();
    let mut offences = Vec::new();
    for (modules, shortest) in Imports::of(&modules).circles() {
        let fits = |(allowed, _): &(&[&str], &str)| {
            modules.iter().all(|module| allowed.iter().any(|parent| is_in(module, parent)))
                && allowed.iter().all(|parent| modules.iter().any(|module| is_in(module, parent)))
        };
        match unused.iter().position(fits) {
            Some(at) => _ = unused.remove(at),
            None => offences.push(format!("{} modules import each other: {modules:?}\n  {shortest}", modules.len())),
        }
    }
    let gone = unused.iter().map(|(allowed, _)| format!("{allowed:?} is no circle: remove it from the list"));
    offences.extend(gone);
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

/// A code that is misspelt outside the tables compiles and matches nothing.
#[test]
fn the_tables_alone_know_error_codes_and_causes() {
    let codes: Vec<&str> = aws_error::entries().map(|entry| entry.code).collect();
    let is_known = |literal: &str| codes.contains(&literal) || Cause::ALL.iter().any(|cause| cause.name() == literal);
    let tables = |file: &Path| file.starts_with("core/aws_error") || file.ends_with("core/cause.rs");
    let (mut offences, mut unused) = (Vec::new(), NAME_CODES.to_vec());
    for (file, text) in sources().into_iter().filter(|(file, _)| !tables(file)) {
        for (line, code) in code_lines(&text) {
            for literal in code.split('"').skip(1).step_by(2).filter(|literal| is_known(literal)) {
                unused.retain(|(allowed, _)| !file.starts_with(allowed));
                if !NAME_CODES.iter().any(|(allowed, _)| file.starts_with(allowed)) {
                    offences.push(format!("{}:{line}: \"{literal}\"", file.display()));
                }
            }
            // A made error has a code of the table.
            let made = code.split_once("fault(").and_then(|(_, call)| call.split_once("Some(\"")?.1.split('"').next());
            offences.extend(
                made.filter(|made| !codes.contains(made))
                    .map(|made| format!("{}:{line}: no code of the table: {made}", file.display())),
            );
        }
    }
    offences.extend(unused.iter().map(|(allowed, _)| format!("{allowed} names no code: remove it from the list")));
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn unsafe_code_stands_in_the_platform_module_alone() {
    let mut offences = Vec::new();
    for (file, text) in sources().into_iter().filter(|(file, _)| layer_of(file) != "platform") {
        for (line, code) in
            code_lines(&text).filter(|(_, code)| code.contains("unsafe ") || code.contains("unsafe_code"))
        {
            offences.push(format!("{}:{line}: {code}", file.display()));
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

/// A span of `TimeDelta`'s own constructors panics where the number is too large, and with it the daemon ends. So only numbers
/// that are written out are given to them; all others go through `core::time`, which bounds them. (Clippy's list of methods
/// that must not be called knows no such exception.)
#[test]
fn no_span_is_made_of_a_number_that_may_be_too_large() {
    const UNITS: [&str; 6] = ["weeks", "days", "hours", "minutes", "seconds", "milliseconds"];
    let mut offences = Vec::new();
    let is_exempt = |file: &Path| file.ends_with("core/time.rs");
    for (file, text) in sources().into_iter().filter(|(file, _)| !is_exempt(file)) {
        for (line, code) in code_lines(&text) {
            for unit in UNITS {
                for (at, made) in code.match_indices(&format!("TimeDelta::{unit}")) {
                    let rest = &code[at + made.len()..];
                    let argument =
                        rest.strip_prefix('(').and_then(|rest| rest.split_once(')')).map(|(number, _)| number);
                    let is_written_out =
                        |number: &str| !number.is_empty() && number.bytes().all(|c| c.is_ascii_digit() || c == b'_');
                    if !argument.is_some_and(is_written_out) {
                        offences.push(format!("{}:{line}: {code}", file.display()));
                    }
                }
            }
        }
    }
    assert!(offences.is_empty(), "{}", offences.join("\n"));
}

#[test]
fn every_test_file_is_part_of_the_test_binary() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/it");
    let main = std::fs::read_to_string(folder.join("main.rs")).unwrap();
    for entry in std::fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap().to_owned();
        let forgotten = name != "main" && !main.contains(&format!("mod {name};"));
        assert!(!forgotten, "{} is in no `mod` line of main.rs: its tests would never run", path.display());
    }
}

fn sources() -> Vec<(PathBuf, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut found = Vec::new();
    let (mut folders, mut tests) = (vec![root.clone()], Vec::new());
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(&folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let (text, mut modules) = without_tests(&std::fs::read_to_string(&path).unwrap());
                let children = if path.ends_with("mod.rs") { folder.clone() } else { path.with_extension("") };
                tests.extend(modules.drain(..).map(|module| children.join(module + ".rs")));
                found.push((path, text));
            }
        }
    }
    found.retain(|(path, _)| !tests.contains(path));
    assert!(found.len() > 20, "the sources were not found");
    found.into_iter().map(|(path, text)| (path.strip_prefix(&root).unwrap().to_owned(), text)).collect()
}

/// A file without its tests, and the names of the modules that are for tests only. Lines keep their numbers.
fn without_tests(text: &str) -> (String, Vec<String>) {
    let (mut kept, mut modules) = (String::new(), Vec::new());
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line != "#[cfg(test)]" {
            kept.push_str(line);
            kept.push('\n');
            continue;
        }
        // Tests in the file itself are at its end.
        let Some(item) = lines.next().and_then(|next| next.strip_suffix(';')) else { break };
        modules.extend(item.split_once("mod ").map(|(_, name)| name.to_owned()));
        kept.push_str("\n\n");
    }
    (kept, modules)
}

fn layer_of(file: &Path) -> String {
    let first = file.components().next().unwrap().as_os_str().to_str().unwrap();
    first.trim_end_matches(".rs").to_owned()
}

/// The lines of a file without comments.
fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    text.lines().enumerate().map(|(at, line)| (at + 1, line.split("//").next().unwrap_or_default()))
}
