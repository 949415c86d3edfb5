//! Sockets of TCP over IPv4 and IPv6, and of MPTCP that listens.
//!
//! A connection whose both ends are in the tree is made again between the same addresses, over the loopback device, and what
//! was under way is sent again; that takes no privilege. One that leads outside is refused, or with `--tcp close` comes back
//! as one that was reset, as after a pulled cable.
//!
//! * [`look`]: what one socket tells. [`ends`]: who is at the other end. [`options`]: levels of IP, IPv6 and TCP.
//! * [`make`]: sockets at a restart. [`join`]: connections at a restart.

mod ends;
mod join;
mod look;
mod make;
mod options;
mod wanted;

use super::descriptions::Open;
use super::external;
use super::kind::{Captured, FdKind, FdMaker, Settling};
use crate::kinds::{Capture, CaptureError};
use crate::refusal::Loss;
use crate::sys::socket;

/// [`File::kind`](stasis_format::record::File::kind).
const INTERNET_SOCKET: u32 = 40;

/// The kind.
#[derive(Debug)]
pub struct Internet;

impl FdKind for Internet {
    fn carries(&self) -> &'static [u32] {
        &[INTERNET_SOCKET]
    }

    fn is_mine(&self, open: &Open) -> bool {
        let is =
            |name, values: &[i32]| socket::option(&open.dup, name).is_ok_and(|value| values.contains(&value));
        // Of UDP the kernel does not tell which groups of multicast it is a member of.
        open.file_type() == libc::S_IFSOCK
            && is(libc::SO_DOMAIN, &[libc::AF_INET, libc::AF_INET6])
            && is(libc::SO_TYPE, &[libc::SOCK_STREAM])
    }

    fn capture(&self, c: &mut Capture, open: &Open) -> Result<Option<Captured>, CaptureError> {
        // As standard input, output or error it is the caller's of the restart.
        if open.fd <= 2 {
            return Ok(Some(external::describe(c.tree, external::SOCKET, &open.link)));
        }
        let tree = &mut *c.tree;
        let object = c.met.try_object(open, || {
            let (record, inet, options) = look::look(open, &open.dup)?;
            let id = tree.add(record);
            tree.add_parts(id, [inet]);
            tree.add_parts(id, options);
            Ok::<_, String>(id)
        });
        match object {
            Ok(object) => Ok(Some(Captured { kind: INTERNET_SOCKET, object })),
            Err(why) => {
                let hint = "close it before the checkpoint";
                c.survey.lose(Loss::Socket, open.pid, format!("{}: {why}", open.label()), hint);
                Ok(None)
            }
        }
    }

    fn settle(&self, s: &mut Settling) -> Result<(), CaptureError> {
        ends::settle(s, &s.by_object(self.carries()))
    }

    fn maker(&self) -> Box<dyn FdMaker> {
        Box::new(make::Maker::default())
    }
}
