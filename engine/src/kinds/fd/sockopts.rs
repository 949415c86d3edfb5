//! What sockets of all families have in common: sizes, times and options of level SOL_SOCKET, by a table.
//!
//! Families have tables of their own for their levels, and the same functions read and set them. An option is written down
//! where it is not as in a socket just made. Most are set on a socket just made, before it is bound; some of them only
//! [when its queue is full again](When::Filled), because they would change what arrives there.

use std::io;
use std::os::fd::OwnedFd;

use stasis_format::record::{Socket, SocketOption};

use crate::sys::socket;

/// When an option is set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    /// On a socket just made.
    Made,
    /// When all is sent again that was in queues.
    Filled,
}

/// An option that can be read and set.
#[derive(Debug, Clone, Copy)]
pub struct Opt {
    /// Its level.
    pub level: i32,
    /// Its number.
    pub name: i32,
    /// What it is called.
    pub label: &'static str,
    /// Length of its longest value.
    pub len: usize,
    /// When it is set.
    pub when: When,
    /// Written down even if it is as in a socket just made, because what a restart does changes it.
    pub always: bool,
}

impl Opt {
    /// A number.
    pub const fn int(level: i32, name: i32, label: &'static str) -> Self {
        Self { level, name, label, len: 4, when: When::Made, always: false }
    }

    /// A structure or a name.
    pub const fn bytes(level: i32, name: i32, label: &'static str, len: usize) -> Self {
        Self { len, ..Self::int(level, name, label) }
    }

    /// The same, set when queues are full again.
    pub const fn filled(self) -> Self {
        Self { when: When::Filled, ..self }
    }
}

const fn int(name: i32, label: &'static str) -> Opt {
    Opt::int(libc::SOL_SOCKET, name, label)
}

const fn bytes(name: i32, label: &'static str, len: usize) -> Opt {
    Opt::bytes(libc::SOL_SOCKET, name, label, len)
}

/// Options of level SOL_SOCKET, in the order in which they are set: socket(7), asm-generic/socket.h. Those beyond what libc
/// knows are by number. SO_INCOMING_CPU and others that tell what the kernel did are no state.
pub const SOL_SOCKET: &[Opt] = &[
    int(libc::SO_REUSEADDR, "SO_REUSEADDR"),
    int(libc::SO_REUSEPORT, "SO_REUSEPORT"),
    bytes(libc::SO_BINDTODEVICE, "SO_BINDTODEVICE", libc::IFNAMSIZ),
    int(libc::SO_DONTROUTE, "SO_DONTROUTE"),
    int(libc::SO_KEEPALIVE, "SO_KEEPALIVE"),
    int(libc::SO_OOBINLINE, "SO_OOBINLINE"),
    int(libc::SO_NO_CHECK, "SO_NO_CHECK"),
    int(libc::SO_PRIORITY, "SO_PRIORITY"),
    bytes(libc::SO_LINGER, "SO_LINGER", 8),
    int(libc::SO_MARK, "SO_MARK"),
    int(libc::SO_TIMESTAMP, "SO_TIMESTAMP"),
    int(libc::SO_TIMESTAMPNS, "SO_TIMESTAMPNS"),
    int(63, "SO_TIMESTAMP_NEW"),
    int(64, "SO_TIMESTAMPNS_NEW"),
    bytes(libc::SO_TIMESTAMPING, "SO_TIMESTAMPING", 8),
    bytes(65, "SO_TIMESTAMPING_NEW", 8),
    int(libc::SO_RXQ_OVFL, "SO_RXQ_OVFL"),
    int(41, "SO_WIFI_STATUS"),
    int(43, "SO_NOFCS"),
    int(45, "SO_SELECT_ERR_QUEUE"),
    int(libc::SO_BUSY_POLL, "SO_BUSY_POLL"),
    int(69, "SO_PREFER_BUSY_POLL"),
    int(70, "SO_BUSY_POLL_BUDGET"),
    bytes(47, "SO_MAX_PACING_RATE", 8),
    int(60, "SO_ZEROCOPY"),
    bytes(61, "SO_TXTIME", 8),
    int(73, "SO_RESERVE_MEM"),
    int(74, "SO_TXREHASH"),
    int(75, "SO_RCVMARK"),
    int(82, "SO_RCVPRIORITY"),
    int(76, "SO_PASSPIDFD").filled(),
    int(83, "SO_PASSRIGHTS").filled(),
    int(libc::SO_PEEK_OFF, "SO_PEEK_OFF").filled(),
    // What of SO_SNDBUF and SO_RCVBUF the program has set itself; a restart sets both.
    Opt { always: true, ..int(72, "SO_BUF_LOCK").filled() },
    FILTER,
    int(libc::SO_LOCK_FILTER, "SO_LOCK_FILTER").filled(),
];

/// The classic BPF that packets go through; it is read by SO_GET_FILTER, and is set with a pointer.
const FILTER: Opt = bytes(libc::SO_ATTACH_FILTER, "SO_ATTACH_FILTER", 0).filled();

/// Bits of [`Socket::flags`] and the options that they stand for.
const FLAGS: &[(u32, i32, When)] = &[
    (1, libc::SO_PASSCRED, When::Filled),
    (2, libc::SO_PASSSEC, When::Filled),
    (4, libc::SO_BROADCAST, When::Made),
];

/// What is the same for sockets of all families: what kind it is, its sizes, times and flags.
pub fn look(fd: &OwnedFd) -> io::Result<Socket> {
    let option = |name| socket::option(fd, name);
    let mut flags = 0;
    for (bit, name, _) in FLAGS {
        // Since Linux 6.16 only families that can have one tell of it.
        let is_set = match option(*name) {
            Err(error) if error.raw_os_error() == Some(libc::EOPNOTSUPP) => false,
            value => value? != 0,
        };
        flags |= if is_set { *bit } else { 0 };
    }
    Ok(Socket {
        family: option(libc::SO_DOMAIN)? as u32,
        socktype: option(libc::SO_TYPE)? as u32,
        protocol: option(libc::SO_PROTOCOL)? as u32,
        sndbuf: option(libc::SO_SNDBUF)? as u32,
        rcvbuf: option(libc::SO_RCVBUF)? as u32,
        rcvlowat: option(libc::SO_RCVLOWAT)? as u32,
        flags,
        rcvtimeo: socket::timeout(fd, libc::SO_RCVTIMEO)?,
        sndtimeo: socket::timeout(fd, libc::SO_SNDTIMEO)?,
        ..Socket::default()
    })
}

/// The options of some tables that are not as in `fresh`, a socket of the same kind just made. Those that neither knows are
/// passed over.
///
/// # Errors
/// In words: an option that has a value which the kernel does not tell.
pub fn options(fd: &OwnedFd, fresh: &OwnedFd, tables: &[&[Opt]]) -> Result<Vec<SocketOption>, String> {
    let mut found = Vec::new();
    for opt in tables.iter().copied().flatten() {
        let value = match read(fd, opt) {
            Ok(value) => value,
            Err(error) if error.raw_os_error() == Some(libc::EACCES) && is_filter(opt) => {
                return Err("it has a filter of eBPF, which the kernel does not tell".into());
            }
            Err(_) => continue,
        };
        if opt.always || !read(fresh, opt).is_ok_and(|before| before == value) {
            found.push(SocketOption { level: opt.level as u32, name: opt.name as u32, value });
        }
    }
    Ok(found)
}

/// Sets what [`look`] found, as far as it is due now.
pub fn set_common(fd: &OwnedFd, record: &Socket, now: When) -> io::Result<()> {
    if now == When::Made {
        socket::set_timeout(fd, libc::SO_RCVTIMEO, record.rcvtimeo)?;
        socket::set_timeout(fd, libc::SO_SNDTIMEO, record.sndtimeo)?;
        if record.rcvlowat > 1 {
            socket::set_option(fd, libc::SO_RCVLOWAT, record.rcvlowat as i32)?;
        }
    } else {
        // The kernel doubles what is set (socket(7)).
        set_buffer(fd, libc::SO_SNDBUFFORCE, libc::SO_SNDBUF, u64::from(record.sndbuf / 2));
        set_buffer(fd, libc::SO_RCVBUFFORCE, libc::SO_RCVBUF, u64::from(record.rcvbuf / 2));
    }
    FLAGS
        .iter()
        .filter(|(bit, _, when)| record.flags & bit != 0 && *when == now)
        .try_for_each(|(_, name, _)| socket::set_option(fd, *name, 1))
}

/// Sets the options among these that are due now, in the order of the tables.
///
/// # Errors
/// What the option is called, and the kernel's reason.
pub fn set<'o>(
    fd: &OwnedFd,
    options: impl Iterator<Item = &'o SocketOption> + Clone,
    tables: &[&[Opt]],
    now: When,
) -> Result<(), (String, io::Error)> {
    for opt in tables.iter().copied().flatten().filter(|opt| opt.when == now) {
        let is_it = |o: &&SocketOption| (o.level, o.name) == (opt.level as u32, opt.name as u32);
        for option in options.clone().filter(is_it) {
            write(fd, opt, &option.value).map_err(|error| (opt.label.to_owned(), error))?;
        }
    }
    Ok(())
}

/// Why options of the image cannot be set here, in one sentence: they are, on `fresh`, a socket of the same kind just made.
/// One that stands in none of the tables is of a newer format.
pub fn judge<'o>(
    fresh: &OwnedFd,
    options: impl Iterator<Item = &'o SocketOption> + Clone,
    tables: &[&[Opt]],
) -> Option<String> {
    let known = |o: &SocketOption| {
        let mut all = tables.iter().copied().flatten();
        all.any(|opt| (o.level, o.name) == (opt.level as u32, opt.name as u32))
    };
    if let Some(o) = options.clone().find(|o| !known(o)) {
        return Some(format!("its option {} of level {} is not known here", o.name, o.level));
    }
    [When::Made, When::Filled].into_iter().find_map(|when| {
        let (label, error) = set(fresh, options.clone(), tables, when).err()?;
        Some(format!("its {label} cannot be set ({error})"))
    })
}

/// Sets a buffer's size by the privileged option, which knows no limit, or by the ordinary one. Too small a buffer only
/// makes the program wait sooner.
pub fn set_buffer(fd: &OwnedFd, force: i32, plain: i32, bytes: u64) {
    let bytes = i32::try_from(bytes).unwrap_or(i32::MAX);
    if socket::set_option(fd, force, bytes).is_err() {
        let _ = socket::set_option(fd, plain, bytes);
    }
}

fn is_filter(opt: &Opt) -> bool {
    (opt.level, opt.name) == (FILTER.level, FILTER.name)
}

fn read(fd: &OwnedFd, opt: &Opt) -> io::Result<Vec<u8>> {
    if is_filter(opt) { socket::filter(fd) } else { socket::bytes_of(fd, opt.level, opt.name, opt.len) }
}

fn write(fd: &OwnedFd, opt: &Opt, value: &[u8]) -> io::Result<()> {
    if is_filter(opt) {
        socket::set_filter(fd, value)
    } else {
        socket::set_bytes(fd, opt.level, opt.name, value)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BPF_RET | BPF_K with -1: all of every packet.
    const ALL: [u8; 8] = [6, 0, 0, 0, 0xff, 0xff, 0xff, 0xff];

    fn fresh() -> OwnedFd {
        socket::socket(libc::AF_INET, libc::SOCK_DGRAM, 0).unwrap()
    }

    #[test]
    fn what_was_set_is_set_again_and_nothing_else_is_written_down() {
        let (before, after) = (fresh(), fresh());
        socket::set_option(&before, libc::SO_KEEPALIVE, 1).unwrap();
        socket::set_option(&before, libc::SO_TIMESTAMPNS, 1).unwrap();
        socket::set_bytes(&before, libc::SOL_SOCKET, libc::SO_LINGER, &[1, 0, 0, 0, 7, 0, 0, 0]).unwrap();
        socket::set_filter(&before, &ALL).unwrap();
        let found = options(&before, &fresh(), &[SOL_SOCKET]).unwrap();
        let names: Vec<i32> = found.iter().map(|o| o.name as i32).filter(|n| *n != 72).collect();
        assert_eq!(
            names,
            [libc::SO_KEEPALIVE, libc::SO_LINGER, libc::SO_TIMESTAMPNS, libc::SO_ATTACH_FILTER]
        );
        assert_eq!(judge(&fresh(), found.iter(), &[SOL_SOCKET]), None);
        for when in [When::Made, When::Filled] {
            set(&after, found.iter(), &[SOL_SOCKET], when).unwrap();
        }
        assert_eq!(options(&after, &fresh(), &[SOL_SOCKET]).unwrap(), found);
    }

    #[test]
    fn options_that_are_not_known_or_senseless_are_said_by_name() {
        let complaint = |level, name, value: &[u8]| {
            let option = SocketOption { level, name, value: value.to_vec() };
            judge(&fresh(), [option].iter(), &[SOL_SOCKET]).unwrap()
        };
        assert!(complaint(1, 9999, &[1]).contains("9999"));
        assert!(complaint(1, libc::SO_KEEPALIVE as u32, &[1]).contains("SO_KEEPALIVE"));
        assert!(complaint(1, libc::SO_ATTACH_FILTER as u32, &[0; 8]).contains("SO_ATTACH_FILTER"));
    }
}
