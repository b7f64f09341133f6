//! Tables: the findings about a file, and the time of the notices.

use super::debounce::{CREDENTIALS_MALFORMED, FileLints};
use super::*;
use crate::core::doctor::testing::evidence;
use crate::core::keeper::Notice;
use crate::core::time::BootTime;

const ID: &str = "AKIAQMARKEDUSERKEY23";
const TEMPORARY: &str = "ASIAQMARKEDTEMPKEY23";
const SECRET: &str = "s3cretA/MARKED+aZ4aZ4aZ4aZ4aZ4aZ4aZ4aZ4a";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEMARKEDtokenMARKEDtokenMARKEDtokenMARKEDtokenMARKEDtoken";

fn of(config: &str, credentials: &str, variables: &[(&str, &str)]) -> Vec<Lint> {
    let evidence = evidence(config, credentials, variables, "");
    lints(&evidence.profiles, &evidence.context)
}

fn section(id: &str, secret: &str, rest: &str) -> String {
    format!("[dev]\naws_access_key_id = {id}\naws_secret_access_key = {secret}\n{rest}")
}

#[test]
fn what_can_not_be_right_is_said_with_its_line_and_the_doctors_id() {
    let with_token = |key: &str| format!("{key} = {TOKEN}\n");
    for (id, secret, rest, expected, line, part) in [
        ("akiaqmarkeduserkey23", SECRET, "", Cause::AccessKeyMalformed, 2, "lowercase"),
        (SECRET, ID, "", Cause::AccessKeyMalformed, 2, "exchanged"),
        ("YOUR_ACCESS_KEY", SECRET, "", Cause::AccessKeyMalformed, 2, "placeholder"),
        (ID, &format!("\"{SECRET}\""), "", Cause::SecretKeyMalformed, 3, "quotes"),
        (ID, "s3cretA%2FMARKED", "", Cause::SecretKeyMalformed, 3, "percent-encoded"),
        (TEMPORARY, SECRET, "aws_session_token = IQoJ MARKED\n", Cause::SessionTokenMalformed, 4, "blank"),
        (TEMPORARY, SECRET, "", Cause::SessionTokenMissing, 2, "has no session token"),
        (ID, SECRET, &with_token("aws_session_token"), Cause::SessionTokenStale, 4, "left over"),
        (ID, SECRET, &with_token("aws_security_token"), Cause::SessionTokenStale, 4, "left over"),
    ] {
        let all = of("", &section(id, secret, rest), &[]);
        let first = all.first().unwrap_or_else(|| panic!("{part}"));
        assert_eq!((first.id, first.origin.line, first.profile.as_str()), (expected, line, "dev"), "{all:?}");
        assert_eq!(first.origin.file, SourceFile::Credentials);
        assert!(first.message.contains(part) && first.message.contains("\"dev\""), "{part}: {first:?}");
        assert!(!first.fix.text().is_empty(), "{first:?}");
        let shown = format!("{all:?}");
        for secret in ["MARKED", "s3cret", "marked", "IQoJ"] {
            assert!(!shown.contains(secret), "{secret}: {shown}");
        }
    }
}

#[test]
fn a_secret_of_the_wrong_length_and_a_region_that_is_none_are_said() {
    let cut = of("", &section(ID, &SECRET[..39], ""), &[]);
    assert_eq!((cut.len(), cut[0].id, cut[0].origin.line), (1, Cause::SecretKeyMalformed, 3), "{cut:?}");
    for (region, fix) in [
        ("eu-centrall-1", LintFix::Command("aws configure set region eu-central-1 --profile dev".into())),
        ("us-east-1a", LintFix::Command("aws configure set region us-east-1 --profile dev".into())),
        ("nonsense", LintFix::Edit("write the name of your region, for example region = eu-central-1".into())),
    ] {
        let all = of(&format!("[profile dev]\nregion = {region}\n"), "", &[]);
        let found: Vec<_> = all.iter().map(|lint| (lint.id, lint.origin.line, &lint.fix)).collect();
        assert_eq!(found, [(Cause::RegionInvalid, 2, &fix)], "{region}: {all:?}");
        assert!(all[0].message.contains(region) && all[0].message.contains("\"dev\""), "{all:?}");
    }
    let in_credentials = of("", &section(ID, SECRET, "region = eu_west_1\n"), &[]);
    assert_eq!(in_credentials[0].fix, LintFix::Edit("write region = eu-west-1".into()));
    for good in [
        "eu-west-1",
        "eu-west-99",
        "auto\nendpoint_url = https://r2.example.com",
        "x\nendpoint_url = http://localhost:1",
    ] {
        assert_eq!(of(&format!("[profile dev]\nregion = {good}\n"), "", &[]), [], "{good}");
    }
}

#[test]
fn what_is_good_or_only_doubtful_or_nobodys_key_is_not_spoken_of() {
    for credentials in [
        section(ID, SECRET, ""),
        section(TEMPORARY, SECRET, &format!("aws_session_token = {TOKEN}\n")),
        section(TEMPORARY, SECRET, &format!("aws_session_token = {TOKEN}\naws_security_token = {TOKEN}x\n")),
        section("AKIAQMARKEDUSERKEY01", SECRET, ""),
        section("minioadmin", "minioadmin", ""),
        section("test", "test", "aws_session_token = test\n"),
        "[dev]\naws_access_key_id =\naws_secret_access_key =\n".to_owned(),
        "[dev]\nregion = eu-west-1\n".to_owned(),
        String::new(),
    ] {
        assert_eq!(of("", &credentials, &[]), [], "{credentials}");
    }
    let token_elsewhere = format!("[profile dev]\naws_session_token = {TOKEN}\n");
    assert_eq!(of(&token_elsewhere, &section(ID, SECRET, ""), &[]), [], "botocore keeps the files apart");
}

#[test]
fn keys_for_an_emulator_are_whatever_they_are() {
    let wrong = section("akiaqmarkeduserkey23", SECRET, "");
    let services = "[profile dev]\nservices = local\n[services local]\ns3 =\n  endpoint_url = http://127.0.0.1:9000\n";
    for (config, variables) in [
        ("[profile dev]\nendpoint_url = http://localhost:4566\n", &[][..]),
        (services, &[]),
        ("[profile up]\nsource_profile = dev\nrole_arn = r\nendpoint_url = http://[::1]:4566\n", &[]),
        ("", &[("AWS_ENDPOINT_URL", "http://127.0.0.1:4566")]),
        ("", &[("AWS_ENDPOINT_URL_STS", "https://sts.localhost.localstack.cloud:4566")]),
    ] {
        assert_eq!(of(config, &wrong, variables), [], "{config} {variables:?}");
    }
    let elsewhere = "[profile dev]\nendpoint_url = https://vpce-1.sts.eu-west-1.vpce.amazonaws.com\n";
    assert_eq!(of(elsewhere, &wrong, &[]).len(), 1);
}

#[test]
fn keys_that_hide_another_way_are_said_with_who_takes_them() {
    let keys = section(ID, SECRET, "");
    let (process, helper) =
        ("credential_process = /bin/tool", "credential_process = /bin/evercred credential-process dev");
    let sso = "sso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Admin";
    for (way, id, message) in [
        (
            process,
            Cause::StaticKeysIgnored,
            "boto3 and the AWS CLI, JavaScript (v3), Go (v2) take the keys of profile \"dev\" in the credentials file instead of the credential_process",
        ),
        (
            helper,
            Cause::AdoptionBroken,
            "boto3 and the AWS CLI, JavaScript (v3), Go (v2) take the keys of profile \"dev\" in the credentials file instead of evercred",
        ),
        (
            sso,
            Cause::StaticKeysIgnored,
            "JavaScript (v3), Go (v2) take the keys of profile \"dev\" in the credentials file instead of the SSO settings",
        ),
    ] {
        let session = "[sso-session corp]\nsso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n";
        let all = of(&format!("[profile dev]\n{way}\n{session}"), &keys, &[]);
        let [lint] = all.as_slice() else { panic!("{all:?}") };
        assert_eq!((lint.id, lint.message.as_str(), lint.origin.line), (id, message, 2));
        assert_eq!(lint.fix.text(), "delete the keys of [dev], or move them to a profile of their own");
    }
    let role = "[profile dev]\nrole_arn = r\nsource_profile = base\n";
    assert_eq!(of(role, &keys, &[]), [], "the role is assumed by every program");
    let in_config = format!("[profile dev]\n{process}\naws_access_key_id = {ID}\naws_secret_access_key = {SECRET}\n");
    assert_eq!(of(&in_config, "", &[]), [], "the doctor tells of keys in the config file");
}

#[test]
fn the_command_fits_the_profile_and_a_file_of_nonsense_is_not_told_to_the_end() {
    let fix = |name: &str| {
        let text = section("akiaqmarkeduserkey23", SECRET, "").replace("[dev]", &format!("[{name}]"));
        of("", &text, &[]).first().map(|lint| lint.fix.text().to_owned()).unwrap_or_default()
    };
    assert_eq!(fix("dev"), "correct aws_access_key_id, or enter the key again: aws configure --profile dev");
    assert!(fix("default").ends_with(": aws configure --profile default"), "{}", fix("default"));
    assert!(configure("it's; rm").ends_with(r"--profile 'it'\''s; rm'"));
    let many: String =
        (0..200).map(|at| section("YOUR_KEY", SECRET, "").replace("[dev]", &format!("[p{at}]"))).collect();
    assert_eq!(of("", &many, &[]).len(), MOST);
}

fn at(seconds: i64) -> BootTime {
    BootTime::from_millis(1_000_000 + 1_000 * seconds)
}

/// What is told by a time, in order.
fn told(files: &mut FileLints, now: BootTime) -> Vec<Notice> {
    files.handle_timeout(now);
    std::iter::from_fn(|| files.poll_notice()).collect()
}

fn wrong() -> Vec<Lint> {
    of("", &section("akiaqmarkeduserkey23", SECRET, ""), &[])
}

fn stale() -> Vec<Lint> {
    of("", &section(ID, SECRET, &format!("aws_session_token = {TOKEN}\n")), &[])
}

#[test]
fn a_mistake_that_came_in_is_told_once_however_often_the_file_is_saved_and_once_that_it_is_mended() {
    let mut files = FileLints::default();
    files.set(Vec::new(), false, at(0));
    files.set(wrong(), true, at(10));
    assert_eq!(files.lints(), wrong(), "the status says it at once");
    assert_eq!(files.next_timeout(), Some(at(15)));
    assert_eq!(told(&mut files, at(14)), []);
    let all = told(&mut files, at(15));
    let [notice] = all.as_slice() else { panic!("{all:?}") };
    assert_eq!((notice.id, notice.is_over, notice.worse), (CREDENTIALS_MALFORMED, false, 0));
    assert!(notice.message.ends_with("(line 2 of the AWS credentials file)"), "{notice:?}");
    for save in 16..26 {
        files.set(wrong(), true, at(save));
        assert_eq!(told(&mut files, at(save)), []);
    }
    assert_eq!((told(&mut files, at(100)).len(), files.next_timeout()), (0, None));
    files.set(Vec::new(), true, at(200));
    let all = told(&mut files, at(200));
    assert!(all.len() == 1 && all[0].is_over && all[0].subject == notice.subject, "{all:?}");
    files.set(wrong(), true, at(300));
    assert_eq!(told(&mut files, at(305)).len(), 1, "it has come back");
}

#[test]
fn what_was_there_from_the_start_or_comes_of_a_setting_is_not_told() {
    let mut files = FileLints::default();
    files.set(wrong(), false, at(0));
    files.set(wrong(), true, at(10));
    files.set([wrong(), stale()].concat(), false, at(20));
    assert_eq!((told(&mut files, at(100)).len(), files.next_timeout()), (0, None));
    files.set(Vec::new(), true, at(200));
    assert_eq!(told(&mut files, at(200)), [], "nobody was told, so nobody waits for its end");
    files.set(wrong(), true, at(300));
    assert_eq!(told(&mut files, at(305)).len(), 1);
}

#[test]
fn a_file_that_is_written_value_by_value_is_not_told_of_in_between() {
    let mut files = FileLints::default();
    files.set(Vec::new(), false, at(0));
    files.set(of("", &section(TEMPORARY, SECRET, ""), &[]), true, at(10));
    assert_eq!(files.lints().len(), 1);
    files.set(Vec::new(), true, at(12));
    assert_eq!((told(&mut files, at(100)).len(), files.next_timeout()), (0, None));
}

#[test]
fn one_file_is_one_cause_that_gets_worse_with_another_mistake_and_shrinks_as_they_are_mended() {
    let mut files = FileLints::default();
    files.set(Vec::new(), false, at(0));
    let third = of("", &section("YOUR_KEY", SECRET, "").replace("dev", "third"), &[]);
    files.set([wrong(), stale()].concat(), true, at(10));
    let both = told(&mut files, at(15));
    assert_eq!((both.len(), both[0].worse, both[0].fix.as_deref()), (1, 0, Some("evercred status")), "{both:?}");
    assert!(both[0].message.ends_with(", and 1 more mistake there"), "{both:?}");
    files.set([wrong(), stale(), third.clone()].concat(), true, at(20));
    let all = told(&mut files, at(25));
    assert_eq!((all.len(), all[0].worse, all[0].subject == both[0].subject), (1, 1, true), "{all:?}");
    files.set(third, true, at(30));
    let rest = told(&mut files, at(30));
    assert!(rest.len() == 1 && !rest[0].is_over && rest[0].worse == 1, "not told again where it was shown: {rest:?}");
    assert!(rest[0].message.contains("\"third\"") && !rest[0].message.contains("more"), "{rest:?}");
}
