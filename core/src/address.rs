//! Network addresses and host names as text: their one canonical spelling, and which of them nobody may reach by
//! accident.
//!
//! Deliberately absent: resolving names. Hosts that do it ask again with every address that a name leads to.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// The canonical spelling of a host name or an IP address, or `None` for anything else.
///
/// Names are lower case, without the final dot. Addresses are written as RFC 5952 and dotted quads say, without
/// brackets. Refused is what programs read in different ways: names that end in a number without being a dotted quad
/// (`127.1`, `2130706433`, `0x7f.1`, which URL parsers take for addresses), letters beyond ASCII, zone identifiers.
pub fn canonical_host(text: &str) -> Option<String> {
    let bare = text.strip_prefix('[').and_then(|rest| rest.strip_suffix(']'));
    if let Some(address) = bare {
        return address.parse::<Ipv6Addr>().ok().map(|address| address.to_string());
    }
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_string());
    }
    let name = text.strip_suffix('.').unwrap_or(text);
    let is_label = |label: &str| {
        (1..=63).contains(&label.len())
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
    };
    let last = name.rsplit('.').next().unwrap_or_default();
    let ends_in_number =
        last.bytes().all(|byte| byte.is_ascii_digit()) || last.starts_with("0x") || last.starts_with("0X");
    (name.len() <= 253 && !ends_in_number && name.split('.').all(is_label)).then(|| name.to_ascii_lowercase())
}

/// The host of an authority, as it is written, and its port, if it names one: a number but 0, in digits alone. A user is
/// not told from the host, and makes it none.
pub(crate) fn host_and_port(authority: &str) -> Option<(&str, Option<u16>)> {
    let host_end = match authority.starts_with('[') {
        true => authority.find(']')? + 1,
        false => authority.find(':').unwrap_or(authority.len()),
    };
    let (host, port) = authority.split_at_checked(host_end)?;
    if port.is_empty() {
        return Some((host, None));
    }
    let digits = port.strip_prefix(':').filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()))?;
    digits.parse().ok().filter(|port| *port > 0).map(|port| (host, Some(port)))
}

/// Whether an address is of the public internet (IANA's special-purpose registries, RFC 6890).
pub fn is_global(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => is_global_v4(address),
        IpAddr::V6(address) => is_global_v6(address),
    }
}

/// Whether an address is reached only if the operator has named it: this machine's own (loopback, unspecified), link-
/// local ones, those at which clouds tell machines their secrets, and those of no single machine.
///
/// Private networks are not among them: that is where ClickHouse usually lives.
pub fn needs_naming(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => needs_naming_v4(address),
        IpAddr::V6(address) => match embedded_v4(address) {
            Some(embedded) => needs_naming_v4(embedded),
            None => needs_naming_v6(address),
        },
    }
}

fn is_global_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || a == 0
        || a >= 240
        || (a == 100 && (64..128).contains(&b))
        || (a == 192 && b == 0 && (c == 0 || c == 2))
        || (a == 192 && b == 88 && c == 99)
        || (a == 198 && (b == 18 || b == 19))
        || (a == 198 && b == 51 && c == 100)
        || (a == 203 && b == 0 && c == 113);
    !special
}

fn is_global_v6(address: Ipv6Addr) -> bool {
    // An IPv4 address in any of its disguises is judged as that address.
    if let Some(embedded) = embedded_v4(address) {
        return is_global_v4(embedded);
    }
    let [first, second, ..] = address.segments();
    // Only 2000::/3 is handed out; within it, protocol assignments (2001::/23), two blocks for documentation.
    let handed_out = first & 0xe000 == 0x2000;
    let special =
        (first == 0x2001 && (second < 0x0200 || second == 0x0db8)) || (first == 0x3fff && second < 0x1000);
    handed_out && !special
}

/// Where clouds answer beside link-local addresses: Azure, Alibaba, Oracle.
const METADATA_V4: [Ipv4Addr; 3] =
    [Ipv4Addr::new(168, 63, 129, 16), Ipv4Addr::new(100, 100, 100, 200), Ipv4Addr::new(192, 0, 0, 192)];

/// Networks of which the first two groups are these, in which clouds answer: AWS, Oracle, Google, Scaleway.
const METADATA_V6: [(u16, u16); 4] = [(0xfd00, 0xec2), (0xfd00, 0xc1), (0xfd20, 0xce), (0xfd00, 0x42)];

fn needs_naming_v4(address: Ipv4Addr) -> bool {
    let [first, ..] = address.octets();
    // 0.0.0.0/8 leads to this machine on many systems (RFC 1122 section 3.2.1.3).
    first == 0
        || first >= 240
        || address.is_loopback()
        || address.is_link_local()
        || address.is_multicast()
        || METADATA_V4.contains(&address)
}

fn needs_naming_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    // `::/96` holds `::`, `::1` and the deprecated spelling of IPv4 addresses (RFC 4291 section 2.5.5.1).
    let compatible = matches!(address.segments(), [0, 0, 0, 0, 0, 0, _, _]);
    // fe80::/10 is link-local, fec0::/10 was site-local and is treated as such by some systems.
    let local = first & 0xff80 == 0xfe80;
    compatible || local || address.is_multicast() || METADATA_V6.contains(&(first, second))
}

/// IPv4-mapped (RFC 4291), IPv4-translated (RFC 2765), NAT64 (RFC 6052, RFC 8215) and 6to4 (RFC 3056) addresses carry
/// an IPv4 address.
fn embedded_v4(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let join = |high: u16, low: u16| Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    match address.segments() {
        [0, 0, 0, 0, 0, 0xffff, high, low]
        | [0, 0, 0, 0, 0xffff, 0, high, low]
        | [0x64, 0xff9b, 0, 0, 0, 0, high, low]
        | [0x64, 0xff9b, 1, _, _, _, high, low] => Some(join(high, low)),
        [0x2002, high, low, ..] => Some(join(high, low)),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_have_one_spelling() {
        for (text, wanted) in [
            ("DB.Example.com", Some("db.example.com")),
            ("db.example.com.", Some("db.example.com")),
            ("click_house-1", Some("click_house-1")),
            ("10.0.0.1", Some("10.0.0.1")),
            ("[::1]", Some("::1")),
            ("0:0:0:0:0:0:0:1", Some("::1")),
            ("::FFFF:127.0.0.1", Some("::ffff:127.0.0.1")),
            ("xn--bcher-kva.example", Some("xn--bcher-kva.example")),
            ("b\u{fc}cher.example", None),
            ("\u{ff11}\u{ff12}\u{ff17}.0.0.1", None),
            ("127.1", None),
            ("2130706433", None),
            ("0x7f.0.0.1", None),
            ("127.0.0.0x1", None),
            ("0177.0.0.1", None),
            ("127.0.0.1.", None),
            ("fe80::1%eth0", None),
            ("[10.0.0.1]", None),
            ("[::1", None),
            ("a..b", None),
            (".a", None),
            (".", None),
            ("", None),
            ("a b", None),
            ("a:1", None),
            ("a/b", None),
            ("me@a", None),
            ("a%2e", None),
        ] {
            assert_eq!(canonical_host(text).as_deref(), wanted, "{text:?}");
        }
        assert_eq!(canonical_host(&"a".repeat(64)), None);
        assert_eq!(canonical_host(&["abc"; 64].join(".")), None);
    }

    #[test]
    fn only_addresses_of_the_public_internet_are_global() {
        for (address, global) in [
            ("1.1.1.1", true),
            ("8.8.8.8", true),
            ("100.63.255.255", true),
            ("100.64.0.1", false),
            ("172.15.0.1", true),
            ("172.16.0.1", false),
            ("172.31.255.255", false),
            ("10.0.0.1", false),
            ("192.168.1.1", false),
            ("127.0.0.1", false),
            ("127.255.255.254", false),
            ("0.0.0.0", false),
            ("0.1.2.3", false),
            ("169.254.169.254", false),
            ("192.0.0.8", false),
            ("192.0.2.1", false),
            ("192.88.99.1", false),
            ("198.18.0.1", false),
            ("198.51.100.1", false),
            ("203.0.113.9", false),
            ("224.0.0.1", false),
            ("240.0.0.1", false),
            ("255.255.255.255", false),
            ("2606:4700::1111", true),
            ("2a00:1450:4001::1", true),
            ("::", false),
            ("::1", false),
            ("::ffff:127.0.0.1", false),
            ("::ffff:8.8.8.8", true),
            ("::7f00:1", false),
            ("64:ff9b::a9fe:a9fe", false),
            ("64:ff9b::808:808", true),
            ("64:ff9b:1::1", false),
            ("2002:7f00:1::", false),
            ("2002:808:808::", true),
            ("100::1", false),
            ("2001::1", false),
            ("2001:db8::1", false),
            ("3fff::1", false),
            ("fc00::1", false),
            ("fd12:3456::1", false),
            ("fe80::1", false),
            ("ff02::1", false),
        ] {
            assert_eq!(is_global(address.parse().unwrap()), global, "{address}");
        }
    }

    #[test]
    fn this_machine_and_metadata_have_to_be_named() {
        for (address, needs) in [
            ("127.0.0.1", true),
            ("127.8.9.10", true),
            ("0.0.0.0", true),
            ("0.1.2.3", true),
            ("169.254.169.254", true),
            ("169.254.0.1", true),
            ("168.63.129.16", true),
            ("100.100.100.200", true),
            ("192.0.0.192", true),
            ("224.0.0.1", true),
            ("255.255.255.255", true),
            ("10.0.0.1", false),
            ("172.16.0.1", false),
            ("192.168.1.1", false),
            ("100.64.0.1", false),
            ("8.8.8.8", false),
            ("::", true),
            ("::1", true),
            ("::7f00:1", true),
            ("::ffff:127.0.0.1", true),
            ("::ffff:0:7f00:1", true),
            ("::ffff:10.0.0.1", false),
            ("64:ff9b::a9fe:a9fe", true),
            ("64:ff9b:1::7f00:1", true),
            ("2002:7f00:1::", true),
            ("2002:a9fe:a9fe::1", true),
            ("fe80::1", true),
            ("febf::1", true),
            ("fec0::1", true),
            ("ff02::1", true),
            ("fd00:ec2::254", true),
            ("fd00:ec2::23", true),
            ("fd20:ce::254", true),
            ("fd00:42::42", true),
            ("fd00:43::42", false),
            ("fd12:3456::1", false),
            ("2606:4700::1111", false),
        ] {
            assert_eq!(needs_naming(address.parse().unwrap()), needs, "{address}");
        }
    }
}
