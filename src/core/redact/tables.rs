//! Texts with a secret in each known notation, and texts without a secret that stay unchanged.

use super::*;

/// A secret access key, a session token, and a password that is recognised only by its name.
const KEY: &str = "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY";
const TOKEN: &str = "IQoJb3JpZ2luX2VjEJr//////////wEaCXVzLWVhc3QtMSJHMEUCIQDx4Kq1";
const PASSWORD: &str = "hunter2-and-3-Pw";

/// Whether a text contains the secret, or any twelve characters of it.
fn gives_away(text: &str, secret: &str) -> bool {
    let text: String = text.chars().filter(|c| !c.is_whitespace()).collect();
    secret.as_bytes().windows(12).any(|part| text.contains(std::str::from_utf8(part).unwrap()))
}

/// `{}` is the place of the secret.
const NAMED: &[&str] = &[
    "api_key {}",
    "api-key: {}",
    "apikey={}",
    "API KEY: {}",
    "session_key {}",
    "the session_key was {}",
    "refresh_token \"{} and {}\"",
    "refresh_token '{} b'",
    "refresh_token: \"a {}\"",
    "secret access key: {}",
    "session token {}",
    "Cookie: a=1; sid={}; t={}",
    "Set-Cookie: a=1; Path=/; sid={}; HttpOnly",
    "> Cookie: sid={}; t={}",
    "curl -H 'Cookie: a=1; sid={}' https://vault.example",
    "curl -u user:{} https://vault.example",
    "curl --user user:{} https://vault.example",
    "curl --user 'user:{}' https://vault.example",
    "helper --password {}",
    "helper --password={}",
    "helper --password '{} x'",
    "mysql -p{} -h db",
    "mysql -p {} -h db",
    "openssl -passin pass:{}",
    "pass phrase: {}",
    "Enter pass phrase: {}",
    "passphrase is {}",
    "the passphrase was {}",
    "password for x is {}",
    "password for user bob: {}",
    "token%3D{}",
    "token%3D{}%26x%3D1",
    "%22SecretAccessKey%22%3A%22{}%22",
    "%2522SecretAccessKey%2522%253A%2522{}%2522",
    r#"{"log":"{\"SecretAccessKey\":\"{}\"}"}"#,
    r#"{\\\"SecretAccessKey\\\":\\\"{}\\\"}"#,
    r#"{"SecretAccessKey": "{}"}"#,
    r#"{ "SecretAccessKey" : "{}" }"#,
    "{'SecretAccessKey': '{}'}",
    "{:secret_access_key=>\"{}\"}",
    "Credentials { secret_access_key: \"{}\", expires_after: None }",
    "SecretAccessKey\\u0022:\\u0022{}\\u0022",
    "&quot;SecretAccessKey&quot;:&quot;{}&quot;",
    "aws_secret_access_key: {}",
    "  aws_secret_access_key:   {}",
    "- password: {} and more",
    "password: |\n  {}",
    "aws_secret_access_key = {}",
    "aws_secret_access_key={}",
    "<SecretAccessKey>{}</SecretAccessKey>",
    "<sts:SecretAccessKey>{}</sts:SecretAccessKey>",
    "<password type=\"text\">{}</password>",
    "<key>SecretAccessKey</key><string>{}</string>",
    "<entry name=\"password\" value=\"{}\"/>",
    "https://user:{}@vault.example/v1",
    "https://{}@vault.example/v1",
    "postgres://user:{}@db:5432/x",
    "GET https://sts.amazonaws.com/?X-Amz-Security-Token={}&X-Amz-Date=1",
    "GET https://b.s3.amazonaws.com/k?X-Amz-Date=1&X-Amz-Signature={}",
    "https://vault.example/callback?code={}&state=x",
    "Authorization: Basic {}",
    "Authorization: Bearer {}",
    "\"Authorization\": \"Bearer {}\"",
    "Authorization: token {}",
    "Authorization=Bearer {}",
    "Proxy-Authorization: Basic {}",
    "Authorization: AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101/us-east-1/sts/aws4_request, SignedHeaders=host, Signature={}",
    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20260101, SignedHeaders=host, Signature={}",
    "sent Bearer {} to the server",
    "AWS_SECRET_ACCESS_KEY={}",
    "HOME=/home/x AWS_SECRET_ACCESS_KEY={} PATH=/bin",
    "export AWS_SECRET_ACCESS_KEY='{}'",
    "export AWS_SECRET_ACCESS_KEY=\"{}\"; export AWS_REGION=x",
    "declare -x AWS_SESSION_TOKEN=\"{}\"",
    "set AWS_SECRET_ACCESS_KEY={}",
    "set AWS_SECRET_ACCESS_KEY {}",
    "set -gx AWS_SESSION_TOKEN {}",
    "setx AWS_SECRET_ACCESS_KEY {}",
    "$env:AWS_SECRET_ACCESS_KEY = \"{}\"",
    "${env:AWS_SECRET_ACCESS_KEY} = '{}'",
    "secret_key={}",
    "SECRET_KEY={}",
    "Secret_Key={}",
    "ｐａｓｓｗｏｒｄ：{}",
    "password＝{}",
    "password\u{a0}:\u{a0}{}",
    "password → {}",
    "token\u{200b}: {}",
    "\u{1b}[31mSecretAccess\u{1b}[0mKey\u{1b}[1m:\u{1b}[0m {}",
    "('aws_secret_access_key', '{}')",
    "[\"aws_secret_access_key\",\"{}\"]",
    "['helper', '--password', '{}']",
    "{\"Name\":\"AWS_SECRET_ACCESS_KEY\",\"Value\":\"{}\"}",
    "|  SecretAccessKey |  {} |",
    "SecretAccessKey\t{}",
    "AKIAIOSFODNN7EXAMPLE:{}",
    "AKIAIOSFODNN7EXAMPLE,{}",
    "AKIAIOSFODNN7EXAMPLE {}",
    "tokens: [\"{}\", \"{}\"]",
    "\"secrets\": {\"db\": \"{}\"}",
    "spring.datasource.password={}",
    "x-api-key:{}",
    "token => {}",
    "password := \"{}\"",
    "login failed for password {}",
    "invalid token {}: refused",
    "client_secret={}&grant_type=refresh_token",
    "-----BEGIN RSA PRIVATE KEY-----\n{}\n-----END RSA PRIVATE KEY-----",
    "private_key: \"-----BEGIN PRIVATE KEY-----\\n{}\\n-----END PRIVATE KEY-----\"",
    "aws_secret_access_key =\n    {}",
];

#[test]
fn a_secret_with_a_name_is_not_shown_in_any_notation() {
    let mut wrong = Vec::new();
    for form in NAMED {
        for secret in [KEY, TOKEN, PASSWORD] {
            for around in ["{}", "error: {}", "{} (exit 1)"] {
                let text = around.replace("{}", &form.replace("{}", secret));
                for shown in
                    [without_secrets(&text), last_line_of_program(&text, &Values::default()).unwrap_or_default()]
                {
                    if gives_away(&shown, secret) {
                        wrong.push(format!("{text}\n  shown as {shown}"));
                    }
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{} of {}:\n{}", wrong.len(), NAMED.len() * 18, wrong.join("\n"));
}

#[test]
fn a_password_of_letters_alone_is_not_shown_after_a_sign_an_option_or_a_verb() {
    for form in [
        "password: {}",
        "api_key {}",
        "set AWS_SECRET_ACCESS_KEY {}",
        "helper --password {} --x",
        "mysql -p{} -h db",
        "mysql -p {} -h db",
        "passphrase is {}",
        "the password was {}!",
        "password for x is {}",
        "password for user bob: {}",
        "\"Authorization\": \"Bearer {}\"",
        "sent Bearer {} to the server",
        "AKIAIOSFODNN7EXAMPLE:{}",
        "tokens: [\"{}\", \"{}\"]",
        "\"secrets\": {\"db\": \"{}\"}",
    ] {
        let shown = without_secrets(&form.replace("{}", "swordfish"));
        assert!(!shown.contains("swordfish"), "{form}: {shown}");
    }
}

#[test]
fn a_secret_is_known_by_its_form() {
    let base64_of_a_document = "eyJWZXJzaW9uIjoxLCJBY2Nlc3NLZXlJZCI6IkFTSUFJT1NGT0ROTjdFWEFNUExFIiwiU2VjcmV0QWNjZXNzS2V5Ijoid0phbHJYVXRuRkVNSSJ9";
    for secret in [
        KEY,
        TOKEN,
        base64_of_a_document,
        "W2RlZmF1bHRdCmF3c19zZWNyZXRfYWNjZXNzX2tleSA9IHdKYWxyWFV0bkZFTUkvSzdNREVORw==",
        "xoxb-123456789012-abcdefghijkl",
        "ghp_abcdefghijklmnopqrstuvwxyz0123456789",
        "github_pat_11ABCDEFG0abcdefghijklmn",
        "glpat-abcdefghij0123456789",
        "sk-proj-abcdefghij0123456789",
        "sk_live_abcdefghij0123456789",
        "AIzaSyA1234567890abcdefghijklmnopqrstuv",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
        "hvs.CAESIJ1234567890abcdef",
        "aoaAAAAAGNzYxZabcdefghijklmnop",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c4b5a69788796a5b4c3d2e1f0",
        "0f1e2d3c4b5a69788796a5b4c3d2e1f00f1e2d3c",
        "ya29.a0AfH6SMBx1234567890",
    ] {
        let half = secret.len() / 2;
        let third = secret.len() / 3;
        for text in [
            secret.to_owned(),
            format!("error: got {secret}, expected less"),
            format!("b'{secret}'"),
            format!("[{secret}]"),
            format!("x={secret}"),
            format!("https://vault.example/?x={secret}&y=1"),
            format!("User: arn:aws:sts::111122223333:assumed-role/{secret}/me is not authorized"),
            format!("no role arn:aws:iam::111122223333:role/team/{secret}"),
            format!("on resource: \"arn:aws:s3:::bucket/{secret}\""),
            format!("{}\u{1b}[31m{}\u{1b}[0m", &secret[..half], &secret[half..]),
            format!("{}\u{9b}1m{}", &secret[..half], &secret[half..]),
            format!("{}\u{200b}{}", &secret[..half], &secret[half..]),
            format!("{}\0{}", &secret[..half], &secret[half..]),
            secret.replace('/', "%2F").replace('=', "%3D"),
            format!("first line\n{secret}\nlast line"),
        ] {
            let shown = without_secrets(&text);
            assert!(!gives_away(&shown, secret), "{text:?}\n{shown:?}");
        }
        for text in [
            format!("aws_secret_access_key = {}\n{}", &secret[..half], &secret[half..]),
            format!("secret: {}\n{}\n{}", &secret[..third], &secret[third..2 * third], &secret[2 * third..]),
            format!("the terminal is narrow: the token {}\n{} is wrong", &secret[..half], &secret[half..]),
        ] {
            let shown = without_secrets(&text);
            assert!(!gives_away(&shown, secret), "{text:?}\n{shown:?}");
        }
    }
    let below = last_line_of_program(&format!("aws_secret_access_key\n{PASSWORD}"), &Values::default()).unwrap();
    assert!(!gives_away(&below, PASSWORD), "{below}");
    for (from, to) in [(20, 40), (10, 25), (13, 26)] {
        let (a, b, c) = (&KEY[..from], &KEY[from..to], &KEY[to..]);
        let text = if c.is_empty() { format!("{a}\n{b}") } else { format!("{a}\n{b}\n{c}") };
        assert!(!gives_away(&without_secrets(&text), KEY), "{text}\n{}", without_secrets(&text));
        let in_lines = text.replace('\n', "\r\n    ");
        assert!(!gives_away(&without_secrets(&in_lines), KEY), "{in_lines}");
    }
}

#[test]
fn a_secret_that_a_program_was_given_is_known_by_its_value() {
    let variables = [("VAULT_TOKEN", "swordfish"), ("PWD", "/home/someone"), ("HOME", "/home/someone")];
    let given = given(&format!("helper --password '{PASSWORD}' --region x"), variables.into_iter());
    for text in [format!("no such thing: {PASSWORD}"), format!("{PASSWORD}\n"), "swordfish is wrong".to_owned()] {
        let shown = last_line_of_program(&text, &given).unwrap();
        assert!(!gives_away(&shown, PASSWORD) && !shown.contains("swordfish"), "{shown}");
    }
    assert_eq!(last_line_of_program("no /home/someone/x", &given).as_deref(), Some("no /home/someone/x"));
}

/// Texts without a secret, which stay unchanged.
const HARMLESS: &[&str] = &[
    "An error occurred (ExpiredToken) when calling the GetCallerIdentity operation: The security token included in the request is expired",
    "An error occurred (InvalidClientTokenId) when calling the AssumeRole operation: The security token included in the request is invalid.",
    "An error occurred (SignatureDoesNotMatch) when calling the AssumeRole operation: The request signature we calculated does not match the signature you provided. Check your AWS Secret Access Key and signing method. Consult the service documentation for details.",
    "Signature expired: 20261124T090000Z is now earlier than 20261124T094100Z (20261124T095600Z - 15 min.)",
    "User: arn:aws:iam::111122223333:user/me is not authorized to perform: sts:AssumeRole on resource: arn:aws:iam::444455556666:role/Admin",
    "User: arn:aws:sts::111122223333:assumed-role/AWSReservedSSO_AdministratorAccess_0123456789abcdef/me@example.com is not authorized to perform: secretsmanager:GetSecretValue on resource: arn:aws:secretsmanager:eu-west-1:111122223333:secret:prod/db-AbCdEf because no identity-based policy allows the secretsmanager:GetSecretValue action",
    "no arn:aws:iam::111122223333:role/service-role/AmazonSageMakerServiceCatalogProductsExecutionRole20261130",
    "no arn:aws:sts::111122223333:assumed-role/TerraformCloudDeployRoleV2ForEnvironmentProd1/botocore-session-1572604810",
    "no arn:aws:iam::111122223333:role/eksctl-Prod2-nodegroup-NodeInstanceRole-WI4NRJOXXJ5L",
    "no arn:aws:s3:::my-bucket/Data/2026/Reports/January/Summary2/final.parquet",
    "no arn:aws:ecs:eu-west-1:111122223333:task/Main1/0a1b2c3d4e5f60718293a4b5c6d7e8f9",
    "MultiFactorAuthentication failed with invalid MFA one time pass code.",
    "The provided token is malformed or otherwise invalid.",
    "token expired",
    "Token has expired and refresh failed",
    "Error when retrieving token from sso: Token has expired and refresh failed",
    "Error loading SSO Token: Token for corp does not exist",
    "The SSO session associated with this profile has expired or is otherwise invalid.",
    "Unable to locate credentials. You can configure credentials by running \"aws configure\".",
    "Partial credentials found in shared-credentials-file, missing: aws_secret_access_key",
    "missing: aws_secret_access_key and region",
    "ExpiredTokenException: The security token included in the request is expired",
    "InvalidToken: The request was refused",
    "UnrecognizedClientException: The security token included in the request is invalid",
    "(Service: Sts, Status Code: 403, Request ID: 8f2b1c3d-0a1b-4c5d-9e8f-0123456789ab)",
    "status code: 403, request id: 8f2b1c3d-0a1b-4c5d-9e8f-0123456789ab",
    "RequestId: 4442587FB7D0A2F9",
    "the key AKIAIOSFODNN7EXAMPLE is inactive",
    "access key AKIAIOSFODNN7EXAMPLE of account 111122223333",
    "\"AccessKeyId\": \"AKIAIOSFODNN7EXAMPLE\"",
    "aws_access_key_id = AKIAIOSFODNN7EXAMPLE",
    "<AccessKeyId>AKIAIOSFODNN7EXAMPLE</AccessKeyId>",
    "account 111122223333",
    "/usr/bin/sh: 1: no-such-helper: not found",
    "open /home/someone/.aws/credentials: permission denied",
    "no such vault: /home/someone/.local/share/vaults/with-a-long-name-of-its-own-to-tell",
    "/home/someone/.aws/sso/cache/d033e22ae348aeb5660fc2140aec35850c4da997.json: no such file or directory",
    "[Errno 2] No such file or directory: '/var/run/secrets/eks.amazonaws.com/serviceaccount/token'",
    "the vault is locked",
    "1Password CLI: not signed in",
    "invalid token: The request was refused",
    "token refused: HTTP 403",
    "the password is wrong",
    "No AWSAccessKey was presented.",
    "password authentication failed",
    "Your authorization token has expired. Reauthenticate and try again.",
    "the web identity token file can't be read",
    "error: the following arguments are required: --password",
    "AWS_SESSION_TOKEN is not set",
    "dial tcp 10.0.0.1:443: connect: connection refused",
    "Could not connect to the endpoint URL: \"https://sts.eu-west-1.amazonaws.com/\"",
    "https://sts.amazonaws.com/?x=a@b says no",
    "git@github.com: Permission denied (publickey).",
    "failed to refresh cached credentials, no EC2 IMDS role found, operation error ec2imds: GetMetadata, request canceled",
    "perform: secretsmanager:GetSecretValue on resource",
    "error calling sts:GetSessionToken: denied",
    "x509: certificate signed by unknown authority",
    "pass: command not found",
    "gpg: decryption failed: No secret key",
    "Error: no keyring found for profile dev",
    "Enter MFA code for arn:aws:iam::111122223333:mfa/me: ",
    "2026-11-24T08:00:00Z ERROR helper: exit status 3",
    "profile \"dev\" in /home/someone/.aws/config, line 12",
    "Code: AccessDenied, exit code 254",
];

#[test]
fn what_is_no_secret_stays_readable() {
    let changed: Vec<String> = HARMLESS
        .iter()
        .flat_map(|text| [(*text).trim_end().to_owned(), format!("helper: {}", text.trim_end())])
        .map(|text| (without_secrets(&text), text))
        .filter(|(shown, text)| shown != text)
        .map(|(shown, text)| format!("{text}\n  shown as {shown}"))
        .collect();
    assert!(changed.is_empty(), "{}", changed.join("\n"));
}

#[test]
fn a_command_line_is_recognised_without_its_secrets() {
    for (line, shown) in [
        ("helper --profile dev --region eu-west-1", None),
        ("/opt/bin/get-token --profile prod-2 --format json", None),
        ("op read op://vault/aws-key/credential", None),
        ("pass show aws/secret-key", None),
        ("aws configure export-credentials --profile base", None),
        ("/usr/bin/evercred credential-process dev", None),
        (
            "aws_signing_helper credential-process --certificate /c.pem --private-key /k.pem --role-arn arn:aws:iam::1:role/x",
            None,
        ),
        ("sh -c 'vault read -field=json aws/creds/dev'", None),
        ("helper --token-file /run/token --password-stdin", None),
        ("helper --password $VAULT_PASSWORD", None),
        ("helper --password \"$(pass show x)\"", None),
        ("helper --password swordfish --x", Some("helper --password (hidden) --x")),
        ("helper --password=swordfish --x", Some("helper --password=(hidden) --x")),
        ("helper --api-key=abc --x", Some("helper --api-key=(hidden) --x")),
        ("TOKEN=abc helper --x", Some("TOKEN=(hidden) helper --x")),
        ("env VAULT_TOKEN='a b' helper --x", Some("env VAULT_TOKEN=(hidden) helper --x")),
        ("curl -u user:pw https://h/x", Some("curl -u user:(hidden) https://h/x")),
        ("curl --user user:pw https://h/x", Some("curl --user user:(hidden) https://h/x")),
        ("curl -H 'X-Api-Key: abc' https://h/x", Some("curl -H 'X-Api-Key: (hidden)' https://h/x")),
        ("curl -H 'Authorization: Bearer abc' https://h", Some("curl -H 'Authorization: (hidden)' https://h")),
        ("curl https://user:pw@h/x", Some("curl https://(hidden)@h/x")),
        ("curl 'https://h/x?token=abc'", Some("curl 'https://h/x?token=(hidden)'")),
        ("helper --password 'two words' --x", Some("helper --password (hidden) --x")),
    ] {
        assert_eq!(command(line), shown.unwrap_or(line));
    }
}

#[test]
fn a_text_that_was_redacted_stays_as_it_is() {
    let commands = ["helper --password x --token y", "curl -u a:b c"];
    for text in NAMED.iter().map(|form| form.replace("{}", KEY)).chain(commands.map(str::to_owned)) {
        let once = without_secrets(&text);
        assert_eq!(without_secrets(&once), once, "{text}");
    }
}

#[test]
fn the_work_is_linear_in_the_length_of_the_text() {
    let pieces = [
        "token ",
        "token,",
        "token=",
        "password \"",
        "-u “",
        "-u a",
        "key:",
        "<key ",
        "<key>",
        "a://",
        "x@",
        "AKIAIOSFODNN7EXAMPLE ",
        "-----BEGIN",
        "arn:",
        "Authorization:",
        "Cookie:",
        "{",
        "[",
        "secret: [",
        "%25",
        "\\",
        "&amp;",
        "x",
        "aB3/",
        "\n",
        "token\n",
        "aB3dE6gH9\n",
        "secret_key",
        "password for x ",
        "=",
        "\u{1b}[",
        "\u{1b}]",
        "\u{9d}",
        "eyJ",
        "ghp_",
    ];
    for piece in pieces {
        for beginning in ["", "secret_key ", "\""] {
            let work = |length: usize| {
                let text = format!("{beginning}{}", piece.repeat(length / piece.len()));
                let letters = letters::letters(&letters::without_escapes(&text));
                let scan = Scan::new(&letters, What::Text);
                let work = std::rc::Rc::clone(&scan.work);
                scan.run();
                work.get()
            };
            let (short, long) = (work(4_000), work(32_000));
            assert!(long <= 12 * short.max(4_000), "{beginning:?} {piece:?}: {short}, {long}");
            assert!(long < 32_000 * 300, "{piece:?}: {long}");
        }
    }
}
