//! No secret of a text is printed, in no field: whole, in part, broken by a console or percent-encoded.

use evercred::core::doctor::Report;
use evercred::core::explain::{Explanation, LocalContext, explain, render, scan};

const DENIED: &str = "An error occurred (InvalidClientTokenId) when calling the GetCallerIdentity operation: The security token \
                      included in the request is invalid.";

fn explained(text: &str, report: &Report) -> Explanation {
    explain(&scan(text), report, &LocalContext::default())
}

fn nothing_known() -> Report {
    Report::default()
}

#[test]
fn planted_secrets_never_come_out() {
    const SECRET: &str = "WJalrXUtnFEMIK7MDENGbPxRfiCYPLANTEDSECRET";
    for text in [
        format!("aws_secret_access_key={SECRET} {DENIED} {SECRET}"),
        format!("{DENIED} X-Amz-Security-Token={SECRET}&X-Amz-Signature={SECRET}"),
        format!("Authorization: AWS4-HMAC-SHA256 Credential={SECRET}/20261124/us-east-1/sts/aws4_request\n{DENIED}"),
        format!(
            "api error IncompleteSignature: '{SECRET}' not a valid key=value pair in Authorization header: '{SECRET}'"
        ),
        format!(
            "<Code>InvalidAccessKeyId</Code><Message>no {SECRET}</Message><AWSAccessKeyId>{SECRET}</AWSAccessKeyId>"
        ),
        format!("ExpiredToken: \"SessionToken\": \"{SECRET}\" aws"),
        format!("InvalidClientTokenId: Service: {SECRET} when calling the {SECRET} operation: {SECRET}"),
        format!("operation error {SECRET}: {SECRET}, api error InvalidClientTokenId: {SECRET}"),
        format!("User: arn:aws:{SECRET} is not authorized"),
        format!("The config profile ({SECRET}) could not be found"),
        format!("aws --profile {SECRET} s3 ls\n{DENIED}"),
        // Broken by a console, and percent-encoded.
        wrapped(&format!("aws_secret_access_key = {SECRET} and more words: {DENIED}"), 40),
        wrapped(&format!("{DENIED} aws_secret_access_key={SECRET} and so on"), 150),
        wrapped(
            &format!(
                "api error IncompleteSignature: '{SECRET}' not a valid key=value pair in Authorization header: '{SECRET}'"
            ),
            60,
        ),
        wrapped(
            &format!(
                "api error IncompleteSignature: '{SECRET}' not a valid key=value pair in Authorization header: '{SECRET}'"
            ),
            44,
        ),
        format!("{} aws_secret_access_key%3D{SECRET}", DENIED.replace(' ', "%20")),
        format!("aws_secret_access_key%3D{SECRET}%26{}", DENIED.replace(' ', "+").replace(':', "%3A")),
        format!("X-Amz-Security-Token%3D{}%20{}", SECRET.replace('E', "%45"), DENIED.replace(' ', "%20")),
    ] {
        let explanation = explained(&text, &nothing_known());
        assert!(!explanation.errors.is_empty(), "{text}");
        let out = format!("{}{}{explanation:?}", explanation.document(), render(&explanation, true));
        let pieces = (0..SECRET.len() - 12).map(|at| SECRET.get(at..at + 12).unwrap());
        for piece in pieces {
            assert!(!out.contains(piece), "{piece}\n{text}\n{out}");
        }
    }
}

/// A text as a console of this width shows it.
fn wrapped(text: &str, width: usize) -> String {
    let letters: Vec<char> = text.chars().collect();
    letters.chunks(width).map(|line| line.iter().collect::<String>()).collect::<Vec<_>>().join("\n")
}

/// RFC 3986, with every character that is not unreserved encoded.
fn encoded(text: &str) -> String {
    let is_unreserved = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~".contains(&byte);
    text.bytes()
        .map(|byte| if is_unreserved(byte) { char::from(byte).to_string() } else { format!("%{byte:02X}") })
        .collect()
}

#[test]
fn a_secret_in_the_place_of_a_name_is_not_printed() {
    for secret in ["wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY", "q8Zk3vT1xW7mB5nR2cL9pJ4hG6fD0sA/yU+eKiOa"] {
        for text in [
            format!(
                "An error occurred (AccessDenied) when calling the AssumeRole operation: User: \
                 arn:aws:sts::111122223333:assumed-role/R/{secret} is not authorized to perform: sts:AssumeRole on resource: \
                 arn:aws:iam::111122223333:role/{secret}"
            ),
            format!(
                "An error occurred (AccessDenied) when calling the PutObject operation: User: arn:aws:iam::111122223333:user/me \
                 is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::b/{secret}\" because no \
                 identity-based policy allows the s3:PutObject action"
            ),
            format!("$ aws --profile {secret} s3 ls\n{DENIED}"),
            format!("$ AWS_PROFILE='{secret}' aws s3 ls\n{DENIED}"),
            format!("The config profile ({secret}) could not be found"),
            format!("The config profile (aws_secret_access_key={secret}) could not be found"),
            format!("Error loading SSO Token: Token for {secret} does not exist"),
            format!("operation error {secret}: {secret}, api error ExpiredToken: x"),
            format!("Could not connect to the endpoint URL: \"https://{secret}.s3.amazonaws.com/\""),
            format!("Could not connect to the endpoint URL: \"https://sts.{secret}.amazonaws.com/\""),
            format!("Error when retrieving credentials from custom-process: {secret}"),
        ] {
            let forms = [40, 45, 57, 80, 100].map(|width| wrapped(&text, width));
            for form in forms.iter().chain(&[text.clone(), encoded(&text)]) {
                let explanation = explained(form, &nothing_known());
                let out = format!("{}{}{explanation:?}", explanation.document(), render(&explanation, true));
                let pieces = (0..secret.len() - 12).filter_map(|at| secret.get(at..at + 12));
                pieces.for_each(|piece| assert!(!out.contains(piece), "{piece}\n{form}\n{out}"));
            }
        }
    }
}

#[test]
fn names_stay_readable() {
    for (text, name) in [
        (
            "An error occurred (AccessDenied) when calling the ListBuckets operation: User: arn:aws:sts::111122223333:\
             assumed-role/AWSReservedSSO_AdministratorAccess_0123456789abcdef/me@example.com is not authorized to perform: \
             s3:ListAllMyBuckets",
            "AWSReservedSSO_AdministratorAccess_0123456789abcdef/me@example.com",
        ),
        ("The config profile (my-company-production-2) could not be found", "my-company-production-2"),
        ("operation error Cost Explorer: GetCostAndUsage, api error ExpiredToken: x", "Cost Explorer"),
        (
            "An error occurred (ExpiredToken) when calling the DescribeDBClusterSnapshotAttributes operation: x",
            "DescribeDBClusterSnapshotAttributes",
        ),
    ] {
        let out = explained(text, &nothing_known()).document().to_string();
        assert!(
            out.contains(name) || name.contains("company") && scan(text)[0].profile.as_deref() == Some(name),
            "{out}"
        );
    }
}
