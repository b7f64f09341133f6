//! How often an error occurs in a text, and what is quoted of it.

use evercred::core::explain::{ReportedError, scan};

#[test]
fn one_error_in_two_words_is_counted_once() {
    let mfa = "An error occurred (AccessDenied) when calling the GetSessionToken operation: MultiFactorAuthentication failed \
               with invalid MFA one time pass code.";
    let later = "An error occurred (InvalidClientTokenId) when calling the GetCallerIdentity operation: The security token \
                 included in the request is invalid.\nbotocore.exceptions.NoCredentialsError: Unable to locate credentials";
    for (text, codes) in [(mfa, &["AccessDenied"][..]), (later, &["InvalidClientTokenId", "NoCredentialsError"])] {
        let found = scan(text);
        assert_eq!(found.iter().map(|mention| mention.code.as_str()).collect::<Vec<_>>(), codes);
        assert!(found.iter().all(|mention| mention.times == 1), "{found:#?}");
        let of_sdk = found.iter().find(|mention| !mention.by_aws);
        assert!(of_sdk.is_none_or(|mention| mention.operation.is_none() && mention.service.is_none()), "{of_sdk:#?}");
    }
}

#[test]
fn of_several_errors_the_one_that_says_most_comes_first() {
    let text = "Error: No valid credential sources found\n\noperation error STS: AssumeRole, https response error StatusCode: 403, \
                RequestID: a, api error ExpiredToken: The security token included in the request is expired\n";
    let found = scan(&text.repeat(40_000));
    let codes: Vec<&str> = found.iter().map(|mention| mention.code.as_str()).collect();
    assert_eq!(codes, ["ExpiredToken", "No valid credential sources"]);
    assert_eq!(found[0].times, 40_000);
}

const EXPIRED: &str =
    "An error occurred (ExpiredToken) when calling the ListBuckets operation: The provided token has expired.";

#[test]
fn an_error_that_a_program_quotes_again_is_counted_once() {
    let id = "request id: 11111111-2222-3333-4444-555555555555";
    for text in [
        // Python and Java chain exceptions.
        format!(
            "botocore.exceptions.ClientError: {EXPIRED}\n\nDuring handling of the above exception, another exception occurred:\n\n\
             boto3.exceptions.S3UploadFailedError: Failed to upload a to b/c: {EXPIRED}"
        ),
        format!(
            "com.example.UploadException: {EXPIRED}\n\tat com.example.Main.run(Main.java:1)\nCaused by: x: {EXPIRED}"
        ),
        // A log has message and error on one line.
        format!("{{\"level\":\"error\",\"msg\":\"upload failed: {EXPIRED}\",\"error\":\"{EXPIRED}\"}}"),
        // A summary repeats the error of the same request.
        format!(
            "Build failed: ExpiredToken: expired\n\tstatus code: 400, {id}\n\n--> errors:\n--> ExpiredToken: expired\n\tstatus code: 400, {id}"
        ),
    ] {
        let found = scan(&text);
        assert_eq!(found.iter().map(|error| error.times).collect::<Vec<_>>(), [1], "{text}\n{found:#?}");
    }
}

#[test]
fn an_error_of_each_request_is_counted() {
    let id = |n: u32| format!("request id: 11111111-2222-3333-4444-55555555555{n}");
    for text in [
        format!("{EXPIRED}\n{EXPIRED}\n"),
        format!("ExpiredToken: expired status code: 400, {} ExpiredToken: expired status code: 400, {}", id(1), id(2)),
        format!("12:00:01 ERROR {EXPIRED}\n12:00:02 ERROR {EXPIRED}\n"),
    ] {
        assert_eq!(scan(&text)[0].times, 2, "{text}");
    }
}

fn total(found: &[ReportedError]) -> u64 {
    found.iter().map(|error| error.times).sum()
}

#[test]
fn too_many_different_errors_are_counted_together_without_what_differs() {
    for all in [33_u64, 200, 30_000] {
        let lines = (0..all).map(|n| {
            format!("An error occurred (InvalidClientTokenId) when calling the Op{n}x operation: The token is invalid. {n}\n")
        });
        let found = scan(&lines.collect::<String>());
        assert_eq!((found.len(), total(&found), found[0].operation.as_deref()), (1, all, None), "{found:#?}");
    }
    let same = (0..30_000).map(|n| {
        format!("An error occurred (ExpiredToken) when calling the ListBuckets operation: The token has expired. {n}\n")
    });
    let found = scan(&same.collect::<String>());
    assert_eq!((found.len(), total(&found)), (1, 30_000), "{found:#?}");
    assert_eq!(found[0].operation.as_deref(), Some("ListBuckets"));
}

#[test]
fn quotation_marks_in_a_message_are_in_pairs() {
    for text in [
        "Could not connect to the endpoint URL: \"https://sts.eu-west-1.amazonaws.com/\"",
        "error='An error occurred (ExpiredToken) when calling the ListBuckets operation: The provided token has expired.'",
        "{\"error\":\"InvalidClientTokenId: The token is \\\"invalid\\\".\"}",
        "User: arn:aws:iam::111122223333:user/me is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::b/k\"",
        "ProfileFile provider could not be built: profile `default` was not defined: `sso_region` was missing",
        "The source_profile \"base\" referenced in the profile \"dev\" does not exist.",
    ] {
        let message = &scan(text)[0].message;
        for mark in ['"', '`'] {
            assert_eq!(message.matches(mark).count() % 2, 0, "{text}\n{message}");
        }
        let depth = message.matches('(').count().abs_diff(message.matches(')').count());
        assert_eq!(depth, 0, "{text}\n{message}");
    }
    let denied = "User: arn:aws:iam::111122223333:user/me is not authorized to perform: s3:PutObject on resource: \"arn:aws:s3:::b/k\"";
    let read = evercred::core::access_denied::read(denied);
    assert_eq!(read.resource.as_deref(), Some("arn:aws:s3:::b/k"));
}
