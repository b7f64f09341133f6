//! The server: a thread for each connection, all gone when it is dropped.

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::JoinHandle;
use std::time::Duration;

use super::control;
use super::http::{Response, date, read_request};
use super::services::{self, Service};
use super::sso;
use super::world::{Call, DateHeader, Fault, Key, Role, World};

/// A running stand-in.
pub struct StandIn {
    pub(super) shared: Arc<Shared>,
    address: SocketAddr,
    listener: TcpListener,
    accepting: Option<JoinHandle<()>>,
}

pub(super) struct Shared {
    world: Mutex<World>,
    /// Something happened: a call came, or the stand-in ends.
    pub(super) happened: Condvar,
    /// `None` once the stand-in ends.
    connections: Mutex<Option<Vec<Connection>>>,
}

type Connection = (TcpStream, JoinHandle<()>);

impl Shared {
    pub(super) fn world(&self) -> MutexGuard<'_, World> {
        self.world.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    fn is_running(&self) -> bool {
        self.connections.lock().unwrap_or_else(std::sync::PoisonError::into_inner).is_some()
    }
}

impl StandIn {
    /// Starts on a free port of 127.0.0.1.
    pub fn start() -> Self {
        Self::listen(TcpListener::bind("127.0.0.1:0").unwrap())
    }

    /// Starts on a socket that somebody made, perhaps in another network.
    pub fn listen(listener: TcpListener) -> Self {
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Shared {
            world: Mutex::new(World::new()),
            happened: Condvar::new(),
            connections: Mutex::new(Some(Vec::new())),
        });
        let accepting = std::thread::spawn({
            let (shared, listener) = (shared.clone(), listener.try_clone().unwrap());
            move || accept(&listener, &shared)
        });
        Self { shared, address, listener, accepting: Some(accepting) }
    }

    /// `http://ADDRESS:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn add_user(&self, account: &str, name: &str) -> Key {
        self.shared.world().add_user(account, name)
    }

    pub fn set_active(&self, access_key_id: &str, active: bool) {
        self.shared.world().users.get_mut(access_key_id).unwrap().active = active;
    }

    pub fn set_role(&self, arn: &str, role: Role) {
        self.shared.world().roles.insert(arn.to_owned(), role);
    }

    /// Somebody has signed in already: the access token.
    pub fn signed_in(&self) -> String {
        let answer = sso::sign_in(&mut self.shared.world(), "client");
        answer["accessToken"].as_str().unwrap().to_owned()
    }

    /// A session is ended before its time: AWS says that it has expired.
    pub fn end_session(&self, access_key_id: &str) {
        self.shared.world().sessions.get_mut(access_key_id).unwrap().ended = true;
    }

    /// From now on, the good answers to an action have these fields instead of the true ones.
    pub fn lie(&self, action: &str, fields: serde_json::Value) {
        self.shared.world().lies.insert(action.to_owned(), fields);
    }

    /// The MFA device shows another code.
    pub fn show_code(&self, device: &str, code: &str) {
        self.shared.world().codes.insert(device.to_owned(), code.to_owned());
    }

    /// Puts the stand-in's clock ahead of this machine's, or behind it.
    pub fn set_offset_seconds(&self, seconds: i64) {
        self.shared.world().offset_ms = seconds * 1_000;
    }

    pub fn set_longest_life(&self, seconds: Option<i64>) {
        self.shared.world().longest_life_seconds = seconds;
    }

    pub fn set_date(&self, date: DateHeader) {
        self.shared.world().date = date;
    }

    /// Every call of an action is refused, until told otherwise.
    pub fn refuse(&self, action: &str, refusal: Option<(u16, &'static str, &str)>) {
        let mut world = self.shared.world();
        world.refusals.remove(action);
        if let Some((status, code, message)) = refusal {
            world.refusals.insert(action.to_owned(), (status, code, message.to_owned()));
        }
    }

    /// The next requests fail so.
    pub fn fail_next(&self, faults: &[Fault]) {
        self.shared.world().faults.extend(faults.iter().map(|fault| (None, *fault)));
    }

    /// The next requests to one service fail so.
    pub fn fail_next_of(&self, service: Service, faults: &[Fault]) {
        self.shared.world().faults.extend(faults.iter().map(|fault| (Some(service), *fault)));
    }

    /// Every request fails so, until told otherwise.
    pub fn set_outage(&self, fault: Option<Fault>) {
        self.shared.world().set_outage(None, fault);
    }

    /// Every request to one service fails so, until told otherwise.
    pub fn set_outage_of(&self, service: Service, fault: Option<Fault>) {
        self.shared.world().set_outage(Some(service), fault);
    }

    /// What one service answers stays here from now on, until it is let go: the request was carried out.
    pub fn hold_answers_of(&self, service: Option<Service>) {
        self.shared.world().held = service;
        self.shared.happened.notify_all();
    }

    pub fn calls(&self) -> Vec<Call> {
        self.shared.world().calls.clone()
    }

    /// How often somebody came to see the time.
    pub fn looks(&self) -> usize {
        self.shared.world().looks
    }

    /// How many calls of an action came.
    pub fn count(&self, action: &str) -> usize {
        self.calls().iter().filter(|call| call.action == action).count()
    }

    /// The role behind a set of keys that is valid now; the reason where it is not.
    pub fn whose(&self, id: &str, secret: &str, token: &str) -> Result<String, String> {
        let world = self.shared.world();
        let session = world.sessions.get(id).ok_or("no such session")?;
        if session.secret_access_key != secret || session.token != token {
            return Err("parts of two sessions".into());
        }
        if session.expires_at_ms <= world.now_ms() {
            return Err("expired".into());
        }
        Ok(session.principal.role_arn.clone().unwrap_or_default())
    }

    /// Waits until what came satisfies a condition; false after the time-out.
    pub fn wait_for(&self, timeout: Duration, condition: impl Fn(&[Call]) -> bool) -> bool {
        let world = self.shared.world();
        let (world, _) =
            self.shared.happened.wait_timeout_while(world, timeout, |world| !condition(&world.calls)).unwrap();
        condition(&world.calls)
    }
}

impl Drop for StandIn {
    fn drop(&mut self) {
        let connections = self.shared.connections.lock().unwrap().take();
        self.shared.happened.notify_all();
        // Wakes the accepting thread, the one on Linux, from whatever network, the other elsewhere.
        if rustix::net::shutdown(&self.listener, rustix::net::Shutdown::Both).is_err() {
            let _ = TcpStream::connect(self.address);
        }
        for (stream, thread) in connections.into_iter().flatten() {
            let _ = stream.shutdown(Shutdown::Both);
            let _ = thread.join();
        }
        if let Some(accepting) = self.accepting.take() {
            let _ = accepting.join();
        }
    }
}

fn accept(listener: &TcpListener, shared: &Arc<Shared>) {
    for stream in listener.incoming() {
        let Ok(stream) = stream else {
            if shared.is_running() {
                continue;
            }
            return;
        };
        let mut connections = shared.connections.lock().unwrap();
        let Some(list) = connections.as_mut() else { return };
        list.retain(|(_, thread)| !thread.is_finished());
        let Ok(ours) = stream.try_clone() else { continue };
        let shared = shared.clone();
        let thread = std::thread::spawn(move || {
            // Whatever a client does ends its own connection only.
            let _ = serve(&stream, &shared);
            // The list of connections holds on to the socket.
            let _ = stream.shutdown(Shutdown::Both);
        });
        list.push((ours, thread));
    }
}

fn serve(mut stream: &TcpStream, shared: &Shared) -> io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(60)))?;
    stream.set_nodelay(true)?;
    let mut buffer = Vec::new();
    while let Some(request) = read_request(stream, &mut buffer)? {
        if let Some(command) = request.path.strip_prefix("/_stand-in/") {
            let response = control::carry_out(shared, command, &request.body);
            shared.happened.notify_all();
            stream.write_all(&response.bytes(None))?;
            continue;
        }
        let mut world = shared.world();
        let service = Service::of(&request);
        let fault = world.take_fault(service);
        world.answered_ms.remove(&service);
        let date = match world.date {
            DateHeader::True => Some(date(world.now_ms())),
            DateHeader::Missing => None,
            DateHeader::Lying(seconds) => Some(date(world.now_ms() + seconds * 1_000)),
        };
        let mut response = match fault {
            None => services::answer(&mut world, &request),
            Some(fault) => {
                drop(world);
                return misbehave(fault, service, stream, shared, date.as_deref());
            }
        };
        drop(world);
        // As every service of AWS names its answers, redirects too.
        response.headers.push(("x-amzn-RequestId", "01234567-89ab".to_owned()));
        shared.happened.notify_all();
        wait_while_held(service, shared);
        if request.method == "HEAD" {
            response.body.clear();
        }
        stream.write_all(&response.bytes(date.as_deref()))?;
        let mut world = shared.world();
        let now_ms = world.now_ms();
        world.answered_ms.insert(service, now_ms);
    }
    Ok(())
}

fn wait_while_held(service: Service, shared: &Shared) {
    let mut world = shared.world();
    while world.held == Some(service) && shared.is_running() {
        world = shared.happened.wait_timeout(world, Duration::from_millis(200)).unwrap().0;
    }
}

/// Does what was ordered, and ends the connection.
fn misbehave(
    fault: Fault,
    service: Service,
    mut stream: &TcpStream,
    shared: &Shared,
    date: Option<&str>,
) -> io::Result<()> {
    let content_type = if service == Service::Sts { "text/xml" } else { "application/json" };
    let page = "<!DOCTYPE html><html><title>Welcome to the hotel</title><body>Please log in.</body></html>";
    let mut response = match fault {
        Fault::Timeout => {
            let mut world = shared.world();
            while shared.is_running() && world.outage(service).is_none_or(|outage| outage == Fault::Timeout) {
                world = shared.happened.wait_timeout(world, Duration::from_millis(200)).unwrap().0;
            }
            return Ok(());
        }
        Fault::Reset => {
            rustix::net::sockopt::set_socket_linger(stream, Some(Duration::ZERO))?;
            return Ok(());
        }
        Fault::Garbage => return stream.write_all(b"\0\xff\r\n\r\nno http\r\n\r\n"),
        Fault::Status500 => services::failure(service, 500),
        Fault::Status503 => services::failure(service, 503),
        Fault::Throttled => services::failure(service, 429),
        Fault::Html => Response::new(200, "text/html", page),
        Fault::Redirect => {
            let headers = vec![("Location", "http://portal.invalid/".to_owned())];
            Response { headers, ..Response::new(302, "text/html", page) }
        }
        Fault::Status511 => {
            let headers = vec![("Retry-After", "3600".to_owned())];
            Response { headers, ..Response::new(511, "text/html", page) }
        }
        Fault::Empty => Response::new(200, content_type, ""),
        Fault::Huge => Response::new(200, content_type, vec![b' '; 64 * 1024 * 1024]),
        Fault::Truncated => {
            let bytes = services::failure(service, 500).bytes(date);
            return stream.write_all(&bytes[..bytes.len() - 40]);
        }
    };
    // Unannounced, a client may send its next request while the connection is being closed.
    response.headers.push(("Connection", "close".to_owned()));
    stream.write_all(&response.bytes(date))
}
