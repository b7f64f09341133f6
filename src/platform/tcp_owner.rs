//! The users who connect to a port of this machine.

use std::collections::BTreeMap;

/// The uid at the other end of each connection to `port`, by the other end's port. Empty if the system does not provide it.
/// Reads files: it takes milliseconds where there are many connections.
#[cfg(target_os = "linux")]
pub fn owners(port: u16) -> BTreeMap<u16, u32> {
    use std::io::Read;
    /// Some 100,000 connections.
    const MAX_TABLE: u64 = 16 * 1024 * 1024;
    let mut owners = BTreeMap::new();
    // A socket of IPv6 can connect to an address of IPv4: it is in the second table.
    for table in ["/proc/self/net/tcp", "/proc/self/net/tcp6"] {
        let mut text = String::new();
        let read = std::fs::File::open(table).and_then(|file| file.take(MAX_TABLE).read_to_string(&mut text));
        if read.is_ok() {
            owners.extend(text.lines().filter_map(|line| owner(line, port)));
        }
    }
    owners
}

/// The uid at the other end of each connection to `port`: not available on this system.
#[cfg(not(target_os = "linux"))]
pub fn owners(_port: u16) -> BTreeMap<u16, u32> {
    BTreeMap::new()
}

/// Whether a connection of this uid is another user's. Root forwards ports for others, and so may a uid that has no name in
/// this user namespace.
pub fn is_another_user(uid: u32) -> bool {
    /// `/proc/sys/kernel/overflowuid`, as the kernel sets it.
    const UNMAPPED: u32 = 65_534;
    ![super::peer::own_uid(), 0, UNMAPPED].contains(&uid)
}

/// Local port and uid in a line of the table (proc_pid_net(5)), if its connection leads to `port`.
#[cfg(any(target_os = "linux", test))]
fn owner(line: &str, port: u16) -> Option<(u16, u32)> {
    let port_of = |address: &str| u16::from_str_radix(address.rsplit_once(':')?.1, 16).ok();
    let fields: Vec<&str> = line.split_whitespace().take(8).collect();
    let [_, local, remote, _, _, _, _, uid] = fields.as_slice() else { return None };
    (port_of(remote)? == port).then_some((port_of(local)?, uid.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_owner_is_that_of_the_line_whose_connection_leads_to_the_port() {
        let v4 = "   7: 0100007F:D431 0100007F:9C40 01 00000000:00000000 00:00000000 00000000 12346        0 91 1 0 20";
        let v6 =
            "   7: 0000000000000000FFFF00000100007F:D432 0000000000000000FFFF00000100007F:9C40 01 0:0 0:0 0  1000 0 9";
        assert_eq!((owner(v4, 40_000), owner(v6, 40_000)), (Some((54_321, 12_346)), Some((54_322, 1_000))));
        for line in ["", "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid", &v4[..40]]
        {
            assert_eq!(owner(line, 40_000), None, "{line}");
        }
        assert_eq!(owner(v4, 54_321), None, "our own end");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn our_own_connection_is_ours() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let stream = std::net::TcpStream::connect(("127.0.0.1", port)).unwrap();
        let uid = owners(port)[&stream.local_addr().unwrap().port()];
        assert_eq!((uid, is_another_user(uid)), (super::super::peer::own_uid(), false));
    }
}
