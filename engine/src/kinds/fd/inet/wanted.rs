//! A socket of the image that is to be made: what is known of it, and one like it.

use std::io;
use std::os::fd::OwnedFd;

use stasis_format::record::{InBody as _, Inet, Socket, SocketOption};

use super::super::sockopts::{self, Opt, When};
use super::look::{self, is_connection};
use super::options;
use crate::image::model::{Id, Tree};
use crate::kinds::RestoreError;
use crate::sys::socket;

/// A socket of the image.
#[derive(Debug, Clone, Copy)]
pub struct Wanted<'a> {
    /// Its reference.
    pub id: Id,
    /// What it is.
    pub record: &'a Socket,
    /// Where it stands.
    pub inet: &'a Inet,
    /// The image.
    pub tree: &'a Tree,
}

impl<'a> Wanted<'a> {
    /// The one with this reference.
    pub fn of(tree: &'a Tree, id: Id) -> Option<Self> {
        let record = tree.object(id)?;
        let inet = tree.parts_of(id).next()?;
        Some(Self { id, record, inet, tree })
    }

    /// Its address family.
    pub fn family(&self) -> i32 {
        self.record.family as i32
    }

    /// Whether it has a flag of [`Inet::flags`].
    pub fn has(&self, flag: u32) -> bool {
        self.inet.flags & flag != 0
    }

    /// Whether there is a connection to be made for it first.
    pub fn is_joined(&self) -> bool {
        let is_open = is_connection(self.inet.state) && !self.has(look::IN_BACKLOG);
        is_open || self.has(look::RESET | look::ENDED)
    }

    /// Its options.
    pub fn parts(&self) -> impl Iterator<Item = &'a SocketOption> + Clone + use<'a> {
        let object = self.tree.objects.get(&self.id);
        object.into_iter().flat_map(|object| &object.parts).filter_map(SocketOption::of)
    }

    /// The options that sockets like it can have.
    pub fn tables(&self) -> Vec<&'static [Opt]> {
        options::tables(self.record.family, look::was_connected(self.inet))
    }

    /// Sets the options that are due now.
    pub fn set(&self, fd: &OwnedFd, now: When) -> Result<(), RestoreError> {
        let is_due = |option: &&SocketOption| {
            // It is part of the address.
            !(self.is_joined()
                && option.level == libc::IPPROTO_IPV6 as u32
                && option.name == options::V6ONLY as u32)
        };
        // Sizes of buffers before the option that says which of them the program has set (SO_BUF_LOCK).
        sockopts::set_common(fd, self.record, now).map_err(failed("sizes and times"))?;
        sockopts::set(fd, self.parts().filter(is_due), &self.tables(), now)
            .map_err(|(label, source)| failed(&label)(source))
    }

    /// A socket like it, ready to be given its address.
    pub fn fresh(&self) -> io::Result<OwnedFd> {
        let fd = look::fresh(self.record)?;
        let v6only = (libc::IPPROTO_IPV6 as u32, options::V6ONLY as u32);
        if let Some(option) = self.parts().find(|option| (option.level, option.name) == v6only) {
            socket::set_bytes(&fd, libc::IPPROTO_IPV6, options::V6ONLY, &option.value)?;
        }
        socket::set_option(&fd, libc::SO_REUSEADDR, 1)?;
        Ok(fd)
    }
}

/// For a step that failed.
pub fn failed(what: &str) -> impl FnOnce(io::Error) -> RestoreError + use<> {
    RestoreError::io(format!("making a socket again ({what})"))
}
