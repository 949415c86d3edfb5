//! Descriptors, open files and the files themselves.
//!
//! FD -> FILE (an open file description, shared by duplicates) -> the object behind it (INODE, PIPE, EVENTFD...).

use crate::show::{brief, escape, hex, named, reference};

/// Status flags of open(2) on x86-64.
pub const OPEN_FLAGS: &[(u64, &str)] = &[
    (0o1, "O_WRONLY"),
    (0o2, "O_RDWR"),
    (0o2000, "O_APPEND"),
    (0o4000, "O_NONBLOCK"),
    (0o10000, "O_DSYNC"),
    (0o20000, "O_ASYNC"),
    (0o40000, "O_DIRECT"),
    (0o100000, "O_LARGEFILE"),
    (0o200000, "O_DIRECTORY"),
    (0o400000, "O_NOFOLLOW"),
    (0o1000000, "O_NOATIME"),
    (0o2000000, "O_CLOEXEC"),
    (0o4000000, "O_SYNC"),
    (0o10000000, "O_PATH"),
    (0o20000000, "O_TMPFILE"),
];

/// Bits of [`Inode::flags`].
pub const INODE_FLAGS: &[(u64, &str)] = &[
    (1, "DELETED"),
    (2, "EMBEDDED"),
    (4, "SHMEM"),
    (8, "MEMFD"),
    (16, "MAPPED"),
    (32, "OPEN"),
    (64, "PROC"),
    (128, "WATCHED"),
];

impl Inode {
    /// Bit of [`Inode::flags`]: the name is gone.
    pub const DELETED: u32 = 1;
    /// The contents are in the image.
    pub const EMBEDDED: u32 = 2;
}

/// F_SEAL_* of fcntl(2).
pub const SEALS: &[(u64, &str)] =
    &[(1, "SEAL"), (2, "SHRINK"), (4, "GROW"), (8, "WRITE"), (16, "FUTURE_WRITE"), (32, "EXEC")];

/// What an external description leads to.
pub const EXTERNAL_KINDS: &[(u64, &str)] = &[(1, "terminal"), (2, "pipe"), (3, "socket"), (4, "other")];

/// Kinds of file lock.
pub const LOCK_KINDS: &[(u64, &str)] = &[(1, "POSIX"), (2, "OFD"), (3, "FLOCK")];

/// Types of file lock, fcntl(2).
pub const LOCK_TYPES: &[(u64, &str)] = &[(0, "F_RDLCK"), (1, "F_WRLCK")];

/// Owner kinds of F_SETOWN_EX.
pub const OWNER_TYPES: &[(u64, &str)] = &[(0, "F_OWNER_TID"), (1, "F_OWNER_PID"), (2, "F_OWNER_PGRP")];

records! {
    /// A descriptor table.
    FileTable = 301 "FILE_TABLE", object, of Image | Task {
        /// Descriptors in it.
        nr_fds: u64 => Dec => Counts[Fd],
    } words(table) { format!("{} descriptors", table.nr_fds) }

    /// One descriptor.
    Fd = 302 "FD", of FileTable {
        /// Number.
        fd: u32 => Dec,
        /// 1 when it is closed by execve(2).
        cloexec: u32 => Dec,
        /// Open file description.
        file: u32 => Ref => Always[File],
        /// Always zero.
        pad: u32 => Zero,
    } words(fd) { format!("{} is {}", fd.fd, reference(fd.file)) }

    /// An open file description.
    File = 303 "FILE", object, of Image | Task | FileTable | Epoll {
        /// Kind of what it is of.
        kind: u32 => Enum(crate::record::FILE_KINDS),
        /// Status flags and access mode.
        flags: u32 => Flags(OPEN_FLAGS),
        /// Offset.
        pos: u64 => Dec,
        /// What it is of.
        object: u32 => Ref => Behind,
        /// Signal sent when I/O is possible (F_SETSIG).
        sig: u32 => Signal,
        /// Receiver of that signal (F_SETOWN), 0 for none.
        owner: i32 => Dec,
        /// What the receiver is.
        owner_type: u32 => Enum(OWNER_TYPES),
    } words(file) {
        format!("{} of {}", named(file.kind, crate::record::FILE_KINDS), reference(file.object))
    }

    /// A file, directory, device, memfd or piece of shared memory.
    Inode = 304 "INODE", tail path: Text "Path in the root of the process that took the checkpoint; a memfd's name.",
        of Image | Task | Mm | Fs | FileTable | File | Pipe,
        behind [
            FileKind::by_name(1, "regular").with_pos(),
            FileKind::by_name(2, "directory").with_pos(),
            FileKind::by_name(3, "device"),
            FileKind::same(11, "memfd").with_pos(),
            FileKind::by_name(12, "path"),
        ]
    {
        /// Device it lives on.
        dev: u64 => Dev,
        /// Inode number.
        ino: u64 => Dec,
        /// Type and permissions.
        mode: u32 => Mode,
        /// Names that it had.
        nlink: u32 => Dec,
        /// Length in bytes.
        size: u64 => Size => Contents,
        /// Last modification.
        mtime: u64 => Nanos,
        /// Device number, for a device.
        rdev: u64 => Dev,
        /// How it was found and what the image holds of it.
        flags: u32 => Flags(INODE_FLAGS),
        /// Seals of a memfd.
        seals: u32 => Flags(SEALS),
        /// Owner.
        uid: u32 => Dec,
        /// Group.
        gid: u32 => Dec,
    } words(inode) {
        let mut words = escape(&inode.path);
        if inode.flags & Inode::DELETED != 0 {
            words.push_str(", deleted");
        }
        if inode.flags & Inode::EMBEDDED != 0 {
            words.push_str(&format!(", {} in the image", brief(inode.size)));
        }
        words
    }

    /// Which file an INODE was, beyond its number, which another file may get: a restart opens what the process could not
    /// open itself only if this is the same still.
    InodeIdentity = 319 "INODE_IDENTITY", tail handle: Bytes "Handle of name_to_handle_at(2); empty where the file system has none.",
        of Image
    {
        /// The INODE.
        inode: u32 => Ref => Always[Inode],
        /// Type of the handle.
        handle_type: i32 => Dec,
        /// Last change of the file or its attributes.
        ctime: u64 => Nanos,
    } words(identity) { format!("of {}, handle {}", reference(identity.inode), hex(&identity.handle)) }

    /// A lock held on a file.
    Lock = 305 "LOCK", of Image | Task | FileTable | File | Inode {
        /// Kind.
        kind: u32 => Enum(LOCK_KINDS),
        /// Type.
        lock_type: u32 => Enum(LOCK_TYPES),
        /// Descriptor through which it can be taken.
        fd: u32 => Dec,
        /// Always zero.
        pad: u32 => Zero,
        /// First byte.
        start: u64 => Dec,
        /// Length in bytes, 0 for up to the end.
        len: u64 => Dec,
    } words(lock) {
        let access = if lock.lock_type == 0 { "read" } else { "write" };
        let end = if lock.len == 0 { "the end".into() } else { lock.start.saturating_add(lock.len).to_string() };
        format!("{} {access} lock through {}: byte {} to {end}", named(lock.kind, LOCK_KINDS), lock.fd, lock.start)
    }
}
