//! Asks an NTP server for the time.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use tokio::net::{UdpSocket, lookup_host};
use tokio::time::timeout;

use super::clock;
use crate::core::ntp::{self, NtpAnswer, NtpProblem};
use crate::core::settings::NtpServer;
use crate::core::time::AwsTime;
use crate::platform::random;

/// For the look-up of the name, and then for each address. What comes later says little: the answer is as vague as the
/// exchange was long.
const PATIENCE: Duration = Duration::from_secs(3);
/// NTP's port where the settings name none.
const PORT: u16 = 123;

/// Asks a server once, or twice where its name has several addresses and the first gave no time. `about` is the time as far
/// as it is known, for the era (see [`ntp::read`]). It ends within 9 seconds.
///
/// # Errors
/// No answer came that can be used.
pub async fn ask(server: &NtpServer, about: AwsTime) -> Result<NtpAnswer, NtpProblem> {
    ask_within(PATIENCE, server, about).await
}

async fn ask_within(patience: Duration, server: &NtpServer, about: AwsTime) -> Result<NtpAnswer, NtpProblem> {
    let (first, second) = two_of(look_up(patience, server).await?)?;
    let result = exchange(patience, first, about).await;
    match second {
        Some(second) => or_else(result, exchange(patience, second, about)).await,
        None => result,
    }
}

/// Tries again where the first address gave no time.
async fn or_else(
    first: Result<NtpAnswer, NtpProblem>,
    again: impl Future<Output = Result<NtpAnswer, NtpProblem>>,
) -> Result<NtpAnswer, NtpProblem> {
    let problem = match first {
        // Who was told to stay away doesn't try the door beside: both are the same people's.
        Ok(_) | Err(NtpProblem::KissOfDeath { .. }) => return first,
        Err(problem) => problem,
    };
    match again.await {
        // Of two problems the one that says more: a network without IPv6 has nothing to say about the server.
        Err(NtpProblem::NoAnswer(_)) => Err(problem),
        result => result,
    }
}

/// The look-up is the system's own, on the thread pool; one that hangs is left behind there.
async fn look_up(patience: Duration, server: &NtpServer) -> Result<Vec<SocketAddr>, NtpProblem> {
    let server = server.to_string();
    if let Ok(address) = server.parse() {
        return Ok(vec![address]);
    }
    if let Ok(host) = server.parse::<IpAddr>() {
        return Ok(vec![(host, PORT).into()]);
    }
    let name = if server.contains(':') { server } else { format!("{server}:{PORT}") };
    match timeout(patience, lookup_host(name)).await {
        Ok(Ok(addresses)) => Ok(addresses.collect()),
        Ok(Err(error)) => Err(NtpProblem::NoSuchHost(error.to_string())),
        Err(_) => Err(NtpProblem::NoSuchHost(format!("the look-up took more than {patience:?}"))),
    }
}

/// The system's first choice, and another: of the other kind if there is one, as it is often a whole kind of address that
/// can't be reached.
fn two_of(addresses: Vec<SocketAddr>) -> Result<(SocketAddr, Option<SocketAddr>), NtpProblem> {
    let Some((&first, others)) = addresses.split_first() else {
        return Err(NtpProblem::NoSuchHost("it has no address".to_owned()));
    };
    let of_other_kind = others.iter().find(|address| address.is_ipv4() != first.is_ipv4());
    let second = of_other_kind.or_else(|| others.iter().find(|address| **address != first));
    Ok((first, second.copied()))
}

/// One question to one address, and the wait for its answer.
async fn exchange(patience: Duration, server: SocketAddr, about: AwsTime) -> Result<NtpAnswer, NtpProblem> {
    // Whoever else sent something is a stranger; the true answer may still come behind it.
    let mut strangers = None;
    match timeout(patience, converse(server, about, &mut strangers)).await {
        Ok(result) => result,
        Err(_) => Err(strangers.unwrap_or_else(|| NtpProblem::NoAnswer(format!("nothing came within {patience:?}")))),
    }
}

async fn converse(
    server: SocketAddr,
    about: AwsTime,
    strangers: &mut Option<NtpProblem>,
) -> Result<NtpAnswer, NtpProblem> {
    let any: IpAddr = if server.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    // A new socket, and so a new port, for every question (RFC 9109): one more thing that a forger has to guess.
    let socket = UdpSocket::bind((any, 0)).await.map_err(no_answer)?;
    // Connected: the kernel lets in only what comes from there (RFC 4330 section 5, rules 1 and 2), and tells of a refusal.
    socket.connect(server).await.map_err(no_answer)?;
    let nonce = random::secret().map_err(no_answer)?;
    let sent = clock::boot();
    socket.send(&ntp::request(nonce)).await.map_err(no_answer)?;
    // What follows the header is cut off: nothing of it is read.
    let mut packet = [0; 48];
    loop {
        let length = socket.recv(&mut packet).await.map_err(no_answer)?;
        match ntp::read(&packet[..length], nonce, sent, clock::boot(), about) {
            Err(problem) if problem.may_be_from_anybody() => *strangers = Some(problem),
            result => return result,
        }
    }
}

fn no_answer(error: io::Error) -> NtpProblem {
    NtpProblem::NoAnswer(error.to_string())
}

#[cfg(test)]
mod tests {
    use std::sync::OnceLock;

    use serde_json::{from_value, json};
    use tokio::task::JoinHandle;

    use super::*;
    use crate::core::time::BootTime;

    /// 2026-08-01T00:00:00Z.
    const NOW: AwsTime = AwsTime::from_millis(1_785_542_400_000);
    /// For what does not come.
    const SOON: Duration = Duration::from_millis(300);
    /// For what comes, and is waited past: also on a busy machine.
    const WHILE: Duration = Duration::from_millis(1500);

    fn named(text: &str) -> NtpServer {
        from_value(json!(text)).unwrap()
    }

    /// A server on this machine that sends for each question what `answers` makes of it. It ends with the test.
    async fn stand_in(answers: impl Fn([u8; 48]) -> Vec<Vec<u8>> + Send + 'static) -> (NtpServer, JoinHandle<()>) {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = named(&socket.local_addr().unwrap().to_string());
        let task = tokio::spawn(async move {
            let mut question = [0; 48];
            while let Ok((48, asker)) = socket.recv_from(&mut question).await {
                for answer in answers(question) {
                    let _ = socket.send_to(&answer, asker).await;
                }
            }
        });
        (server, task)
    }

    fn good(question: [u8; 48]) -> [u8; 48] {
        ntp::good_answer(question[40..].try_into().unwrap(), NOW, NOW)
    }

    /// What comes of a good answer that `change` has spoilt.
    async fn spoilt(patience: Duration, change: fn(&mut Vec<u8>)) -> Result<NtpAnswer, NtpProblem> {
        let (server, _task) = stand_in(move |question| {
            let mut answer = good(question).to_vec();
            change(&mut answer);
            vec![answer]
        })
        .await;
        ask_within(patience, &server, NOW).await
    }

    fn assert_good(result: Result<NtpAnswer, NtpProblem>, before: BootTime) {
        let answer = result.unwrap();
        assert!(before <= answer.sent && answer.sent <= answer.received && answer.received <= clock::boot());
        assert_eq!((answer.server_received, answer.server_sent, answer.stratum), (NOW, NOW, 2));
    }

    #[tokio::test]
    async fn a_good_answer_is_taken() {
        let before = clock::boot();
        assert_good(spoilt(PATIENCE, |_| {}).await, before);
        assert_good(spoilt(PATIENCE, |answer| answer.extend([9; 1000])).await, before);
    }

    #[tokio::test]
    async fn every_question_is_new() {
        // The first question is answered, and what answers it is all that the second gets.
        let first = OnceLock::new();
        let (server, _task) = stand_in(move |question| vec![good(*first.get_or_init(|| question)).to_vec()]).await;
        assert_good(ask(&server, NOW).await, BootTime::from_millis(0));
        assert_eq!(ask_within(WHILE, &server, NOW).await, Err(NtpProblem::Forged));
    }

    #[tokio::test]
    async fn a_server_that_does_not_know_the_time_is_not_believed() {
        assert_eq!(spoilt(PATIENCE, |answer| answer[0] |= 3 << 6).await, Err(NtpProblem::Unsynchronised));
        assert_eq!(spoilt(PATIENCE, |answer| answer[1] = 16).await, Err(NtpProblem::Unsynchronised));
        let no_time = spoilt(PATIENCE, |answer| answer[40..].fill(0)).await;
        assert!(matches!(no_time, Err(NtpProblem::Nonsense(_))), "{no_time:?}");
    }

    #[tokio::test]
    async fn a_kiss_of_death_is_heard() {
        let kiss = |code: &str, never_again| Err(NtpProblem::KissOfDeath { code: code.to_owned(), never_again });
        let rate = spoilt(PATIENCE, |answer| {
            answer[1] = 0;
            answer[12..16].copy_from_slice(b"RATE");
        });
        assert_eq!(rate.await, kiss("RATE", false));
        let deny = spoilt(PATIENCE, |answer| {
            answer[0] |= 3 << 6;
            answer[1] = 0;
            answer[12..16].copy_from_slice(b"DENY");
        });
        assert_eq!(deny.await, kiss("DENY", true));
    }

    #[tokio::test]
    async fn what_anybody_could_send_is_said_when_nothing_better_came() {
        let (mirror, _task) = stand_in(|question| vec![question.to_vec()]).await;
        let said = tokio::join!(
            spoilt(WHILE, |answer| answer[24] ^= 1),
            spoilt(WHILE, |answer| answer.truncate(47)),
            spoilt(WHILE, Vec::clear),
            spoilt(WHILE, |answer| answer[0] = 4 << 3 | 3),
            ask_within(WHILE, &mirror, NOW),
        );
        let (forged, short, mode) = (Err(NtpProblem::Forged), Err(NtpProblem::Short), Err(NtpProblem::WrongMode));
        assert_eq!(said, (forged, short.clone(), short, mode.clone(), mode));
    }

    #[tokio::test]
    async fn the_answer_is_found_among_what_strangers_send() {
        let (server, _task) = stand_in(|question| {
            let mut forged = good(question);
            forged[31] ^= 1;
            let mut kiss = forged;
            kiss[1] = 0;
            kiss[12..16].copy_from_slice(b"DENY");
            vec![forged.to_vec(), kiss.to_vec(), vec![1, 2, 3], question.to_vec(), good(question).to_vec()]
        })
        .await;
        assert_good(ask(&server, NOW).await, BootTime::from_millis(0));
    }

    #[tokio::test]
    async fn of_duplicates_the_first_counts() {
        let (server, _task) = stand_in(|question| {
            let mut later = good(question);
            later[1] = 16;
            vec![good(question).to_vec(), good(question).to_vec(), later.to_vec()]
        })
        .await;
        for _ in 0..2 {
            assert_good(ask(&server, NOW).await, BootTime::from_millis(0));
        }
    }

    #[tokio::test]
    async fn an_answer_from_another_port_is_not_heard() {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let server = named(&socket.local_addr().unwrap().to_string());
        let elsewhere = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let answering = async {
            let mut question = [0; 48];
            let (_, asker) = socket.recv_from(&mut question).await.unwrap();
            elsewhere.send_to(&good(question), asker).await.unwrap();
        };
        let (result, ()) = tokio::join!(ask_within(SOON, &server, NOW), answering);
        assert_eq!(result, Err(NtpProblem::NoAnswer("nothing came within 300ms".to_owned())));
    }

    #[tokio::test]
    async fn silence_ends_and_a_closed_port_is_told_at_once() {
        let (silent, _task) = stand_in(|_| Vec::new()).await;
        assert_eq!(
            ask_within(SOON, &silent, NOW).await,
            Err(NtpProblem::NoAnswer("nothing came within 300ms".to_owned()))
        );
        // Connected to itself, it takes nothing from anybody else, and nobody else can be given its port.
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let closed = socket.local_addr().unwrap();
        socket.connect(closed).await.unwrap();
        let result = ask(&named(&closed.to_string()), NOW).await;
        assert!(matches!(&result, Err(NtpProblem::NoAnswer(why)) if why.contains("refused")), "{result:?}");
    }

    #[tokio::test]
    async fn a_name_is_looked_up() {
        let (server, _task) = stand_in(|question| vec![good(question).to_vec()]).await;
        let by_name = named(&server.to_string().replace("127.0.0.1", "localhost"));
        // Whether or not `localhost` is `::1` first: nothing listens there.
        assert_good(ask(&by_name, NOW).await, BootTime::from_millis(0));
        // No label has more than 63 letters, so no name server is asked.
        let nowhere = ask(&named(&"a".repeat(64)), NOW).await;
        assert!(matches!(nowhere, Err(NtpProblem::NoSuchHost(_))), "{nowhere:?}");
    }

    #[tokio::test]
    async fn addresses_need_no_look_up() {
        for (text, address) in [
            ("192.0.2.1", "192.0.2.1:123"),
            ("192.0.2.1:1123", "192.0.2.1:1123"),
            ("2001:db8::1", "[2001:db8::1]:123"),
            ("[2001:db8::1]:1123", "[2001:db8::1]:1123"),
        ] {
            assert_eq!(look_up(SOON, &named(text)).await, Ok(vec![address.parse().unwrap()]));
        }
    }

    #[tokio::test]
    async fn a_second_address_is_tried_only_where_the_first_gave_no_time() {
        let answer = spoilt(PATIENCE, |_| {}).await;
        let kiss = Err(NtpProblem::KissOfDeath { code: "RATE".to_owned(), never_again: false });
        let never = async || unreachable!("the second address is asked");
        assert_eq!(or_else(answer.clone(), never()).await, answer);
        assert_eq!(or_else(kiss.clone(), never()).await, kiss);

        let silent = Err(NtpProblem::NoAnswer("nothing came".to_owned()));
        let refused = Err(NtpProblem::NoAnswer("refused".to_owned()));
        let lost = Err(NtpProblem::Unsynchronised);
        for (first, second, expected) in [
            (&silent, &answer, &answer),
            (&lost, &answer, &answer),
            (&lost, &silent, &lost),
            (&silent, &lost, &lost),
            (&silent, &kiss, &kiss),
            (&silent, &refused, &silent),
        ] {
            assert_eq!(or_else(first.clone(), async { second.clone() }).await, *expected);
        }
    }

    #[test]
    fn the_second_try_is_of_the_other_kind() {
        let chosen = |addresses: &[&str]| two_of(addresses.iter().map(|text| text.parse().unwrap()).collect());
        let (a, b, c) = ("192.0.2.1:123", "192.0.2.2:123", "[2001:db8::1]:123");
        let parsed = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(chosen(&[a, b, c]), Ok((parsed(a), Some(parsed(c)))));
        assert_eq!(chosen(&[a, b]), Ok((parsed(a), Some(parsed(b)))));
        assert_eq!(chosen(&[a, a]), Ok((parsed(a), None)));
        assert!(chosen(&[]).is_err());
    }
}
