//! `docs/causes.md` is generated from the tables of causes and codes. `EVERCRED_WRITE_DOCS=1 cargo test cause_document`
//! writes it.

use std::fmt::Write;
use std::path::Path;

use evercred::core::aws_error::{self, Causes, Origin};
use evercred::core::cause::{Cause, UsualFix};

const HEAD: &str = "\
# Causes and error codes

This page is generated from the tables in `src/core/cause.rs` and `src/core/aws_error/table.rs`; a test compares them.

## Causes

`evercred doctor` checks each of these; `evercred explain` compares an error message with the result. A cause is *ruled out* only if the
doctor knew everything in the column \"needs\".

| cause | what it is | ruled out means | needs | usual fix, or the command that shows more |
|---|---|---|---|---|
";

fn page() -> String {
    let mut page = HEAD.to_owned();
    for cause in Cause::ALL {
        let needs: Vec<String> = cause.needs().iter().map(|need| format!("{need:?}").to_lowercase()).collect();
        let fix = match cause.usual_fix() {
            UsualFix::Advice(text) => text.to_owned(),
            UsualFix::Login(text) => format!("{text} `evercred login PROFILE`"),
            UsualFix::See(command) => format!("see `{command}`"),
            UsualFix::SeeOfProfile(command) => format!("see `evercred {command} PROFILE`"),
            UsualFix::Unset(text, names) => format!("{text} `unset {}`", names.join(" ")),
        };
        let needs = needs.join(", ");
        writeln!(page, "| `{cause}` | {} | {} | {needs} | {fix} |", cause.is(), cause.ruled_out()).unwrap();
    }
    page.push_str("\n## Error codes of AWS\n\n| code | meaning | usual causes |\n|---|---|---|\n");
    let of_aws = |entry: &&aws_error::Entry| matches!(entry.origin, Origin::Aws | Origin::Shared);
    for entry in aws_error::entries().filter(of_aws) {
        let causes = match entry.causes {
            Causes::Usual(causes) => {
                causes.iter().map(|(cause, _)| format!("`{cause}`")).collect::<Vec<_>>().join(", ")
            }
            Causes::Unlisted(why) => why.to_owned(),
            Causes::Unrelated => "not about credentials".to_owned(),
        };
        writeln!(page, "| `{}` | {} | {causes} |", entry.code, entry.meaning).unwrap();
    }
    page
}

#[test]
fn the_page_of_causes_is_that_of_the_tables() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/causes.md");
    if std::env::var_os("EVERCRED_WRITE_DOCS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    assert!(
        std::fs::read_to_string(&path).unwrap() == page(),
        "docs/causes.md differs from the tables: write it again"
    );
}

#[test]
fn the_page_about_the_doctor_names_causes_that_exist() {
    let page = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/doctor.md")).unwrap();
    let rows = page.lines().skip_while(|line| !line.starts_with("| cause | how evercred prevents it")).skip(2);
    let mut named = 0;
    for row in rows.take_while(|line| line.starts_with('|')) {
        // The third column: `region-missing`, `-invalid`.
        for name in row.split('|').nth(3).unwrap_or_default().split('`').skip(1).step_by(2) {
            let is_name = name.contains('-') && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'-');
            if is_name {
                named += 1;
                let fits = |cause: &&Cause| {
                    if name.starts_with('-') { cause.name().ends_with(name) } else { cause.name() == name }
                };
                assert!(Cause::ALL.iter().any(|cause| fits(&cause)), "docs/doctor.md names {name}");
            }
        }
    }
    assert!(named >= 20, "{named}");
}
