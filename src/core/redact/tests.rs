use super::*;

#[test]
fn a_secret_that_began_on_a_line_before_is_not_shown() {
    for text in [
        "SessionToken:\nhunter2ABC",
        "aws_session_token =\n  hunter2",
        "\"SessionToken\": \"IQoJ\nhunter2 hunter2\"",
        "token IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQDx4Kq1\nhunter2Zz",
        "token IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQDx4Kq1\nQoJb3JpZ2x\nhunter2Zz==",
        "-----BEGIN RSA PRIVATE KEY-----\nMIIE\nhunter2",
        "-----BEGIN RSA PRIVATE KEY-----\nhunter2\n-----END RSA PRIVATE KEY-----",
    ] {
        let shown = last_line_of_program(text, &Values::default()).unwrap();
        assert!(!shown.contains("hunter2"), "{text}: {shown}");
    }
    for (text, last) in [
        ("reading the token\nthe vault is locked\n\n", "the vault is locked"),
        ("invalid token\n1Password CLI: not signed in", "1Password CLI: not signed in"),
        ("-----BEGIN CERTIFICATE-----\nx\n-----END CERTIFICATE-----\nit has expired", "it has expired"),
    ] {
        assert_eq!(last_line_of_program(text, &Values::default()).as_deref(), Some(last));
    }
    assert_eq!(last_line_of_program(" \n", &Values::default()), None);
}

#[test]
fn secrets_are_known_wherever_helpers_print_them() {
    const TOKEN: &str = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQDx4Kq1";
    const SECRET: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    for line in [
        format!("export AWS_SESSION_TOKEN={TOKEN}"),
        format!("set -gx AWS_SESSION_TOKEN {TOKEN}"),
        format!("$Env:AWS_SECRET_ACCESS_KEY = '{SECRET}'"),
        format!("> x-amz-security-token: {TOKEN}"),
        format!("X-Amz-Security-Token={}", TOKEN.replace('/', "%2F")),
        format!("GET https://sts.amazonaws.com/?X-Amz-Security-Token={TOKEN}&X-Amz-Signature=abc"),
        format!("x-amz-sso_bearer_token: aoaAAAAAGabcDEF123{TOKEN}"),
        format!("token aoaAAAAAGNzYxZ{SECRET}:MGQCMA"),
        format!("Authorization: Bearer {TOKEN}"),
        format!("Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/x, Signature={SECRET}"),
        format!("{{\"a\":{{\"accessToken\":\"{TOKEN}\",\"clientSecret\":\"{SECRET}\"}}}}"),
        format!("b'{SECRET}'"),
        format!("[{SECRET}]"),
        format!("(AKIAIOSFODNN7EXAMPLE,{SECRET})"),
        format!("eyJraWQiOiJrZXkiLCJhbGciOiJFUzM4NCJ9.eyJwbGFpbnRleHQiOiJ4In0.{SECRET}"),
        format!("curl -u me:{SECRET} https://vault.example"),
        format!("Set-Cookie: sid={TOKEN}; Path=/"),
    ] {
        let shown = without_secrets(&line);
        for part in [TOKEN, SECRET] {
            let is_part = |run: &[u8]| shown.contains(std::str::from_utf8(run).unwrap());
            assert!(!part.as_bytes().windows(9).any(is_part), "{line}\n{shown}");
        }
    }
}

#[test]
fn nothing_secret_of_a_programs_line_is_shown() {
    for line in [
        r#"{"Version":1,"AccessKeyId":"ASIAIOSFODNN7EXAMPLE","SecretAccessKey":"hunter2","SessionToken":"hunter2"}"#,
        r#"{"Version": 1, "AccessKeyId": "ASIAIOSFODNN7EXAMPLE", "SecretAccessKey": "hunter2", "SessionToken": "hunter2"}"#,
        "{'SecretAccessKey': 'hunter2', 'Expiration': 'x'}",
        "aws_secret_access_key=hunter2",
        "aws_secret_access_key = hunter2",
        "export AWS_SESSION_TOKEN='hunter2 hunter2 hunter2' # x",
        "password=\"hunter2 and hunter2\" was refused",
        "password = \"hunter2 and hunter2\" was refused",
        "SecretAccessKey: hunter2",
        "api_key=hunter2",
        "--api-key=hunter2 --region x",
        "key: hunter2",
        "Password: hunter2",
        "the password hunter2 is wrong",
        "<SecretAccessKey>hunter2</SecretAccessKey>",
        "> Authorization: Bearer hunter2",
        "authorization: basic hunter2",
        "sent Bearer hunter2 to the server",
        "x-amz-security-token: hunter2",
        "Cookie: session=hunter2",
        "GET https://me:hunter2@vault.example/v1/aws?x=1",
        "https://vault.example/?token=hunter2&x=1",
        "eyJhbGciOiJIUzI1NiJ9.eyJodW50ZXIyIjoxfQ.hunter2 was refused",
        "AKIAIOSFODNN7EXAMPLE:hunter2",
        "AKIAIOSFODNN7EXAMPLE hunter2",
        "\u{1b}[31mSecretAccess\u{1b}[0mKey\u{1b}[1m:\u{1b}[0m hunter2",
        "secret\u{200b}_key=hunter2",
        "DB_PWD=hunter2",
        "token=>hunter2",
        "token => hunter2",
    ] {
        let shown = without_secrets(line);
        assert!(!shown.contains("hunter2"), "{line}\n{shown}");
    }
    let key = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
    for line in [
        key.to_owned(),
        format!("got {key}, expected less"),
        "x".repeat(60),
        "0".repeat(44) + "=",
        format!("a.{key}.b"),
    ] {
        let shown = without_secrets(&line);
        assert!(!shown.contains("wJalr") && !shown.contains("xxxxx") && !shown.contains("00000"), "{shown}");
    }
}

#[test]
fn what_a_program_says_of_its_failure_is_shown() {
    for line in [
        "the vault is locked",
        "error: no such vault: /home/someone/.local/share/vaults/with-a-long-name-of-its-own-to-tell",
        "An error occurred (ExpiredToken) when calling the AssumeRole operation: The security token is over",
        "ExpiredTokenException: The security token has expired",
        "invalid token: The request was refused",
        "User: arn:aws:iam::111122223333:user/me is not authorized to perform: sts:AssumeRole",
        "perform: secretsmanager:GetSecretValue on resource",
        "the key AKIAIOSFODNN7EXAMPLE is inactive",
        "/usr/bin/sh: 1: no-such-helper: not found",
    ] {
        assert_eq!(without_secrets(line), line);
    }
}
