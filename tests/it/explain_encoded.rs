//! A text inside another program's log, form, mail or page has the same explanation as the text itself.

use std::fmt::Write as _;

use crate::explain_wrapped::{answer, percent_encoded, texts};

fn json(text: &str) -> String {
    serde_json::json!({"level": "error", "ts": 1_795_000_000.5, "msg": text}).to_string()
}

/// Docker and Kubernetes, systemd, GitHub Actions.
fn with_prefix(text: &str, prefix: &str) -> String {
    text.lines().map(|line| format!("{prefix}{line}\n")).collect()
}

/// RFC 2045, section 6.7.
fn quoted_printable(text: &str) -> String {
    let mut out = String::new();
    for line in text.lines() {
        let mut length = 0;
        for c in line.chars() {
            let mut encoded = String::new();
            match c {
                ' '..='<' | '>'..='~' => encoded.push(c),
                c => c.to_string().bytes().for_each(|byte| write!(encoded, "={byte:02X}").unwrap()),
            }
            if length + encoded.len() > 75 {
                out.push_str("=\n");
                length = 0;
            }
            length += encoded.len();
            out.push_str(&encoded);
        }
        out.push('\n');
    }
    out
}

fn python(text: &str) -> String {
    let escaped = text.replace('\\', "\\\\").replace('\'', "\\'").replace('\n', "\\n").replace('\t', "\\t");
    format!("ERROR:root:failed: '{escaped}'")
}

fn yaml(text: &str) -> String {
    format!("status:\n  message: |-\n{}", with_prefix(text, "    "))
}

fn page(text: &str) -> String {
    let escaped = text
        .replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
        .replace('\'', "&#39;");
    format!("<html><body><pre>{escaped}</pre></body></html>")
}

/// Windows PowerShell, about a native program's standard error.
fn powershell(text: &str) -> String {
    format!(
        "tool : {text}\nAt line:1 char:1\n+ tool ls\n+ ~~~~~~~\n    + CategoryInfo          : NotSpecified: (:String) [], RemoteException\n    \
         + FullyQualifiedErrorId : NativeCommandError\n"
    )
}

type Encoding = (&'static str, fn(&str) -> String);

const ENCODINGS: [Encoding; 14] = [
    ("json", json),
    ("json in json", |text| json(&json(text))),
    ("logfmt", |text| format!("time=2026-11-30T12:00:00Z level=error msg={}", serde_json::json!(text))),
    ("form", |text| format!("error={}", percent_encoded(text).replace("%20", "+"))),
    ("percent", |text| format!("error={}", percent_encoded(text))),
    ("quoted-printable", quoted_printable),
    ("python", python),
    ("yaml", yaml),
    ("page", page),
    ("powershell", powershell),
    ("kubernetes", |text| with_prefix(text, "2026-11-30T12:00:00.123456789Z stderr F ")),
    ("systemd", |text| with_prefix(text, "Nov 30 12:00:00 host unit[712]: ")),
    ("github", |text| with_prefix(text, "2026-11-30T12:00:00.1234567Z ")),
    ("colours", |text| with_prefix(text, "\u{1b}[31m\u{1b}[1m").replace('\n', "\u{1b}[0m\n")),
];

/// Texts whose lines decide what an error is about, each with the reason.
const EXCEPTIONS: [(&str, &str); 2] = [
    ("gha-region-input", "the line before the error names a host of STS, and logs put both into one line"),
    (
        "boto3-assume-role-without-a-caller.toml",
        "the message ends with the line, so that more words may follow in a string",
    ),
];

/// Every text in each encoding if `EVERCRED_EVERY_TEXT` is set; otherwise some of them, different ones for each encoding.
#[test]
fn a_text_that_another_program_encoded_gives_the_same_answer() {
    let (mut wrong, mut rates) = (Vec::new(), Vec::new());
    let every = std::env::var_os("EVERCRED_EVERY_TEXT").is_some();
    let is_exception = |name: &str| EXCEPTIONS.iter().any(|(known, why)| *known == name && !why.is_empty());
    let texts: Vec<_> = texts().into_iter().filter(|(name, _)| !is_exception(name)).collect();
    for (number, (encoding, encode)) in ENCODINGS.into_iter().enumerate() {
        let (before, mut all) = (wrong.len(), 0);
        for (at, (name, text)) in texts.iter().enumerate() {
            if !every && (at + number) % 11 != 0 {
                continue;
            }
            all += 1;
            let (whole, said) = (answer(text.trim_end()), answer(&encode(text.trim_end())));
            if said != whole {
                wrong.push(format!("{encoding}: {name}: {said}\n  not {whole}"));
            }
        }
        rates.push(format!("{encoding} {} of {all}", all - (wrong.len() - before)));
    }
    assert!(wrong.is_empty(), "{}\n{}", rates.join(", "), wrong.join("\n"));
}
