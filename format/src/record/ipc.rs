//! Objects behind descriptors that have no file: pipes and the anonymous inodes.

use crate::record::{CLOCKS, EXTERNAL_KINDS};
use crate::show::{brief, escape, flags, hex, named, nanos, signals, tail_of};

/// EPOLL* of epoll_ctl(2).
pub const EPOLL_EVENTS: &[(u64, &str)] = &[
    (0x1, "EPOLLIN"),
    (0x2, "EPOLLPRI"),
    (0x4, "EPOLLOUT"),
    (0x8, "EPOLLERR"),
    (0x10, "EPOLLHUP"),
    (0x40, "EPOLLRDNORM"),
    (0x80, "EPOLLRDBAND"),
    (0x100, "EPOLLWRNORM"),
    (0x200, "EPOLLWRBAND"),
    (0x400, "EPOLLMSG"),
    (0x2000, "EPOLLRDHUP"),
    (1 << 28, "EPOLLEXCLUSIVE"),
    (1 << 29, "EPOLLWAKEUP"),
    (1 << 30, "EPOLLONESHOT"),
    (1 << 31, "EPOLLET"),
];

/// Bits of [`Pipe::flags`].
pub const PIPE_FLAGS: &[(u64, &str)] = &[(1, "FIFO"), (2, "PACKETS")];

/// TFD_TIMER_* of timerfd_settime(2).
pub const TIMERFD_FLAGS: &[(u64, &str)] = &[(1, "TFD_TIMER_ABSTIME"), (2, "TFD_TIMER_CANCEL_ON_SET")];

/// Address families of socket(2) that are carried over.
pub const ADDRESS_FAMILIES: &[(u64, &str)] = &[(1, "AF_UNIX"), (2, "AF_INET"), (10, "AF_INET6")];

/// Types of socket(2).
pub const SOCKET_TYPES: &[(u64, &str)] = &[(1, "SOCK_STREAM"), (2, "SOCK_DGRAM"), (5, "SOCK_SEQPACKET")];

/// What a socket leads to.
pub const SOCKET_STATES: &[(u64, &str)] = &[
    (0, "unconnected"),
    (1, "connected"),
    (2, "disconnected"),
    (3, "listening"),
    (4, "waiting to be accepted"),
];

/// Bits of [`SocketName::flags`].
pub const SOCKET_NAME_FLAGS: &[(u64, &str)] = &[(1, "PEER"), (2, "PLACED")];

impl SocketName {
    /// Bit of [`SocketName::flags`]: it is the name of whoever the socket is connected with, outside of the tree.
    pub const PEER: u32 = 1;
    /// The place led to the socket still.
    pub const PLACED: u32 = 2;
}

/// Bits of [`Socket::shutdown`], the kernel's own (include/net/sock.h).
pub const SHUTDOWN: &[(u64, &str)] = &[(1, "RCV_SHUTDOWN"), (2, "SEND_SHUTDOWN")];

/// Bits of [`Socket::flags`]: options of socket(7) and unix(7) that are set.
pub const SOCKET_FLAGS: &[(u64, &str)] = &[(1, "SO_PASSCRED"), (2, "SO_PASSSEC"), (4, "SO_BROADCAST")];

/// Options of level SOL_SOCKET that a [`SocketOption`] can hold (asm-generic/socket.h).
pub const SOL_SOCKET_OPTIONS: &[(u64, &str)] = &[
    (2, "SO_REUSEADDR"),
    (5, "SO_DONTROUTE"),
    (9, "SO_KEEPALIVE"),
    (10, "SO_OOBINLINE"),
    (11, "SO_NO_CHECK"),
    (12, "SO_PRIORITY"),
    (13, "SO_LINGER"),
    (15, "SO_REUSEPORT"),
    (25, "SO_BINDTODEVICE"),
    (26, "SO_ATTACH_FILTER"),
    (29, "SO_TIMESTAMP"),
    (35, "SO_TIMESTAMPNS"),
    (36, "SO_MARK"),
    (37, "SO_TIMESTAMPING"),
    (40, "SO_RXQ_OVFL"),
    (41, "SO_WIFI_STATUS"),
    (42, "SO_PEEK_OFF"),
    (43, "SO_NOFCS"),
    (44, "SO_LOCK_FILTER"),
    (45, "SO_SELECT_ERR_QUEUE"),
    (46, "SO_BUSY_POLL"),
    (47, "SO_MAX_PACING_RATE"),
    (60, "SO_ZEROCOPY"),
    (61, "SO_TXTIME"),
    (63, "SO_TIMESTAMP_NEW"),
    (64, "SO_TIMESTAMPNS_NEW"),
    (65, "SO_TIMESTAMPING_NEW"),
    (69, "SO_PREFER_BUSY_POLL"),
    (70, "SO_BUSY_POLL_BUDGET"),
    (72, "SO_BUF_LOCK"),
    (73, "SO_RESERVE_MEM"),
    (74, "SO_TXREHASH"),
    (75, "SO_RCVMARK"),
    (76, "SO_PASSPIDFD"),
    (82, "SO_RCVPRIORITY"),
    (83, "SO_PASSRIGHTS"),
];

/// SOL_SOCKET.
const SOL_SOCKET: u32 = 1;

/// Bits of [`InotifyWatch::mask`], inotify(7).
pub const INOTIFY_MASK: &[(u64, &str)] = &[
    (0x1, "IN_ACCESS"),
    (0x2, "IN_MODIFY"),
    (0x4, "IN_ATTRIB"),
    (0x8, "IN_CLOSE_WRITE"),
    (0x10, "IN_CLOSE_NOWRITE"),
    (0x20, "IN_OPEN"),
    (0x40, "IN_MOVED_FROM"),
    (0x80, "IN_MOVED_TO"),
    (0x100, "IN_CREATE"),
    (0x200, "IN_DELETE"),
    (0x400, "IN_DELETE_SELF"),
    (0x800, "IN_MOVE_SELF"),
    (1 << 26, "IN_EXCL_UNLINK"),
    (1 << 31, "IN_ONESHOT"),
];

records! {
    /// A pipe or FIFO; EXTENTs hold what was in it. Of a pipe with PACKETS (O_DIRECT, pipe(2)) that is each packet behind
    /// its length as u32.
    Pipe = 306 "PIPE", behind [FileKind::ends(4, "pipe"), FileKind::ends(5, "fifo")] {
        /// Its size (F_GETPIPE_SZ).
        capacity: u64 => Size,
        /// Bytes in it.
        size: u64 => Size => Contents,
        /// FIFO's INODE, 0 for a pipe.
        inode: u32 => Ref => To[Inode],
        /// Kind.
        flags: u32 => Flags(PIPE_FLAGS),
    } words(pipe) { format!("{} of {} in it", brief(pipe.size), brief(pipe.capacity)) }

    /// An eventfd counter.
    Eventfd = 307 "EVENTFD", behind [FileKind::same(6, "eventfd")] {
        /// Count.
        count: u64 => Dec,
        /// 1 for EFD_SEMAPHORE.
        semaphore: u32 => Dec,
        /// Always zero.
        pad: u32 => Zero,
    } words(eventfd) {
        format!("count {}{}", eventfd.count, if eventfd.semaphore != 0 { ", a semaphore" } else { "" })
    }

    /// An epoll instance; EPOLL_TARGETs belong to it.
    Epoll = 308 "EPOLL", behind [FileKind::same(7, "epoll")] {
        /// Targets in it.
        nr_targets: u64 => Dec => Counts[EpollTarget],
    } words(epoll) { format!("{} targets", epoll.nr_targets) }

    /// A descriptor watched by an epoll instance.
    EpollTarget = 309 "EPOLL_TARGET", of Epoll {
        /// Descriptor number it was added under.
        fd: u32 => Dec,
        /// Events watched.
        events: u32 => Flags(crate::record::EPOLL_EVENTS),
        /// The program's own datum.
        data: u64 => Hex,
        /// Open file description watched.
        file: u32 => Ref => Always[File],
        /// Always zero.
        pad: u32 => Zero,
    } words(target) { format!("{} for {}", target.fd, flags(target.events.into(), EPOLL_EVENTS).join("|")) }

    /// A timer descriptor.
    Timerfd = 310 "TIMERFD", behind [FileKind::same(8, "timerfd")] {
        /// Clock.
        clockid: u32 => Enum(crate::record::CLOCKS),
        /// Flags of timerfd_settime(2).
        settime_flags: u32 => Flags(crate::record::TIMERFD_FLAGS),
        /// Expirations not yet read.
        ticks: u64 => Dec,
        /// Time left until the next expiration, 0 when disarmed.
        value: u64 => Nanos,
        /// Interval.
        interval: u64 => Nanos,
    } words(timer) {
        let due = if timer.value == 0 { "not armed".into() } else { format!("in {}", nanos(timer.value)) };
        let every = if timer.interval == 0 { String::new() } else { format!(", every {}", nanos(timer.interval)) };
        format!("{}, {due}{every}", named(timer.clockid, CLOCKS))
    }

    /// A signal descriptor.
    Signalfd = 311 "SIGNALFD", behind [FileKind::same(9, "signalfd")] {
        /// Signals it takes.
        mask: u64 => Sigset,
    } words(signalfd) { signals(signalfd.mask).join(" ") }

    /// A process descriptor.
    Pidfd = 312 "PIDFD", behind [FileKind::same(10, "pidfd")] {
        /// Process, as a pid of the image; 0 for one that has ended and was waited for.
        pid: u32 => Dec,
        /// Always zero.
        pad: u32 => Zero,
    } words(pidfd) {
        match pidfd.pid {
            0 => "a process that is no more".into(),
            pid => format!("process {pid}"),
        }
    }

    /// A socket; EXTENTs hold what can be read from it. Of a SOCK_DGRAM or SOCK_SEQPACKET that is each packet behind its
    /// length as u32.
    Socket = 314 "SOCKET", since 64,
        behind [FileKind::same(14, "socket"), FileKind::same(40, "internet socket")]
    {
        /// Address family.
        family: u32 => Enum(crate::record::ADDRESS_FAMILIES),
        /// Type.
        socktype: u32 => Enum(crate::record::SOCKET_TYPES),
        /// Protocol.
        protocol: u32 => Dec,
        /// What it leads to.
        state: u32 => Enum(crate::record::SOCKET_STATES),
        /// SOCKET that it is connected with, 0 for none.
        peer: u32 => Ref => Peer[Socket],
        /// Directions that are shut down.
        shutdown: u32 => Flags(crate::record::SHUTDOWN),
        /// Send buffer (SO_SNDBUF), as getsockopt(2) tells it.
        sndbuf: u32 => Dec,
        /// Receive buffer (SO_RCVBUF), likewise.
        rcvbuf: u32 => Dec,
        /// Least that is read (SO_RCVLOWAT).
        rcvlowat: u32 => Dec,
        /// Options.
        flags: u32 => Flags(crate::record::SOCKET_FLAGS),
        /// Time after which a read gives up (SO_RCVTIMEO), 0 for never.
        rcvtimeo: u64 => Nanos,
        /// Time after which a write gives up (SO_SNDTIMEO), 0 for never.
        sndtimeo: u64 => Nanos,
        /// Bytes of contents.
        size: u64 => Size => Contents,
        /// Connections that may wait to be accepted, of one that listens (listen(2)).
        backlog: u32 => Dec,
        /// SOCKET at which it waits to be accepted, 0 for none.
        listener: u32 => Ref => To[Socket],
        /// How many wait there before it.
        turn: u32 => Dec,
        /// Always zero.
        pad: u32 => Zero,
    } words(socket) {
        let family = tail_of(socket.family, ADDRESS_FAMILIES);
        let with = if socket.peer == 0 { String::new() } else { format!(" with #{}", socket.peer) };
        let state = named(socket.state, SOCKET_STATES);
        format!("{family} {}, {state}{with}, {} in it", tail_of(socket.socktype, SOCKET_TYPES), brief(socket.size))
    }

    /// An option of a socket that is not as in one just made.
    SocketOption = 341 "SOCKET_OPTION", tail value: Bytes "Its value, as getsockopt(2) tells it; the instructions of a filter.", of Socket {
        /// Level.
        level: u32 => Dec,
        /// Number of the option.
        name: u32 => Dec,
    } words(option) {
        let name = match option.level {
            SOL_SOCKET => named(option.name, SOL_SOCKET_OPTIONS),
            level => format!("option {} of level {level}", option.name),
        };
        match option.value.as_slice().try_into() {
            Ok(number) => format!("{name} is {}", i32::from_le_bytes(number)),
            Err(_) => format!("{name} is {}", hex(&option.value)),
        }
    }

    /// An inotify instance; INOTIFY_WATCHes belong to it.
    Inotify = 315 "INOTIFY", behind [FileKind::same(15, "inotify")] {
        /// Watches in it.
        nr_watches: u64 => Dec => Counts[InotifyWatch],
    } words(inotify) { format!("{} watches", inotify.nr_watches) }

    /// A file or directory watched by an inotify instance.
    InotifyWatch = 316 "INOTIFY_WATCH", of Inotify {
        /// Number of the watch.
        wd: u32 => Dec,
        /// Events that it tells of, and how.
        mask: u32 => Flags(crate::record::INOTIFY_MASK),
        /// What is watched.
        inode: u32 => Ref => Always[Inode],
        /// Always zero.
        pad: u32 => Zero,
    } words(watch) { format!("{} for {}", watch.wd, flags(watch.mask.into(), INOTIFY_MASK).join("|")) }

    /// A name of a Unix socket (bind(2), unix(7)), with where it is in the file system.
    SocketName = 342 "SOCKET_NAME", tail name: Bytes "The name as getsockname(2) tells it, behind the family; begins with a zero if it is abstract.", of Socket {
        /// What it is.
        flags: u32 => Flags(SOCKET_NAME_FLAGS),
        /// Permissions of the file.
        mode: u32 => Mode,
        /// Owner of the file.
        uid: u32 => Dec,
        /// Group of the file.
        gid: u32 => Dec,
        /// Device of the file.
        dev: u64 => Dev,
        /// Inode number of the file.
        ino: u64 => Dec,
    } words(name) {
        let of_peer = if name.flags & SocketName::PEER != 0 { "of its peer, " } else { "" };
        format!("{of_peer}{}", escape(&name.name))
    }

    /// Where the file of a SOCKET_NAME is.
    SocketPlace = 343 "SOCKET_PLACE", tail path: Text "Path in the root of the process that took the checkpoint.", of Socket {
        /// Always zero.
        pad: u64 => Zero,
    } words(place) { escape(&place.path) }

    /// A packet in a SOCKET's queue, in their order; of a socket with such records there is one for each.
    SocketPacket = 344 "SOCKET_PACKET", tail sender: Bytes "Name of its sender, as in SOCKET_NAME; empty if it has none.", of Socket {
        /// The sender, 0 if it is gone.
        from: u32 => Ref => To[Socket],
        /// Always zero.
        pad: u32 => Zero,
    } words(packet) {
        if packet.sender.is_empty() { "from a socket without a name".to_owned() } else { format!("from {}", escape(&packet.sender)) }
    }

    /// The other end lies outside the tree; it is taken from the process that restarts the image.
    External = 313 "EXTERNAL", tail description: Text "What it was, as /proc/PID/fd shows it.",
        behind [FileKind::same(13, "external")]
    {
        /// What it leads to.
        kind: u32 => Enum(crate::record::EXTERNAL_KINDS),
        /// Always zero.
        pad: u32 => Zero,
    } words(external) {
        let kind = named(external.kind, EXTERNAL_KINDS);
        format!("{kind} {}, taken from whoever restarts", escape(&external.description))
    }
}
