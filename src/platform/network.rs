//! Tells when this machine's way out to the network has changed: a Wi-Fi that was joined, a cable, a tunnel.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::os::fd::OwnedFd;
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, timeout_at};

/// Changes come in bursts: addresses, routes, one after the other. When it was quiet for this long, they are looked at.
const QUIET: Duration = Duration::from_millis(500);
/// A burst that does not end is looked at all the same.
const LONGEST_BURST: Duration = Duration::from_secs(3);

/// The address that a packet to the world would leave from, for each version of IP. A container that starts, or a bridge,
/// changes nothing of it. What it misses is a tunnel for some destinations only, and a network that gives the same address as
/// the one before and came at once: both are found by the next try, as before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WayOut {
    v4: Option<IpAddr>,
    v6: Option<IpAddr>,
}

impl WayOut {
    /// As it is now. Nothing is sent: the addresses are those that are set aside for documentation (RFC 5737, RFC 3849).
    pub fn now() -> Self {
        let from = |any: IpAddr, to: IpAddr| {
            let socket = std::net::UdpSocket::bind(SocketAddr::new(any, 0)).ok()?;
            socket.connect(SocketAddr::new(to, 9)).ok()?;
            Some(socket.local_addr().ok()?.ip())
        };
        Self {
            v4: from(Ipv4Addr::UNSPECIFIED.into(), Ipv4Addr::new(192, 0, 2, 1).into()),
            v6: from(Ipv6Addr::UNSPECIFIED.into(), Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1).into()),
        }
    }

    /// Whether there is one.
    pub fn is_there(self) -> bool {
        self.v4.is_some() || self.v6.is_some()
    }
}

/// Tells of every change of the way out, until the receiver is gone. Woken by the kernel, never by time.
///
/// # Errors
/// The kernel can't be listened to: a service manager may forbid it.
pub async fn watch(changes: Sender<WayOut>) -> io::Result<()> {
    let socket = UdpSocket::from_std(std::net::UdpSocket::from(announcements()?))?;
    let mut known = WayOut::now();
    loop {
        next(&socket).await?;
        let begin = Instant::now();
        // More of the same burst; what it says is of no interest, as only the outcome counts.
        while timeout_at((Instant::now() + QUIET).min(begin + LONGEST_BURST), next(&socket)).await.is_ok() {
            if begin.elapsed() >= LONGEST_BURST {
                break;
            }
        }
        let now = WayOut::now();
        if now != known {
            known = now;
            if changes.send(now).await.is_err() {
                return Ok(());
            }
        }
    }
}

/// Waits for an announcement.
async fn next(socket: &UdpSocket) -> io::Result<()> {
    // The longest is cut, as it is not read.
    match socket.recv(&mut [0; 64]).await {
        // More was announced than there was room for: something has changed.
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::NOBUFS.raw_os_error()) => Ok(()),
        result => result.map(|_| ()),
    }
}

/// rtnetlink(7): links, addresses and routes. The standard library's and tokio's UDP sockets only read from it, which any
/// datagram socket can.
#[cfg(target_os = "linux")]
fn announcements() -> io::Result<OwnedFd> {
    use rustix::net::netlink::SocketAddrNetlink;
    use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, socket_with};
    const GROUPS: i32 = libc::RTMGRP_LINK
        | libc::RTMGRP_IPV4_IFADDR
        | libc::RTMGRP_IPV4_ROUTE
        | libc::RTMGRP_IPV6_IFADDR
        | libc::RTMGRP_IPV6_ROUTE;
    let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
    // NETLINK_ROUTE is the protocol 0.
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, flags, None)?;
    bind(&socket, &SocketAddrNetlink::new(0, GROUPS.cast_unsigned()))?;
    Ok(socket)
}

/// route(4).
#[cfg(not(target_os = "linux"))]
fn announcements() -> io::Result<OwnedFd> {
    use rustix::net::{AddressFamily, SocketType, socket};
    let socket = socket(AddressFamily::ROUTE, SocketType::RAW, None)?;
    rustix::io::fcntl_setfd(&socket, rustix::io::FdFlags::CLOEXEC)?;
    rustix::io::ioctl_fionbio(&socket, true)?;
    Ok(socket)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_kernel_can_be_listened_to() {
        let (changes, mut changed) = tokio::sync::mpsc::channel(1);
        let watching = tokio::spawn(watch(changes));
        // Nothing changes, so nothing is told; and it goes on listening.
        tokio::task::yield_now().await;
        assert!(changed.try_recv().is_err() && !watching.is_finished());
        watching.abort();
    }
}
