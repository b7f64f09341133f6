//! Each fix that is a string literal in some directories of the sources is a command, or names a line.

use std::path::Path;

/// The programs that fixes run.
const PROGRAMS: &[&str] = &[
    "evercred",
    "evercredd",
    "unset",
    "export",
    "systemctl",
    "launchctl",
    "loginctl",
    "sudo",
    "mv",
    "rmdir",
    "mkdir",
    "chmod",
    "chown",
    "kill",
    "aws",
];

/// Where a text follows that is a fix.
const BEFORE: &[&str] = &[".fix(", "fix: Some(", "fix = Some("];

#[test]
fn every_fix_in_the_sources_is_a_command_or_an_edit_with_its_line() {
    let mut found = 0;
    let mut wrong = Vec::new();
    for folder in ["companion", "core/keeper", "core/plan", "daemon", "delivery", "wire", "wire.rs"] {
        for path in sources(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src").join(folder)) {
            let source = std::fs::read_to_string(&path).unwrap();
            let source = source.split("#[cfg(test)]").next().unwrap();
            for fix in BEFORE.iter().flat_map(|before| source.split(before).skip(1)).filter_map(literal) {
                found += 1;
                let program = fix.split(' ').next().unwrap();
                if !PROGRAMS.contains(&program) && !fix.contains("line {") {
                    wrong.push(format!("{}: {fix}", path.display()));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(found > 5, "{found} fixes were found: the sources look different");
}

fn sources(path: &Path) -> Vec<std::path::PathBuf> {
    let Ok(entries) = std::fs::read_dir(path) else { return vec![path.to_owned()] };
    let mut all: Vec<_> = entries.flat_map(|entry| sources(&entry.unwrap().path())).collect();
    all.retain(|path| path.extension().is_some_and(|end| end == "rs"));
    all
}

/// The text that a piece of source begins with, if it begins with one.
fn literal(source: &str) -> Option<&str> {
    let source = source.trim_start();
    let source = source.strip_prefix("format!(").unwrap_or(source).trim_start();
    source.strip_prefix('"')?.split('"').next()
}
