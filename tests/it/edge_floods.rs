//! Servers in AWS's place whose answers have no end: each is given up within its time and its size, whoever it claims to be.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use evercred::core::session::CacheFile;
use serde_json::{Value, json};

use crate::machine::{Machine, ends, within};

/// More than two whole answers take, and less than a caller waits for.
const LONGEST: Duration = Duration::from_secs(33);
/// The daemon with its libraries, unoptimised, and some answers of a megabyte.
const MOST_MEMORY_KIB: u64 = 160 * 1024;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Flood {
    Body,
    Trickle,
    Headers,
    Continues,
    Chunks,
    Nesting,
}

const FLOODS: [Flood; 6] =
    [Flood::Body, Flood::Trickle, Flood::Headers, Flood::Continues, Flood::Chunks, Flood::Nesting];

impl Flood {
    fn first(self) -> Vec<u8> {
        let head = |more: &str| format!("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n{more}\r\n").into_bytes();
        match self {
            Self::Body | Self::Trickle => head("Content-Length: 2147483648\r\n"),
            Self::Headers => b"HTTP/1.1 200 OK\r\n".to_vec(),
            Self::Continues => Vec::new(),
            Self::Chunks => head("Transfer-Encoding: chunked\r\n"),
            Self::Nesting => {
                let body = "[".repeat(900_000);
                let mut answer = head(&format!("Content-Length: {}\r\n", body.len()));
                answer.extend(body.into_bytes());
                answer
            }
        }
    }

    /// What comes again and again, and after which pause.
    fn again(self) -> Option<(Vec<u8>, Duration)> {
        let moment = Duration::from_millis(5);
        Some(match self {
            Self::Body => (vec![b' '; 65_536], Duration::ZERO),
            Self::Trickle => (b" ".to_vec(), Duration::from_millis(300)),
            Self::Headers => (b"X-More: and more\r\n".repeat(100), moment),
            Self::Continues => (b"HTTP/1.1 100 Continue\r\n\r\n".repeat(100), moment),
            Self::Chunks => (b"1\r\n \r\n".repeat(1_000), moment),
            Self::Nesting => return None,
        })
    }

    /// The address of a server that answers so; it ends with the test.
    fn serve(self) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                thread::spawn(move || self.answer(stream));
            }
        });
        url
    }

    fn answer(self, mut stream: TcpStream) {
        let mut request = [0; 8192];
        let _ = stream.read(&mut request);
        let mut sent = stream.write_all(&self.first());
        while let (Ok(()), Some((piece, pause))) = (&sent, self.again()) {
            thread::sleep(pause);
            sent = stream.write_all(&piece);
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Server {
    Sts,
    Portal,
    Oidc,
    Container,
    Instance,
}

impl Server {
    /// A daemon that asks this server for a profile, and the profile.
    fn start(self, url: &str) -> Machine {
        let machine = Machine::new();
        let mut daemon = machine.daemon();
        let source = match self {
            Self::Sts => {
                daemon.env("AWS_ENDPOINT_URL_STS", url);
                return started(machine, daemon);
            }
            Self::Portal | Self::Oidc => {
                let variable = if self == Self::Portal { "AWS_ENDPOINT_URL_SSO" } else { "AWS_ENDPOINT_URL_SSO_OIDC" };
                daemon.env(variable, url);
                let expires = if self == Self::Portal { "2099-01-01T00:00:00Z" } else { "2020-01-01T00:00:00Z" };
                let file = format!(".aws/sso/cache/{}", CacheFile::of_sso("corp").name);
                machine.write(&file, &token(expires).to_string());
                let session = "sso_start_url = https://corp.awsapps.com/start\nsso_region = eu-west-1\n";
                machine.replace(
                    ".aws/config",
                    &format!(
                        "[sso-session corp]\n{session}[profile app]\nsso_session = corp\nsso_account_id = 111122223333\nsso_role_name = Dev\n"
                    ),
                );
                return started(machine, daemon);
            }
            Self::Container => {
                daemon.env("AWS_CONTAINER_CREDENTIALS_FULL_URI", format!("{url}/role"));
                "EcsContainer"
            }
            Self::Instance => {
                daemon.env("AWS_EC2_METADATA_SERVICE_ENDPOINT", url);
                "Ec2InstanceMetadata"
            }
        };
        let arn = crate::machine::role("App");
        machine.replace(".aws/config", &format!("[profile app]\nrole_arn = {arn}\ncredential_source = {source}\n"));
        started(machine, daemon)
    }
}

fn started(mut machine: Machine, daemon: std::process::Command) -> Machine {
    machine.start_as(daemon);
    machine
}

fn token(expires: &str) -> Value {
    json!({
        "startUrl": "https://corp.awsapps.com/start", "region": "eu-west-1", "accessToken": "a", "expiresAt": expires,
        "clientId": "c", "clientSecret": "s", "registrationExpiresAt": "2099-01-01T00:00:00Z", "refreshToken": "r",
    })
}

fn memory_kib(machine: &Machine) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", machine.pid())).unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    peak.trim().trim_end_matches(" kB").parse().unwrap()
}

/// What is wrong with how a daemon takes this.
fn weather(server: Server, flood: Flood) -> Result<(), String> {
    let mut machine = server.start(&flood.serve());
    let begun = Instant::now();
    let (said, exit) = ends(machine.companion().args(["credential-process", "app"]));
    let took = begun.elapsed();
    // The probe of AWS time comes first, so that the first attempt may end a moment after the caller's wait.
    machine.eventually("an attempt has failed", |machine| machine.profile("app")["last_error"]["code"].is_string());
    let error = machine.profile("app")["last_error"].clone();
    let memory = memory_kib(&machine);
    let case = format!("{server:?} {flood:?}: exit {exit:?} after {took:?}, {memory} KiB, {error}, {said}");
    let is_refused = matches!(exit, Some(1 | 5)) && !said.is_empty();
    let is_bounded = took <= LONGEST && memory <= MOST_MEMORY_KIB && said.len() < 4_096;
    let ends_well = machine.stop() == Some(0);
    if is_refused && is_bounded && ends_well { Ok(()) } else { Err(case) }
}

#[test]
fn no_answer_without_an_end_holds_a_profile_or_fills_the_memory() {
    let servers = [Server::Sts, Server::Portal, Server::Oidc, Server::Container, Server::Instance];
    let cases = servers.iter().flat_map(|server| FLOODS.map(|flood| (*server, flood)));
    let running: Vec<_> = cases.clone().map(|(server, flood)| thread::spawn(move || weather(server, flood))).collect();
    let ended: Vec<_> = running.into_iter().map(|case| case.join().unwrap()).collect();
    // On a busy machine so many at the same time may delay each other: these have to end in time alone.
    let alone = cases.zip(ended).filter(|(_, ended)| ended.is_err());
    let wrong: Vec<String> = alone.filter_map(|((server, flood), _)| weather(server, flood).err()).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_server_that_continues_without_an_end_delays_no_other_answer() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().map_while(Result::ok) {
            let mut request = [0; 8192];
            let _ = stream.read(&mut request);
            let continues = b"HTTP/1.1 100 Continue\r\n\r\n".repeat(40_000);
            thread::spawn(move || while stream.write_all(&continues).is_ok() {});
        }
    });
    let mut machine = Server::Sts.start(&url);
    let program = "[profile other]\ncredential_process = echo '{\"Version\":1,\"AccessKeyId\":\"AKIA1\",\"SecretAccessKey\":\"s\"}'\n";
    machine.replace(".aws/config", &(machine.read(".aws/config") + program));
    machine.eventually("another profile has credentials", |machine| machine.credentials("other").is_ok());
    let mut flooded = machine.companion();
    let mut flooded = flooded.args(["credential-process", "app"]).spawn().unwrap();
    let mut answers = 0;
    while flooded.try_wait().unwrap().is_none() {
        within(Duration::from_secs(3), || assert!(machine.credentials("other").is_ok()));
        answers += 1;
    }
    assert!(answers > 1, "{answers}");
    machine.eventually("the call is given up", |machine| machine.profile("app")["last_error"]["code"] == "Timeout");
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Pages {
    /// Every page of accounts names the same page as the next one.
    Same,
    /// Every page of accounts names a next one.
    More,
    /// Every page of an account's roles names the same page as the next one.
    SameOfRoles,
    /// One account has more roles than anybody.
    Roles,
}

impl Pages {
    /// How often the portal may be asked until that is noticed.
    fn most_requests(self) -> usize {
        match self {
            Self::Same | Self::Roles => 2,
            Self::SameOfRoles => 3,
            Self::More => 1_000,
        }
    }

    fn page(self, path: &str, at: usize) -> Value {
        let is_of_roles = path.starts_with("/assignment/roles");
        let role = |at: usize| json!({"roleName": format!("Role{at}"), "accountId": "111122223333"});
        let account = json!({"accountId": "111122223333", "accountName": "Prod"});
        match self {
            Self::Same => json!({"accountList": [], "nextToken": "again"}),
            Self::More => json!({"accountList": [], "nextToken": format!("page{at}")}),
            Self::SameOfRoles if is_of_roles => json!({"roleList": [role(1)], "nextToken": "again"}),
            Self::Roles if is_of_roles => json!({"roleList": (0..20_000).map(role).collect::<Vec<_>>()}),
            Self::SameOfRoles | Self::Roles => json!({"accountList": [account]}),
        }
    }

    /// The address of a portal with such pages, and how often it was asked; it ends with the test.
    fn serve(self) -> (String, Arc<AtomicUsize>) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let requests = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&requests);
        thread::spawn(move || {
            for mut stream in listener.incoming().map_while(Result::ok) {
                let mut request = [0; 8192];
                let read = stream.read(&mut request).unwrap_or(0);
                let head = String::from_utf8_lossy(&request[..read]).into_owned();
                let path = head.split_whitespace().nth(1).unwrap_or_default();
                if !path.starts_with("/assignment/") {
                    continue;
                }
                let body = self.page(path, counted.fetch_add(1, Ordering::Relaxed)).to_string();
                let kind = "Content-Type: application/json\r\nConnection: close";
                let length = body.len();
                let _ = write!(stream, "HTTP/1.1 200 OK\r\n{kind}\r\nContent-Length: {length}\r\n\r\n{body}");
            }
        });
        (url, requests)
    }
}

#[test]
fn a_portals_list_without_an_end_is_given_up_and_said_to_be_one() {
    for pages in [Pages::Same, Pages::SameOfRoles, Pages::More, Pages::Roles] {
        let (url, requests) = pages.serve();
        let mut machine = Server::Portal.start(&url);
        let (said, exit) = ends(machine.companion().args(["profiles", "--sso", "corp"]));
        let (asked, most) = (requests.load(Ordering::Relaxed), pages.most_requests());
        assert_eq!((asked, exit), (most, Some(1)), "{pages:?}: {said}");
        let reason = if pages == Pages::Roles { "more accounts and roles" } else { "pages do not end" };
        assert!(said.contains(reason) && said.contains("127.0.0.1"), "{pages:?}: {said}");
        assert_eq!(machine.stop(), Some(0), "{pages:?}");
    }
}
