//! Terminals: pairs of pseudoterminals inside the tree, and whose sessions they control.

use crate::show::named;

/// What a [`PtyQueue`] is of.
pub const PTY_QUEUES: &[(u64, &str)] = &[(1, "input"), (2, "a line begun"), (3, "output")];

/// Bits of [`Pty::flags`].
pub const PTY_FLAGS: &[(u64, &str)] = &[(1, "LOCKED"), (2, "PACKET"), (4, "EXCLUSIVE")];

records! {
    /// A pair of pseudoterminals, pty(7); both ends are in the tree.
    Pty = 330 "PTY", behind [FileKind::ends(30, "pty master"), FileKind::ends(31, "pty slave")] {
        /// Number of the pair, N of /dev/pts/N.
        index: u32 => Dec,
        /// How it is set.
        flags: u32 => Flags(PTY_FLAGS),
        /// Input modes (termios(3)).
        c_iflag: u32 => Hex,
        /// Output modes.
        c_oflag: u32 => Hex,
        /// Control modes.
        c_cflag: u32 => Hex,
        /// Local modes.
        c_lflag: u32 => Hex,
        /// Input speed.
        c_ispeed: u32 => Dec,
        /// Output speed.
        c_ospeed: u32 => Dec,
        /// Line discipline.
        c_line: u8 => Dec,
        /// Control characters.
        c_cc: [u8; 19] => Raw,
        /// Always zero.
        pad: u32 => Zero,
        /// Rows.
        ws_row: u16 => Dec,
        /// Columns.
        ws_col: u16 => Dec,
        /// Width in pixels.
        ws_xpixel: u16 => Dec,
        /// Height in pixels.
        ws_ypixel: u16 => Dec,
        /// Type and permissions of the slave's name; 0 if they are not known.
        mode: u32 => Mode,
        /// Owner of the slave's name.
        uid: u32 => Dec,
        /// Its group.
        gid: u32 => Dec,
        /// Always zero.
        pad2: u32 => Zero,
    } words(pty) { format!("/dev/pts/{}, {} rows of {} columns", pty.index, pty.ws_row, pty.ws_col) }

    /// What is in a queue of a pair; of a longer one there are several.
    PtyQueue = 332 "PTY_QUEUE", tail bytes: Bytes "The bytes.", of Pty {
        /// Input can be read from the slave, output from the master; a line begun is input that is not ended yet.
        queue: u32 => Enum(PTY_QUEUES),
        /// Always zero.
        pad: u32 => Zero,
    } words(part) { format!("{}, {} bytes", named(part.queue, PTY_QUEUES), part.bytes.len()) }

    /// The terminal that controls the session which the task leads.
    ControllingTerminal = 331 "CTTY", of Task {
        /// PTY.
        pty: u32 => Ref => To[Pty],
        /// Foreground process group, as the tree numbers it; 0 for none of the tree.
        foreground: u32 => Dec,
    } words(ctty) { format!("group {} in the foreground", ctty.foreground) }
}
