//! Networks that come and go, for real: the daemon in a network namespace, the stand-in for AWS in another.

use std::net::TcpListener;
use std::os::fd::AsFd;
use std::process::Command;

use crate::machine::{ACCOUNT, Machine, PATIENCE, role};
use crate::standin::{Fault, Role, StandIn};

/// Two networks with a cable between them.
struct Networks {
    ours: String,
    theirs: String,
}

impl Networks {
    fn new(name: &str) -> Self {
        let id = std::process::id();
        let this = Self { ours: format!("evercred-{name}-{id}-a"), theirs: format!("evercred-{name}-{id}-b") };
        ip(&["netns", "add", &this.ours]);
        ip(&["netns", "add", &this.theirs]);
        ip(&["-n", &this.ours, "link", "add", "cable", "type", "veth", "peer", "name", "cable", "netns", &this.theirs]);
        ip(&["-n", &this.theirs, "address", "add", "10.99.0.2/24", "dev", "cable"]);
        ip(&["-n", &this.theirs, "link", "set", "cable", "up"]);
        ip(&["-n", &this.ours, "address", "add", "10.99.0.1/24", "dev", "cable"]);
        this.plug_in();
        this
    }

    fn plug_in(&self) {
        ip(&["-n", &self.ours, "link", "set", "cable", "up"]);
        ip(&["-n", &self.ours, "route", "add", "default", "via", "10.99.0.2"]);
    }

    /// The routes go with it.
    fn pull_out(&self) {
        ip(&["-n", &self.ours, "link", "set", "cable", "down"]);
    }

    /// A stand-in for AWS at the far end.
    fn aws(&self) -> StandIn {
        let path = format!("/run/netns/{}", self.theirs);
        let listener = std::thread::spawn(move || {
            let network = std::fs::File::open(path).unwrap();
            rustix::thread::move_into_link_name_space(network.as_fd(), None).unwrap();
            TcpListener::bind("10.99.0.2:0").unwrap()
        });
        StandIn::listen(listener.join().unwrap())
    }

    /// A command, at our end.
    fn inside(&self, command: &Command) -> Command {
        let mut inside = Command::new("ip");
        inside.args(["netns", "exec", &self.ours]).arg(command.get_program()).args(command.get_args()).env_clear();
        inside.envs(command.get_envs().filter_map(|(name, value)| Some((name, value?))));
        inside
    }
}

impl Drop for Networks {
    fn drop(&mut self) {
        for name in [&self.ours, &self.theirs] {
            let _ = Command::new("ip").args(["netns", "del", name]).status();
        }
    }
}

fn ip(arguments: &[&str]) {
    let output = Command::new("ip").args(arguments).output().unwrap();
    assert!(output.status.success(), "ip {arguments:?}: {}", String::from_utf8_lossy(&output.stderr));
}

fn left_out() -> bool {
    std::env::var_os("EVERCRED_TEST_WITHOUT_IPROUTE2").is_some()
}

/// A machine whose daemon runs at our end, and keeps `mid`.
fn machine(networks: &Networks, aws: &StandIn) -> Machine {
    let mut machine = Machine::new();
    let key = aws.add_user(ACCOUNT, "someone");
    aws.set_role(&role("Mid"), Role::trusting(&[&format!("arn:aws:iam::{ACCOUNT}:user/someone")]));
    machine.write_key(&key);
    let mut daemon = machine.daemon();
    daemon.env("AWS_ENDPOINT_URL_STS", aws.url());
    machine.start_as(networks.inside(&daemon));
    assert!(machine.credentials("mid").is_ok());
    machine.eventually("the first look at the time is over", |_| aws.looks() > 0);
    machine
}

fn renewals(aws: &StandIn) -> usize {
    aws.calls().iter().filter(|call| call.role_arn == role("Mid") && call.status == 200).count()
}

#[test]
fn a_network_that_was_away_is_noticed_when_it_is_back_and_what_is_due_is_renewed() {
    if left_out() {
        return;
    }
    let networks = Networks::new("away");
    let aws = networks.aws();
    aws.set_longest_life(Some(8));
    let mut machine = machine(&networks, &aws);
    networks.pull_out();
    machine.eventually("that there is no way out is seen", |machine| {
        machine.read("log").contains("the way out to the network has changed: WayOut { v4: None, v6: None }")
    });
    // What is held goes on until it expires, and then nothing is given out.
    machine.eventually("what is held expires", |machine| machine.credentials("mid").is_err());
    assert_eq!(machine.profile("mid")["state"], "retrying");
    let (before, alarms) = (renewals(&aws), machine.read("log").matches(" WARN ").count());
    assert!(alarms <= 3, "{alarms} warnings while the network is away\n{}", machine.read("log"));
    networks.plug_in();
    assert!(
        aws.wait_for(PATIENCE, |calls| {
            calls.iter().filter(|call| call.role_arn == role("Mid") && call.status == 200).count() > before
        }),
        "{}",
        machine.read("log")
    );
    machine.eventually("it is fresh again", |machine| machine.profile("mid")["state"] == "fresh");
    let log = machine.read("log");
    let back = log.rfind("after Network").expect("the kernel told of it");
    let renewed = log.rfind("credentials of profile \"mid\" renewed").unwrap();
    assert!(back < renewed, "{log}");
}

#[test]
fn while_the_network_is_away_what_is_held_is_given_out_and_nothing_is_alarming() {
    if left_out() {
        return;
    }
    let networks = Networks::new("held");
    let aws = networks.aws();
    let mut machine = machine(&networks, &aws);
    let before = machine.credentials("mid").unwrap();
    networks.pull_out();
    machine.eventually("that there is no way out is seen", |machine| machine.read("log").contains("v4: None"));
    assert_eq!(machine.credentials("mid"), Ok(before.clone()));
    let mid = machine.profile("mid");
    assert_eq!((mid["state"].as_str(), mid["valid"].as_bool()), (Some("fresh"), Some(true)));
    // A person who wants it anew is told; the others go on.
    let renewal = machine.run(&["renew", "mid"]);
    assert_eq!(renewal.status.code(), Some(1), "{renewal:?}");
    assert_eq!(machine.credentials("mid"), Ok(before.clone()));
    let mid = machine.profile("mid");
    assert_eq!((mid["state"].as_str(), mid["valid"].as_bool()), (Some("retrying"), Some(true)));
    networks.plug_in();
    machine.eventually("what was wanted is there", |machine| {
        machine.credentials("mid").is_ok_and(|set| set["AccessKeyId"] != before["AccessKeyId"])
    });
    let log = machine.read("log");
    // The one who wanted it was told, in the log as well; nothing else was wrong.
    assert!(log.matches(" WARN ").count() <= 1, "{log}");
}

#[test]
fn containers_that_come_and_go_are_no_change() {
    if left_out() {
        return;
    }
    let networks = Networks::new("containers");
    let aws = networks.aws();
    let mut machine = machine(&networks, &aws);
    let (calls, looks) = (aws.calls().len(), aws.looks());
    for round in 0..10 {
        ip(&["-n", &networks.ours, "link", "add", "veth0", "type", "veth", "peer", "name", "veth1"]);
        ip(&["-n", &networks.ours, "address", "add", &format!("172.17.{round}.1/24"), "dev", "veth0"]);
        ip(&["-n", &networks.ours, "link", "set", "veth0", "up"]);
        ip(&["-n", &networks.ours, "link", "del", "veth0"]);
    }
    // Only what follows is a change: by it the ones before are over.
    networks.pull_out();
    machine.eventually("the cable was pulled out", |machine| machine.read("log").contains("v4: None"));
    assert_eq!(machine.read("log").matches("the way out to the network has changed").count(), 1);
    assert_eq!((aws.calls().len(), aws.looks()), (calls, looks));
}

#[test]
fn a_loose_contact_is_one_change_and_not_forty() {
    if left_out() {
        return;
    }
    let networks = Networks::new("loose");
    let aws = networks.aws();
    let mut machine = machine(&networks, &aws);
    let (calls, looks) = (aws.calls().len(), aws.looks());
    let begin = std::time::Instant::now();
    for _ in 0..20 {
        networks.pull_out();
        networks.plug_in();
    }
    networks.pull_out();
    machine.eventually("the last state is the one that counts", |machine| {
        let log = machine.read("log");
        log.lines()
            .rfind(|line| line.contains("the way out to the network has changed"))
            .is_some_and(|line| line.contains("v4: None"))
    });
    let changes = machine.read("log").matches("the way out to the network has changed").count();
    // A slow machine may make more than one burst of it, each with half a second of quiet behind it.
    let most = usize::try_from(begin.elapsed().as_millis() / 500).unwrap().max(6);
    assert!(changes <= most, "{changes}");
    assert_eq!(aws.calls().len(), calls, "nothing was due");
    assert!(machine.credentials("mid").is_ok(), "what is held goes on");
    networks.plug_in();
    machine.eventually("the time is looked at where it stays", |_| aws.looks() > looks);
    assert!(aws.looks() - looks <= changes + 1, "{} looks", aws.looks() - looks);
}

#[test]
fn a_captive_portal_is_neither_believed_nor_taken_for_a_refusal() {
    if left_out() {
        return;
    }
    let networks = Networks::new("portal");
    let aws = networks.aws();
    aws.set_longest_life(Some(6));
    let mut machine = machine(&networks, &aws);
    for page in [Fault::Html, Fault::Redirect, Fault::Status511] {
        aws.set_outage(Some(page));
        machine.eventually("the portal is in the way", |machine| !machine.profile("mid")["last_error"].is_null());
        assert_eq!(machine.profile("mid")["last_error"]["class"], "retryable", "{page:?}");
        let before = renewals(&aws);
        aws.set_outage(None);
        machine.eventually("it is renewed once the person has signed in there", |machine| {
            machine.profile("mid")["state"] == "fresh" && renewals(&aws) > before
        });
    }
}
