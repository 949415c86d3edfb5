//! Options of the levels of IP, IPv6 and TCP, by a table each: ip(7), ipv6(7), tcp(7), linux/in.h,
//! linux/in6.h, linux/tcp.h. What tells how a connection goes is no state.

use super::super::sockopts::{self, Opt};

const fn ip(name: i32, label: &'static str) -> Opt {
    Opt::int(libc::IPPROTO_IP, name, label)
}

const fn ipv6(name: i32, label: &'static str) -> Opt {
    Opt::int(libc::IPPROTO_IPV6, name, label)
}

const fn tcp(name: i32, label: &'static str) -> Opt {
    Opt::int(libc::IPPROTO_TCP, name, label)
}

/// IPV6_V6ONLY, which is set before there is an address.
pub const V6ONLY: i32 = libc::IPV6_V6ONLY;

/// Those of IP. Before SOL_SOCKET, as IP_TOS sets SO_PRIORITY too.
const IP: &[Opt] = &[
    ip(libc::IP_TOS, "IP_TOS"),
    ip(libc::IP_TTL, "IP_TTL"),
    Opt::bytes(libc::IPPROTO_IP, libc::IP_OPTIONS, "IP_OPTIONS", 40),
    ip(libc::IP_RECVOPTS, "IP_RECVOPTS"),
    ip(libc::IP_RETOPTS, "IP_RETOPTS"),
    ip(libc::IP_PKTINFO, "IP_PKTINFO"),
    ip(libc::IP_MTU_DISCOVER, "IP_MTU_DISCOVER"),
    ip(libc::IP_RECVERR, "IP_RECVERR"),
    ip(libc::IP_RECVTTL, "IP_RECVTTL"),
    ip(libc::IP_RECVTOS, "IP_RECVTOS"),
    ip(libc::IP_FREEBIND, "IP_FREEBIND"),
    ip(libc::IP_TRANSPARENT, "IP_TRANSPARENT"),
    ip(libc::IP_RECVORIGDSTADDR, "IP_RECVORIGDSTADDR"),
    ip(libc::IP_MINTTL, "IP_MINTTL"),
    ip(libc::IP_NODEFRAG, "IP_NODEFRAG"),
    ip(23, "IP_CHECKSUM"),
    ip(libc::IP_BIND_ADDRESS_NO_PORT, "IP_BIND_ADDRESS_NO_PORT"),
    ip(25, "IP_RECVFRAGSIZE"),
    ip(26, "IP_RECVERR_RFC4884"),
    ip(libc::IP_UNICAST_IF, "IP_UNICAST_IF"),
    ip(51, "IP_LOCAL_PORT_RANGE"),
];

const IPV6: &[Opt] = &[
    ipv6(V6ONLY, "IPV6_V6ONLY"),
    ipv6(libc::IPV6_UNICAST_HOPS, "IPV6_UNICAST_HOPS"),
    ipv6(libc::IPV6_MTU_DISCOVER, "IPV6_MTU_DISCOVER"),
    ipv6(libc::IPV6_RECVERR, "IPV6_RECVERR"),
    ipv6(31, "IPV6_RECVERR_RFC4884"),
    ipv6(33, "IPV6_FLOWINFO_SEND"),
    ipv6(libc::IPV6_RECVPKTINFO, "IPV6_RECVPKTINFO"),
    ipv6(libc::IPV6_RECVHOPLIMIT, "IPV6_RECVHOPLIMIT"),
    ipv6(libc::IPV6_RECVHOPOPTS, "IPV6_RECVHOPOPTS"),
    ipv6(libc::IPV6_RECVRTHDR, "IPV6_RECVRTHDR"),
    ipv6(libc::IPV6_RECVDSTOPTS, "IPV6_RECVDSTOPTS"),
    ipv6(libc::IPV6_RECVPATHMTU, "IPV6_RECVPATHMTU"),
    ipv6(libc::IPV6_DONTFRAG, "IPV6_DONTFRAG"),
    ipv6(libc::IPV6_RECVTCLASS, "IPV6_RECVTCLASS"),
    ipv6(libc::IPV6_TCLASS, "IPV6_TCLASS"),
    ipv6(70, "IPV6_AUTOFLOWLABEL"),
    ipv6(73, "IPV6_MINHOPCOUNT"),
    ipv6(74, "IPV6_RECVORIGDSTADDR"),
    ipv6(75, "IPV6_TRANSPARENT"),
    ipv6(76, "IPV6_UNICAST_IF"),
    ipv6(77, "IPV6_RECVFRAGSIZE"),
    ipv6(78, "IPV6_FREEBIND"),
];

const TCP: &[Opt] = &[
    tcp(libc::TCP_NODELAY, "TCP_NODELAY"),
    tcp(libc::TCP_KEEPIDLE, "TCP_KEEPIDLE"),
    tcp(libc::TCP_KEEPINTVL, "TCP_KEEPINTVL"),
    tcp(libc::TCP_KEEPCNT, "TCP_KEEPCNT"),
    tcp(libc::TCP_SYNCNT, "TCP_SYNCNT"),
    tcp(libc::TCP_LINGER2, "TCP_LINGER2"),
    tcp(libc::TCP_DEFER_ACCEPT, "TCP_DEFER_ACCEPT"),
    Opt::bytes(libc::IPPROTO_TCP, libc::TCP_CONGESTION, "TCP_CONGESTION", 16),
    tcp(libc::TCP_THIN_LINEAR_TIMEOUTS, "TCP_THIN_LINEAR_TIMEOUTS"),
    tcp(libc::TCP_USER_TIMEOUT, "TCP_USER_TIMEOUT"),
    tcp(25, "TCP_NOTSENT_LOWAT"),
    tcp(27, "TCP_SAVE_SYN"),
    tcp(30, "TCP_FASTOPEN_CONNECT"),
    tcp(34, "TCP_FASTOPEN_NO_COOKIE"),
    tcp(36, "TCP_INQ"),
    tcp(37, "TCP_TX_DELAY"),
    tcp(libc::TCP_CORK, "TCP_CORK").filled(),
];

/// What of TCP means something only while there has been no connection: with one, getsockopt(2) tells what both ends have agreed on.
const TCP_UNCONNECTED: &[Opt] = &[
    tcp(libc::TCP_MAXSEG, "TCP_MAXSEG"),
    tcp(libc::TCP_WINDOW_CLAMP, "TCP_WINDOW_CLAMP"),
    tcp(libc::TCP_FASTOPEN, "TCP_FASTOPEN"),
];

/// The tables for sockets of a family; `connected`: now or before.
pub fn tables(family: u32, connected: bool) -> Vec<&'static [Opt]> {
    let mut tables = vec![IP];
    if family == libc::AF_INET6 as u32 {
        tables.push(IPV6);
    }
    tables.extend([sockopts::SOL_SOCKET, TCP]);
    if !connected {
        tables.push(TCP_UNCONNECTED);
    }
    tables
}
