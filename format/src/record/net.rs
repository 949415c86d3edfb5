//! What sockets of the network have beyond what all sockets have: addresses, and where a connection stands.

use crate::show::{flags, named};

/// States of a TCP socket (include/net/tcp_states.h). A socket of another protocol is in CLOSE, or in ESTABLISHED when
/// it is connected.
pub const TCP_STATES: &[(u64, &str)] = &[
    (1, "ESTABLISHED"),
    (2, "SYN_SENT"),
    (3, "SYN_RECV"),
    (4, "FIN_WAIT1"),
    (5, "FIN_WAIT2"),
    (6, "TIME_WAIT"),
    (7, "CLOSE"),
    (8, "CLOSE_WAIT"),
    (9, "LAST_ACK"),
    (10, "LISTEN"),
    (11, "CLOSING"),
];

/// Bits of [`Inet::flags`].
pub const INET_FLAGS: &[(u64, &str)] =
    &[(1, "BOUND"), (2, "RESET"), (4, "ENDED"), (8, "PEER_GONE"), (16, "IN_BACKLOG")];

records! {
    /// Where a socket of AF_INET or AF_INET6 stands.
    Inet = 350 "INET", of Socket {
        /// State of TCP.
        state: u32 => Enum(crate::record::TCP_STATES),
        /// Connections that a listening socket keeps for accept(2).
        backlog: u32 => Dec,
        /// Own port.
        local_port: u32 => Dec,
        /// Port of the other end.
        remote_port: u32 => Dec,
        /// Own address, one of IPv4 as ::ffff:a.b.c.d.
        local: [u8; 16] => Raw,
        /// Address of the other end, likewise.
        remote: [u8; 16] => Raw,
        /// Interface of a link-local own address.
        local_scope: u32 => Dec,
        /// The same of the other end.
        remote_scope: u32 => Dec,
        /// How it got there.
        flags: u32 => Flags(crate::record::INET_FLAGS),
        /// Owner of the socket.
        uid: u32 => Dec,
    } words(inet) {
        let mut words = format!("{} at {}", named(inet.state, TCP_STATES), endpoint(&inet.local, inet.local_port));
        if inet.remote_port != 0 {
            words.push_str(&format!(" with {}", endpoint(&inet.remote, inet.remote_port)));
        }
        for flag in flags(inet.flags.into(), INET_FLAGS) {
            words.push_str(&format!(", {}", flag.to_lowercase()));
        }
        words
    }
}

fn endpoint(address: &[u8; 16], port: u32) -> String {
    let address = std::net::Ipv6Addr::from(*address);
    match address.to_ipv4_mapped() {
        Some(v4) => format!("{v4}:{port}"),
        None => format!("[{address}]:{port}"),
    }
}
