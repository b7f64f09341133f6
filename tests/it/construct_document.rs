//! The table of constructs in `docs/reading-aws-files.md`, and `tests/data/constructs.json` for the tests against other clients, are
//! generated. `EVERCRED_WRITE_DOCS=1 cargo test construct_document` writes them.

use std::fmt::Write;
use std::path::Path;

use evercred::core::clients::{Construct, Reading};
use serde_json::{Value, json};

const BEGIN: &str = "<!-- The table of src/core/clients/constructs.rs begins here. -->\n";
const END: &str = "<!-- It ends here. -->\n";

fn word(reading: Reading) -> &'static str {
    match reading {
        Reading::Alike => "same",
        Reading::Otherwise => "other",
        Reading::Refused => "refuses",
    }
}

fn table() -> String {
    let mut table = "\
| id | construct | evercred | boto3, AWS CLI | JavaScript | Go | Java | Rust |
|---|---|---|---|---|---|---|---|
"
    .to_owned();
    for construct in Construct::ALL {
        let row = construct.row();
        let readings = row.readings.map(word).join(" | ");
        writeln!(table, "| `{}` | {} | {} | {readings} |", row.id, row.what, row.evercred).unwrap();
    }
    table
}

/// Bytes as the characters with these numbers, as examples are not all UTF-8.
fn data() -> String {
    let latin = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
    let row = |construct: &Construct| -> Value {
        let row = construct.row();
        let [config, credentials] = row.example.map(latin);
        json!({"id": row.id, "config": config, "credentials": credentials, "readings": row.readings.map(word)})
    };
    let rows: Vec<Value> = Construct::ALL.iter().map(row).collect();
    format!("{:#}\n", Value::Array(rows))
}

#[test]
fn the_page_and_the_data_are_those_of_the_table_of_constructs() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let (page, file) = (root.join("docs/reading-aws-files.md"), root.join("tests/data/constructs.json"));
    let text = std::fs::read_to_string(&page).unwrap();
    let (before, rest) = text.split_once(BEGIN).unwrap();
    let (_, after) = rest.split_once(END).unwrap();
    let wanted = format!("{before}{BEGIN}{}{END}{after}", table());
    if std::env::var_os("EVERCRED_WRITE_DOCS").is_some() {
        std::fs::write(&page, &wanted).unwrap();
        std::fs::write(&file, data()).unwrap();
    }
    assert!(std::fs::read_to_string(&page).unwrap() == wanted, "docs/reading-aws-files.md differs: write it anew");
    assert!(std::fs::read_to_string(&file).unwrap() == data(), "tests/data/constructs.json differs: write it anew");
}

#[test]
fn every_construct_differs_in_some_client_and_has_a_name_of_its_own() {
    for construct in Construct::ALL {
        assert!(construct.row().readings.iter().any(|reading| *reading != Reading::Alike), "{construct:?}");
        let same = Construct::ALL.iter().filter(|other| other.row().id == construct.row().id);
        assert_eq!(same.count(), 1, "{construct:?}");
    }
}
