//! NO_PROXY, as botocore reads it (Python's `urllib.request.proxy_bypass_environment`), and the networks that other SDKs accept
//! (`10.0.0.0/8`).

use std::net::IpAddr;

use crate::core::url_host::target;

/// Whether a list exempts a URL from the proxy.
pub(super) fn matches(list: &str, url: &str) -> bool {
    let target = target(url);
    let (authority, host) = (target.authority.to_ascii_lowercase(), target.host.to_ascii_lowercase());
    list.split(',').map(str::trim).filter(|entry| !entry.is_empty()).any(|entry| {
        let entry = entry.to_ascii_lowercase();
        // botocore accepts this only as the whole list; other SDKs also as an entry.
        if entry == "*" || is_in_network(&entry, &host) {
            return true;
        }
        let entry = entry.strip_prefix("*.").unwrap_or(&entry).trim_start_matches('.');
        let bare = entry.trim_start_matches('[').trim_end_matches(']');
        [(&authority, entry), (&host, entry), (&host, bare)].iter().any(|(name, entry)| is_within(name, entry))
    })
}

/// The name itself, or one below it.
fn is_within(name: &str, entry: &str) -> bool {
    !entry.is_empty() && name.strip_suffix(entry).is_some_and(|before| before.is_empty() || before.ends_with('.'))
}

/// `10.0.0.0/8`, `fd00::/8`.
fn is_in_network(entry: &str, host: &str) -> bool {
    let Some((network, length)) = entry.split_once('/') else { return false };
    let Ok(length) = length.parse::<u32>() else { return false };
    let shared = |one: u128, other: u128, width: u32| {
        length <= width && (one ^ other).checked_shr(width - length).unwrap_or(0) == 0
    };
    match (network.parse::<IpAddr>(), host.parse::<IpAddr>()) {
        (Ok(IpAddr::V4(network)), Ok(IpAddr::V4(host))) => shared(network.to_bits().into(), host.to_bits().into(), 32),
        (Ok(IpAddr::V6(network)), Ok(IpAddr::V6(host))) => shared(network.to_bits(), host.to_bits(), 128),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists, and whether they exempt `https://sts.eu-west-1.amazonaws.com` and similar URLs.
    const CASES: &str = include_str!("../../tests/data/no_proxy.txt");

    #[test]
    fn every_list_of_the_table_holds() {
        let mut count = 0;
        for line in CASES.lines().filter(|line| !line.is_empty() && !line.starts_with('#')) {
            let [list, url, by_botocore, here] = line.split('|').map(str::trim).collect::<Vec<_>>()[..] else {
                panic!("{line}")
            };
            assert_eq!(matches(list, url), here == "direct", "{line}");
            assert!(by_botocore != "direct" || here == "direct", "{line}");
            count += 1;
        }
        assert!(count > 20);
    }
}
