//! The service and operation of an error, from the words around it.

use super::clean::shown;
use super::hit::between;
use super::reported::ReportedError;
use crate::core::access_denied::{self, Rejected};
use crate::core::aws_error::{self, OfSigner};
use crate::core::redact::holds_secret;

/// Names of services in SDKs, hosts, XML namespaces and signatures, each with the usual name.
const NAMES: [(&str, &[&str]); 30] = [
    ("STS", &["sts", "awssecuritytokenservice", "securitytoken", "amazonsecuritytoken", "securitytokenservice"]),
    ("IAM", &["iam", "amazonidentitymanagement", "identitymanagement", "identitymanagementservice"]),
    ("S3", &["s3", "amazon s3", "amazons3"]),
    ("EC2", &["ec2", "amazonec2"]),
    ("SSO", &["sso", "portal.sso", "awssso"]),
    ("SSO OIDC", &["ssooidc", "oidc", "sso-oidc", "awsssooidc"]),
    ("Signin", &["signin"]),
    ("ECR", &["ecr", "amazonecr", "api.ecr"]),
    ("DynamoDB", &["dynamodb", "amazondynamodb", "amazondynamodbv2", "dynamodbv2"]),
    ("SQS", &["sqs", "queue", "amazonsqs"]),
    ("SNS", &["sns", "amazonsns"]),
    ("KMS", &["kms", "awskms"]),
    ("Lambda", &["lambda", "awslambda"]),
    ("Bedrock", &["bedrock"]),
    ("Bedrock Runtime", &["bedrock-runtime", "bedrockruntime"]),
    ("CloudWatch", &["monitoring", "cloudwatch", "amazoncloudwatch"]),
    ("CloudWatch Logs", &["logs", "cloudwatch-logs", "cloudwatchlogs"]),
    ("CloudFormation", &["cloudformation", "amazoncloudformation"]),
    ("SES", &["email", "ses", "amazonsimpleemailservice"]),
    ("Secrets Manager", &["secretsmanager", "secrets-manager", "awssecretsmanager"]),
    ("SSM", &["ssm", "simplesystemsmanagement", "awssimplesystemsmanagement"]),
    ("Kinesis", &["kinesis", "amazonkinesis"]),
    ("Route 53", &["route53", "amazonroute53"]),
    ("ECS", &["ecs", "amazonecs"]),
    ("EKS", &["eks", "amazoneks"]),
    ("RDS", &["rds", "amazonrds"]),
    ("Athena", &["athena", "amazonathena"]),
    ("Glue", &["glue", "awsglue"]),
    ("Organizations", &["organizations", "awsorganizations"]),
    ("Auto Scaling", &["autoscaling", "auto-scaling"]),
];

/// The usual name of the service with this name.
fn known(name: &str) -> Option<&'static str> {
    let name = name.trim().to_ascii_lowercase();
    NAMES.iter().find(|(_, names)| names.contains(&name.as_str())).map(|(usual, _)| *usual)
}

/// The service. `before` and `after` are the words around the error, `near` those in which a host counts.
pub(super) fn service(before: &str, after: &str, near: &str, operation: Option<&str>) -> Option<String> {
    let line = before.rsplit("\n\n").next().unwrap_or(before);
    let in_one = line.replace('\n', " ");
    let said = in_one
        .rsplit_once("operation error ")
        .and_then(|(_, rest)| rest.split_once(": "))
        .map(|(service, _)| service)
        .or_else(|| between(after, "(Service: ", &[";", ","]))
        .or_else(|| line.rsplit_once("(Service: ").and_then(|(_, rest)| rest.split([';', ',']).next()))
        .or_else(|| line.rsplit_once("Aws::").and_then(|(_, rest)| rest.strip_suffix("::Errors::")))
        .map(str::trim)
        // A line ends inside the name.
        .filter(|name| !name.contains(['\n', '│', '|', '>', ':', ',']))
        // A console may have broken the name.
        .map(|name| known(name).or_else(|| known(&name.replace(' ', ""))).map_or_else(|| shown(name), str::to_owned))
        .filter(|name| !name.is_empty() && name.len() <= 64);
    let by_name = || {
        if line.contains("AmazonSecurityToken")
            // Of the services that send this code, only STS has the parameter.
            || access_denied::rejected(after.split('\n').next().unwrap_or(after)) == Rejected::LongSession
        {
            return Some("STS");
        }
        of_operation(operation)
            .or_else(|| action(line).or_else(|| request(after)).map(|(service, _)| service))
            .or_else(|| named_in(line, true))
            .or_else(|| named_in(after, false))
            .or_else(|| by_verb(line.rsplit('\n').next().unwrap_or(line)))
            .or_else(|| of_host(near))
            .or_else(|| of_bucket(line.rsplit('\n').next().unwrap_or(line)).or_else(|| of_bucket(after)))
            .or_else(|| by_verb(line))
    };
    said.or_else(|| by_name().map(str::to_owned))
}

/// The service according to the code and AWS's message, if nothing else names it.
pub(super) fn by_words(mention: &mut ReportedError, after: &str) {
    // "User: … is not authorized to perform: s3:ListBucket"
    let is_denied = aws_error::lookup(mention.means).is_some_and(|entry| entry.of_signer == OfSigner::Denied);
    let action = is_denied.then(|| access_denied::read(&mention.message).action).flatten();
    if let Some((service, operation)) = action.as_deref().and_then(|action| action.split_once(':'))
        && !operation.contains('*')
    {
        // Otherwise a line may end inside the name.
        let rest = mention.message.split_once(operation).map(|(_, rest)| rest.trim_start_matches(['.', '"', '\'']));
        let ends = |rest: &str| rest.starts_with("\\n") || rest.trim_start().starts_with("status code");
        let goes_on = rest.is_some_and(|rest| rest.starts_with(" on resource") || rest.starts_with(" because"))
            || after.split_once(operation).is_some_and(|(_, rest)| ends(rest));
        if mention.operation.is_none() && (goes_on || OF_STS.contains(&operation)) {
            mention.operation = name(operation);
        }
        if mention.service.is_none() {
            mention.service = known(service).map(str::to_owned);
        }
    }
    if mention.means == "RoleNotAssumed" {
        mention.operation = Some("AssumeRole".to_owned());
        mention.service = Some("STS".to_owned());
    }
    let by_code = match mention.code.as_str() {
        // Only EC2 has this code, only ECR the next one, and only S3 the others.
        "AuthFailure" => Some("EC2"),
        "RegistryTokenExpired" => Some("ECR"),
        "AuthorizationHeaderMalformed" | "TokenRefreshRequired" => Some("S3"),
        "ExpiredToken" if mention.message.starts_with("The provided token has expired") => Some("S3"),
        "ExpiredToken" if after.contains("The provided token has expired") => Some("S3"),
        "Forbidden" | "BadRequest" | "InvalidAccessKeyId" if after.contains("host id: ") => Some("S3"),
        _ => None,
    };
    if mention.service.is_none() {
        mention.service = by_code.map(str::to_owned);
    }
    // Organizations has the operation, too. Requests to the access portal of IAM Identity Center are not signed.
    let of_signed = aws_error::lookup(mention.means).is_some_and(aws_error::Entry::refuses_signer);
    if mention.operation.as_deref() == Some("ListAccounts") && mention.service.as_deref() == Some("SSO") && of_signed {
        mention.service = Some("Organizations".to_owned());
    }
}

/// Operations that STS denies in a sentence that ends with their name.
const OF_STS: [&str; 5] =
    ["AssumeRole", "AssumeRoleWithWebIdentity", "AssumeRoleWithSAML", "TagSession", "SetSourceIdentity"];

fn of_operation(operation: Option<&str>) -> Option<&'static str> {
    match operation? {
        "GetCallerIdentity" | "GetSessionToken" | "GetFederationToken" | "DecodeAuthorizationMessage" => Some("STS"),
        name if name.starts_with("AssumeRole") => Some("STS"),
        "GetRoleCredentials" | "ListAccounts" | "ListAccountRoles" => Some("SSO"),
        "CreateToken" | "RegisterClient" | "StartDeviceAuthorization" => Some("SSO OIDC"),
        "CreateOAuth2Token" => Some("Signin"),
        "DescribeInstances" | "DescribeRegions" | "DescribeVpcs" | "DescribeImages" | "RunInstances" => Some("EC2"),
        "DescribeAvailabilityZones" | "DescribeKeyPairs" | "DescribeSubnets" | "DescribeSecurityGroups" => Some("EC2"),
        "ListBuckets" | "ListObjects" | "ListObjectsV2" | "GetObject" | "PutObject" | "HeadObject" => Some("S3"),
        "HeadBucket" | "CreateBucket" | "DeleteObject" | "CopyObject" | "CreateMultipartUpload" | "UploadPart" => {
            Some("S3")
        }
        "GetUser" | "ListUsers" | "ListRoles" | "GetRole" | "CreateRole" => Some("IAM"),
        "StartQueryExecution" | "GetQueryExecution" | "GetQueryResults" | "StopQueryExecution" => Some("Athena"),
        "InvokeModel" | "InvokeModelWithResponseStream" | "Converse" | "ConverseStream" => Some("Bedrock Runtime"),
        "GetParameter" | "GetParameters" | "GetParametersByPath" | "SendCommand" => Some("SSM"),
        "GetSecretValue" => Some("Secrets Manager"),
        "Decrypt" | "Encrypt" | "GenerateDataKey" => Some("KMS"),
        "CreateChangeSet" | "DescribeStacks" | "DescribeStackEvents" => Some("CloudFormation"),
        "PutLogEvents" | "CreateLogStream" | "CreateLogGroup" => Some("CloudWatch Logs"),
        "PutMetricData" => Some("CloudWatch"),
        "ChangeResourceRecordSets" | "ListHostedZones" => Some("Route 53"),
        _ => None,
    }
}

/// The text before the name of a service in stack traces, documentation URLs and signatures.
const STARTS: [&str; 16] = [
    "AWS::",
    "Aws::",
    "Fog::AWS::",
    "Amazon.",
    "@aws-sdk/client-",
    "aws-sdk-go-v2/service/",
    "aws-sdk-go/service/",
    "com.amazonaws.services.",
    "software.amazon.awssdk.services.",
    "aws-sdk/lib/services/",
    "lib/services/",
    "aws-sdk-client-",
    "/aws-sdk-",
    "Aws\\",
    "xmlns=\"http://",
    "xmlns=\"https://",
];

/// The nearest service that a stack trace, an XML namespace or the scope of a signature names.
fn named_in(text: &str, from_behind: bool) -> Option<&'static str> {
    let mut found: Vec<(usize, &str)> = Vec::new();
    for start in STARTS {
        for (at, _) in text.match_indices(start) {
            let rest = text.get(at + start.len()..).unwrap_or_default().trim_start_matches('\\');
            let end = rest.find(|c: char| !(c.is_ascii_alphanumeric() || c == '-')).unwrap_or(rest.len());
            let name = rest.get(..end).unwrap_or_default();
            found.extend(known(name).map(|name| (at, name)));
        }
    }
    // Credential=AKIA…/20261130/eu-west-1/sts/aws4_request
    for (at, _) in text.match_indices("/aws4_request") {
        let scope = text.get(..at).and_then(|scope| scope.rsplit('/').next());
        found.extend(scope.and_then(known).map(|name| (at, name)));
    }
    // "Bedrock HTTP 403: …", "S3 request error [403]"
    for (at, _) in [" HTTP 40", " request error ["].iter().flat_map(|words| text.match_indices(words)) {
        let word = text.get(..at).and_then(|text| text.rsplit(|c: char| !c.is_ascii_alphanumeric()).next());
        found.extend(word.and_then(known).map(|name| (at, name)));
    }
    let nearest = if from_behind { found.into_iter().max() } else { found.into_iter().min() };
    nearest.map(|(_, name)| name)
}

/// "creating IAM Role (x)", "reading S3 bucket", "received error code 403 from STS".
fn by_verb(line: &str) -> Option<&'static str> {
    const VERBS: [&str; 14] = [
        "creating",
        "reading",
        "updating",
        "deleting",
        "listing",
        "describing",
        "getting",
        "putting",
        "retrieving",
        "fetching",
        "validating",
        "from",
        "calling",
        "querying",
    ];
    let words: Vec<&str> = line.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty()).collect();
    let pairs = words.windows(2).rev().filter_map(|pair| <[&str; 2]>::try_from(pair).ok());
    pairs
        .filter(|[verb, name]| {
            VERBS.contains(&verb.to_ascii_lowercase().as_str()) && name.starts_with(|c: char| c.is_ascii_uppercase())
        })
        .find_map(|[_, name]| known(name))
}

/// The service whose host the text names.
fn of_host(text: &str) -> Option<&'static str> {
    let hosts = text.split(&['/', '"', ' ', '\'', '\n'][..]).filter(|word| word.contains(".amazonaws.com"));
    hosts
        .filter_map(|host| {
            let (first, rest) = host.split_once('.')?;
            // oidc.eks.REGION is the identity provider of a cluster.
            let is_portal = first == "portal" && rest.starts_with("sso.");
            let is_registry = rest.starts_with("dkr.ecr.") || first == "dkr";
            let is_cluster = first == "eks" && rest.starts_with("amazonaws.com");
            let is_provider =
                is_cluster || rest.starts_with("eks.") || first == "eks" && text.contains(".amazonaws.com/id/");
            if is_portal {
                Some("SSO")
            } else if is_registry {
                Some("ECR")
            } else {
                known(first).filter(|_| !is_provider)
            }
        })
        .next()
}

/// S3, if the text names the host of a bucket.
fn of_bucket(text: &str) -> Option<&'static str> {
    let host = text.find(".amazonaws.com").and_then(|end| text.get(..end))?;
    let host = host.rsplit(|c: char| !(c.is_ascii_alphanumeric() || "-.".contains(c))).next()?;
    host.split('.').any(|label| label == "s3").then_some("S3")
}

/// The operation, from the words around the error and from a stack trace after it.
pub(super) fn operation(before: &str, after: &str, trace: &str) -> Option<String> {
    let line = before.rsplit("\n\n").next().unwrap_or(before).replace('\n', " ");
    let called = |rest: &str| whole_name(rest.trim_start(), |end| end.trim_start().starts_with("operation"));
    let ends = |rest: &str| whole_name(rest, |end| end.starts_with([':', ',', '"', ')']));
    after
        .split_once("when calling the ")
        .filter(|(gap, _)| gap.len() < 20 || gap.len() < 200 && gap.starts_with(") on request ("))
        .and_then(|(_, rest)| called(rest))
        .or_else(|| called(after))
        .or_else(|| line.rsplit_once("operation error ")?.1.split_once(": ").and_then(|(_, rest)| ends(rest)))
        .or_else(|| action(&line).map(|(_, operation)| operation))
        .or_else(|| line.rsplit_once("Error executing \"").and_then(|(_, rest)| ends(rest)))
        .or_else(|| line.rsplit_once("when calling the ").and_then(|(_, rest)| called(rest)))
        .or_else(|| request(after).map(|(_, operation)| operation))
        .or_else(|| of_frame(trace))
}

/// The action that the words before an error name last: "error calling sts:AssumeRole: ", "Failed to call cloudwatch:ListMetrics, ",
/// "sts getCallerIdentity failed: ".
fn action(line: &str) -> Option<(&'static str, String)> {
    const WORDS: usize = 4;
    let in_one_word = line.split_whitespace().rev().take(WORDS).find_map(|word| {
        let (service, operation) = word.split_once(':')?;
        Some((known(service)?, whole_name(operation, |end| [":", ",", "."].contains(&end))?))
    });
    let words: Vec<&str> = line.split_whitespace().collect();
    let in_two_words = || {
        words.windows(2).rev().find_map(|pair| {
            let [service, operation] = <[&str; 2]>::try_from(pair).ok()?;
            let operation = capitalised(operation)?;
            Some((known(service).filter(|service| of_operation(Some(&operation)) == Some(service))?, operation))
        })
    };
    in_one_word.or_else(in_two_words)
}

/// The name of an operation from that of a function.
fn capitalised(function: &str) -> Option<String> {
    let mut letters = function.chars();
    let first = letters.next()?.to_ascii_uppercase();
    name(&std::iter::once(first).chain(letters).collect::<String>())
}

/// The request that the words after an error name: "(ExpiredToken: … request id: …) from sts/AssumeRole".
fn request(after: &str) -> Option<(&'static str, String)> {
    let line = after.split('\n').next().unwrap_or(after);
    line.split_once(" from ").and_then(|(_, rest)| {
        let (service, operation) = rest.split_whitespace().next()?.split_once('/')?;
        Some((known(service)?, whole_name(operation, str::is_empty)?))
    })
}

/// The operation that a stack trace names.
fn of_frame(after: &str) -> Option<String> {
    // JavaScript v3: "at de_GetObjectCommandError", "at deserializeAws_queryGetCallerIdentityCommandError".
    let of_javascript = after.split_once("CommandError").and_then(|(frame, _)| {
        let function = frame.rsplit(|c: char| !(c.is_ascii_alphanumeric() || c == '_')).next()?;
        let rest = function.strip_prefix("de_").or_else(|| function.split_once('_').map(|(_, rest)| rest))?;
        rest.get(rest.find(|c: char| c.is_ascii_uppercase())?..).and_then(name)
    });
    of_javascript.or_else(|| {
        // Java: "com.amazonaws.services.ec2.AmazonEC2Client.describeKeyPairs(AmazonEC2Client.java:7218)".
        let frames = after.split_whitespace().filter(|frame| {
            frame.starts_with("com.amazonaws.services.") || frame.starts_with("software.amazon.awssdk.services.")
        });
        let methods =
            frames.filter_map(|frame| frame.split_once("Client.")?.1.split_once('(').map(|(method, _)| method));
        let method = methods.into_iter().find(|method| {
            let is_inner = ["doInvoke", "invoke", "execute", "anonymousInvoke", "lambda"];
            method.chars().all(|c| c.is_ascii_alphanumeric()) && !is_inner.iter().any(|inner| method.starts_with(inner))
        })?;
        capitalised(method)
    })
}

/// The name at the beginning of `text`, if the next character shows that it is complete.
fn whole_name(text: &str, is_end: impl Fn(&str) -> bool) -> Option<String> {
    let length = text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len());
    name(text).filter(|_| text.get(length..).is_some_and(is_end))
}

/// The name of an operation at the beginning of `text`.
pub(super) fn name(text: &str) -> Option<String> {
    let name: String = text.chars().take_while(|c| c.is_ascii_alphanumeric()).take(64).collect();
    (name.len() > 2 && name.starts_with(|c: char| c.is_ascii_uppercase()) && !holds_secret(&name, false))
        .then_some(name)
}
