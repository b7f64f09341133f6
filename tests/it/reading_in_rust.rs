//! The columns of Rust in the tables of constructs and of times, against the SDK for Rust.
#![expect(deprecated, reason = "the names that replace these are in a crate that only the SDK depends on")]

use std::path::Path;

use aws_config::meta::region::ProvideRegion;
use aws_config::profile::ProfileFileRegionProvider;
use aws_config::profile::profile_file::{ProfileFileKind, ProfileFiles};
use aws_smithy_types::DateTime;
use aws_smithy_types::date_time::Format;
use evercred::core::aws_file::{FileSections, merge};
use evercred::core::clients::{Client, Construct, Reading, TokenTime};
use evercred::core::profile::SourceFile;

/// Every name that a section of an example has in some client.
const NAMES: [&str; 11] = ["a", "b", "ok", "a b", "'a b'", "profile a", "a!x", "\u{e9}", "default", "DEFAULT", " a "];

/// The example of a construct, and below it a profile `ok`.
fn files(construct: Construct) -> [Vec<u8>; 2] {
    let [config, credentials] = construct.row().example;
    let with = |text: &[u8], header: &str| [text, format!("[{header}]\nregion = ok\n").as_bytes()].concat();
    match credentials {
        b"" => [with(config, "profile ok"), Vec::new()],
        _ => [config.to_vec(), with(credentials, "ok")],
    }
}

fn by_evercred(files: &[Vec<u8>; 2]) -> Vec<Option<String>> {
    let read = |file, bytes: &[u8]| FileSections::read(file, bytes);
    let profiles = merge([read(SourceFile::Config, &files[0]), read(SourceFile::Credentials, &files[1])]).profiles;
    let region = |name: &&str| Some(profiles.get(*name)?.get("region")?.text.clone());
    NAMES.iter().map(region).collect()
}

async fn by_rust(folder: &Path, files: &[Vec<u8>; 2]) -> Vec<Option<String>> {
    let paths = ["config", "credentials"].map(|name| folder.join(name));
    for (path, bytes) in paths.iter().zip(files) {
        std::fs::write(path, bytes).unwrap();
    }
    let mut regions = Vec::new();
    for name in NAMES {
        let files = ProfileFiles::builder()
            .with_file(ProfileFileKind::Config, &paths[0])
            .with_file(ProfileFileKind::Credentials, &paths[1])
            .build();
        let provider = ProfileFileRegionProvider::builder().profile_files(files).profile_name(name).build();
        let region = provider.region().await.map(|region| region.to_string());
        regions.push(region.filter(|region| !region.is_empty()));
    }
    regions
}

#[tokio::test(flavor = "current_thread")]
async fn the_sdk_for_rust_reads_every_construct_as_the_table_says() {
    let folder = tempfile::tempdir().unwrap();
    let at = Client::ALL.iter().position(|client| *client == Client::Rust).unwrap();
    let ok = NAMES.iter().position(|name| *name == "ok").unwrap();
    let mut wrong = Vec::new();
    for construct in Construct::ALL {
        // Only regions are compared.
        if *construct == Construct::CommentSignInCommand {
            continue;
        }
        let files = files(*construct);
        let (ours, theirs) = (by_evercred(&files), by_rust(folder.path(), &files).await);
        let reading = match &theirs {
            theirs if theirs[ok].is_none() => Reading::Refused,
            theirs if *theirs == ours => Reading::Alike,
            _ => Reading::Otherwise,
        };
        if reading != construct.row().readings[at] {
            wrong.push(format!("{}: {reading:?}: {theirs:?}, and evercred {ours:?}", construct.row().id));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_sdk_for_rust_reads_the_times_of_tokens_as_their_table_says() {
    for text in [
        "2026-12-01T00:00:00Z",
        "2026-12-01T00:00:00.123Z",
        "2026-12-01T00:00:00UTC",
        "2026-12-01T00:00:00",
        "2026-12-01T00:00:00+00:00",
        "2026-12-01T00:00:00+0000",
        "2026-12-01 00:00:00Z",
        "1796083200",
    ] {
        let is_refused =
            TokenTime::of(text).is_some_and(|time| time.clients(Reading::Refused).contains(&Client::Rust.label()));
        assert_eq!(DateTime::from_str(text, Format::DateTime).is_err(), is_refused, "{text}");
    }
}
