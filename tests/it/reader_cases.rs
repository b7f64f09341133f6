//! Numbers and times of others: every reader of them, fed with what no time, no calendar and no number type can hold.
//!
//! A new reader of what a server, a program, a file or a packet states belongs into the table.

use std::fmt::Write;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use chrono::TimeDelta;
use evercred::core::doctor::Report;
use evercred::core::explain::{LocalContext, explain, render, scan};
use evercred::core::plan::{PlanContext, Source, plan_document, resolve};
use evercred::core::secret::Secret;
use evercred::core::session::*;
use evercred::core::settings::Settings;
use evercred::core::time::{AwsTime, BootTime, WallTime};
use evercred::core::{aws_file, http_date, ntp, process_output, saved, stated_expiry, time_text, web_identity};
use proptest::prelude::*;

use crate::session_cases::bench::{login_session, sso_session};

/// What a reader made of a value: the times, as evercred writes them.
type Times = Vec<String>;
/// A reader, and its name. The value comes as it stands in a JSON document, once as a number and once as a text.
type Reader = (&'static str, fn(&str) -> Times);

fn shown(times: impl IntoIterator<Item = Option<AwsTime>>) -> Times {
    times.into_iter().flatten().map(AwsTime::to_rfc3339).collect()
}

fn shown_wall(times: impl IntoIterator<Item = Option<WallTime>>) -> Times {
    times.into_iter().flatten().map(WallTime::to_rfc3339).collect()
}

/// A value without its quotes.
fn bare(value: &str) -> &str {
    value.trim_matches('"')
}

fn number<T: std::str::FromStr>(value: &str) -> Option<T> {
    bare(value).parse().ok()
}

const NOW: WallTime = WallTime::from_millis(1_790_000_000_000);

const READERS: &[Reader] = &[
    ("the Date header", |value| shown([http_date::parse(bare(value))])),
    ("the Retry-After header", |value| {
        for date in [None, Some("Sun, 06 Nov 2022 08:49:37 GMT"), Some(bare(value))] {
            let pause = http_date::retry_after(bare(value), date);
            assert!(pause.is_none_or(|pause| pause > TimeDelta::zero()), "{value}");
        }
        Vec::new()
    }),
    ("times in texts", |value| shown([time_text::parse(bare(value)).and_then(time_text::WrittenTime::utc)])),
    ("Expiration of a credential_process", |value| {
        let document = format!(
            r#"{{"Version":1,"AccessKeyId":"A","SecretAccessKey":"s","SessionToken":"t","Expiration":{value}}}"#
        );
        shown([process_output::read_output(document.as_bytes()).ok().and_then(|set| set.expires_at)])
    }),
    ("Version of a credential_process", |value| {
        let document = format!(r#"{{"Version":{value},"AccessKeyId":"A","SecretAccessKey":"s"}}"#);
        let _ = process_output::read_output(document.as_bytes());
        Vec::new()
    }),
    ("the expiry beside keys in the credentials file", |value| {
        let mut times = Vec::new();
        for setting in stated_expiry::SETTINGS {
            let keys = "aws_access_key_id = A\naws_secret_access_key = s\naws_session_token = t";
            let text = format!("[a]\n{keys}\n{setting} = {}\n", bare(value));
            let profiles = aws_file::load(None, Some(&text));
            for hours in [0, 14, -12] {
                let context = PlanContext { local_offset: TimeDelta::hours(hours), ..PlanContext::default() };
                let plan = resolve(&profiles, "a", &context).unwrap();
                let Source::Static(keys) = &plan.steps.first().unwrap().source else { panic!("keys") };
                match keys.expires {
                    evercred::core::plan::StatedExpiry::Unstated => {}
                    evercred::core::plan::StatedExpiry::At(at) => times.push(Some(at)),
                    evercred::core::plan::StatedExpiry::Either { earlier, later } => {
                        times.extend([Some(earlier), Some(later)])
                    }
                }
            }
        }
        shown(times)
    }),
    ("duration_seconds of a profile", |value| {
        let text = format!(
            "[profile a]\nrole_arn = arn:aws:iam::111122223333:role/R\nsource_profile = b\nduration_seconds = {0}\n\
             [profile b]\naws_access_key_id = A\naws_secret_access_key = s\n\
             [profile c]\nsource_profile = b\nmfa_serial = m\nduration_seconds = {0}\n",
            bare(value)
        );
        let profiles = aws_file::load(Some(&text), None);
        for name in ["a", "c"] {
            let plan = resolve(&profiles, name, &PlanContext::default());
            let _ = plan_document(name, &plan, &|_| "config".to_owned()).to_string();
        }
        Vec::new()
    }),
    ("exp of a web identity token", |value| {
        let claims = URL_SAFE_NO_PAD.encode(format!(r#"{{"exp":{value}}}"#));
        shown([web_identity::token_expiry(&format!("e30.{claims}.c2ln"))])
    }),
    ("times in an SSO token file", |value| {
        let mut times = Vec::new();
        for text in [
            format!(r#"{{"startUrl":"https://corp.awsapps.com/start","accessToken":"a","expiresAt":{value}}}"#),
            format!(
                r#"{{"accessToken":"a","expiresAt":"2026-11-24T12:00:00Z","refreshToken":"r","clientId":"c","clientSecret":"s","registrationExpiresAt":{value}}}"#
            ),
        ] {
            let Ok(token) = Session::Sso(sso_session()).read(&text) else { continue };
            let CachedToken::Sso(sso) = &token else { panic!("of another kind") };
            times.extend([Some(sso.expires), sso.refresh.as_ref().and_then(|refresh| refresh.registration_expires)]);
            let again = token.text(Some(&text), &Session::Sso(sso_session()));
            assert!(Session::Sso(sso_session()).read(&again).is_ok(), "what is written can be read: {again}");
        }
        shown_wall(times)
    }),
    ("times in a login token file", |value| {
        let text = format!(
            r#"{{"accessToken":{{"accessKeyId":"A","secretAccessKey":"s","sessionToken":"t","expiresAt":{value}}}}}"#
        );
        shown_wall([login_session().read(&text).ok().map(|token| token.expires())])
    }),
    ("times in a registration file", |value| {
        let text = format!(r#"{{"clientId":"c","clientSecret":"s","expiresAt":{value}}}"#);
        shown_wall([Registration::read(&text).map(|registration| registration.expires)])
    }),
    ("clientSecretExpiresAt of the OIDC service", |value| {
        shown_wall([number(value).and_then(|seconds| registration_expiry(seconds, NOW))])
    }),
    ("expiresIn and interval of the OIDC service", |value| {
        let Some(seconds) = number::<i32>(value) else { return Vec::new() };
        for (expires_in, interval) in [(seconds, 5), (600, seconds), (seconds, seconds)] {
            let page = Some("https://device.sso.eu-west-1.amazonaws.com/");
            if let Ok(stated) = DeviceAuthorization::read(Some("A-B"), page, None, expires_in, interval) {
                assert!(stated.expires_in > TimeDelta::zero() && stated.expires_in <= TimeDelta::minutes(10));
                assert!(stated.interval > TimeDelta::zero() && stated.interval <= TimeDelta::minutes(1));
            }
        }
        Vec::new()
    }),
    ("expiration of the portal", |value| shown([number(value).and_then(role_expiry)])),
    ("the state file of requests", |value| {
        let memory = format!(
            r#"{{"schema":"evercred.memory/1","last_asked":{{"a":{value}}},"sessions":{{"s":{{"signed_in_at":{value},"length_ms":{value}}}}}}}"#
        );
        let Ok(memory) = saved::decode_memory(&memory) else { return Vec::new() };
        shown(memory.last_asked.into_values().map(Some))
    }),
    ("the state file of credentials", |value| {
        let mut times = Vec::new();
        for (minted_at, expires_at) in [(value, "1"), ("1", value)] {
            let text = format!(
                r#"{{"schema":"evercred.minted/1","boot_id":null,"sets":[{{"key":"k","minted_at":{minted_at},"access_key_id":"A","secret_access_key":"s","session_token":null,"expires_at":{expires_at},"account_id":null}}]}}"#
            );
            let Ok((sets, _)) = saved::decode_minted(&text, None) else { continue };
            times.extend(sets.iter().flat_map(|set| [Some(set.minted_at), set.credentials.expires_at]));
        }
        shown(times)
    }),
    ("the state file of the clock", |value| {
        for fields in [[value, "2", "3", "4"], ["1", value, "3", "4"], ["1", "2", value, "4"], ["1", "2", "3", value]] {
            let [lowest, highest, as_of, suspended] = fields;
            let text = format!(
                r#"{{"schema":"evercred.clock/1","boot_id":"b","lowest_ms":{lowest},"highest_ms":{highest},"as_of":{as_of},"suspended_ms":{suspended},"trust":"Configured"}}"#
            );
            if let Ok(Some(clock)) = saved::decode_clock(&text, Some("b")) {
                let now = crate::session_cases::bench::now(60_000, 1_790_000_000_000);
                let mut restored = evercred::core::clock::Clock::new(now, false);
                restored.restore(clock, now);
                let _ = (restored.best(now), restored.aws_now(now), restored.uncertainty(now));
            }
        }
        Vec::new()
    }),
    ("lengths of time in the settings", |value| {
        for setting in ["[renew]\nbefore", "[renew]\nused_within", "[clock]\nwarn"] {
            for unit in ["", "s", "m", "h", "d", "d1d"] {
                if let Ok(settings) = Settings::parse(&format!("{setting} = \"{}{unit}\"\n", bare(value))) {
                    let _ = settings.keeper();
                }
            }
            let _ = Settings::parse(&format!("{setting} = {value}\n"));
        }
        Vec::new()
    }),
    ("times in an error message", |value| {
        let value = bare(value);
        let mut text = String::new();
        for (from, to) in [(value, "20261124T090000Z"), ("20261124T090000Z", value), (value, value)] {
            writeln!(
                text,
                "InvalidSignatureException: Signature expired: {from} is now earlier than {to} ({to} - 15 min.)"
            )
            .unwrap();
            writeln!(
                text,
                "<Error><Code>RequestTimeTooSkewed</Code><RequestTime>{from}</RequestTime><ServerTime>{to}</ServerTime></Error>"
            )
            .unwrap();
        }
        let explanation = explain(&scan(&text), &Report::default(), &LocalContext::default());
        let _ = (render(&explanation, true), explanation.document());
        Vec::new()
    }),
];

/// The ends of all number types, and what lies just beyond them; times at the ends of calendars.
fn values() -> Vec<String> {
    let mut values: Vec<String> = [
        i128::from(i32::MIN),
        i128::from(i32::MAX),
        i128::from(u32::MAX),
        i128::from(i64::MIN),
        i128::from(i64::MAX),
        i128::from(u64::MAX),
        i128::MIN,
        i128::MAX,
        i128::from(i64::MAX) / 1_000,
        i128::from(i64::MIN) / 1_000,
        // Years 1, 10000 and those of chrono's calendar, in seconds and milliseconds.
        -62_135_596_800,
        -62_135_596_800_000,
        253_402_300_799,
        253_402_300_799_999,
        8_210_266_876_799,
        8_210_266_876_799_999,
        0,
    ]
    .iter()
    .flat_map(|number| [number.saturating_sub(1), *number, number.saturating_add(1)])
    .map(|number| number.to_string())
    .collect();
    let floats = [f64::MAX, f64::MIN, f64::MIN_POSITIVE, f64::EPSILON, 1e19, -1e19, 1.5, -0.0];
    values.extend(floats.iter().map(|number| format!("{number:e}")));
    values.extend(
        ["NaN", "Infinity", "-Infinity", "inf", "1e400", "-1e400", "0x7fffffffffffffff", "1_000"].map(String::from),
    );
    values.extend([&"9".repeat(63), &"9".repeat(400), &"0".repeat(5_000)].map(|digits| digits.clone()));
    for year in [
        "0000",
        "0001",
        "1582",
        "1969",
        "9999",
        "10000",
        "+10000",
        "-0001",
        "262142",
        "+262142",
        "-262144",
        "999999999999",
    ] {
        for rest in [
            "-12-31T23:59:59Z",
            "-01-01T00:00:00Z",
            "-06-30T23:59:60Z",
            "-12-31T23:59:59+23:59",
            "-01-01T00:00:00-23:59",
        ] {
            values.push(format!("{year}{rest}"));
        }
        values.push(format!("{year}1231T235959Z"));
        values.push(format!("Fri, 31 Dec {year} 23:59:59 GMT"));
        values.push(format!("Sat, 01 Jan {year} 00:00:00 GMT"));
    }
    values.extend(
        [
            "",
            " ",
            "-",
            "+",
            "T",
            ":",
            "\u{0661}\u{0662}",
            "2026-11-24T12:00:00",
            "2026-11-24T12:00:00.999999999999999999999Z",
        ]
        .map(String::from),
    );
    values
}

fn check(reader: &Reader, value: &str) {
    let (name, read) = reader;
    for value in [value.to_owned(), format!("\"{value}\"")] {
        for time in read(&value) {
            let is_written =
                time.len() == 20 && time.ends_with('Z') && time.bytes().take(4).all(|byte| byte.is_ascii_digit());
            assert!(is_written, "{name} made {time} of {value}");
        }
    }
}

#[test]
fn no_reader_panics_and_every_time_has_a_year_of_four_digits() {
    for reader in READERS {
        for value in values() {
            check(reader, &value);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]
    #[test]
    fn no_reader_panics_at_any_number(number: i64, unsigned: u64, float in any::<f64>(), text in "[-+0-9TZ:.eE ]{0,30}") {
        for reader in READERS {
            for value in [number.to_string(), unsigned.to_string(), format!("{float}"), text.clone()] {
                check(reader, &value);
            }
        }
    }

    #[test]
    fn no_ntp_packet_panics(bytes in proptest::collection::vec(any::<u8>(), 0..70), own: bool, ends: [i64; 3]) {
        let nonce = [7; 8];
        let mut packet = bytes;
        if own && packet.len() >= 48 {
            packet[0] = 4 << 3 | 4;
            packet[1] = packet[1] % 15 + 1;
            packet[24..32].copy_from_slice(&nonce);
        }
        let [sent, received, about] = ends;
        let (sent, received) = (BootTime::from_millis(sent), BootTime::from_millis(received));
        if let Ok(answer) = ntp::read(&packet, nonce, sent, received, AwsTime::from_millis(about)) {
            for time in shown([Some(answer.server_sent), Some(answer.server_received)]) {
                prop_assert_eq!(time.len(), 20);
            }
        }
    }
}

#[test]
fn the_json_of_a_token_is_bounded_in_depth() {
    let deep = "[".repeat(200_000);
    assert!(Session::Sso(sso_session()).read(&deep).is_err());
    assert!(process_output::read_output(deep.as_bytes()).is_err());
    assert!(saved::decode_memory(&deep).is_err());
    assert!(login_session_of(&Secret::new(format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(&deep)))).is_none());
}
