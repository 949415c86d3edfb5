//! Descriptors handed to another process over a socket, unix(7).

use std::io::{self, IoSlice};
use std::os::fd::{AsRawFd, OwnedFd};

use nix::sys::socket::{ControlMessage, MsgFlags, sendmsg};

/// Sends one descriptor, with one byte of data.
pub fn send(channel: &OwnedFd, fd: &OwnedFd) -> io::Result<()> {
    let fds = [fd.as_raw_fd()];
    let data = [IoSlice::new(b"f")];
    let flags = MsgFlags::MSG_NOSIGNAL | MsgFlags::MSG_DONTWAIT;
    sendmsg::<()>(channel.as_raw_fd(), &data, &[ControlMessage::ScmRights(&fds)], flags, None)?;
    Ok(())
}
