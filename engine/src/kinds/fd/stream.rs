//! Contents of pipes and sockets on their way back: written at the far end, in their order.

use std::collections::VecDeque;
use std::io;
use std::os::fd::OwnedFd;

use crate::sys;

/// A pipe or socket to be filled with what was in it.
#[derive(Debug)]
pub struct Stream {
    /// Its read end, or the socket itself: without a reader nothing could be written.
    pub read: OwnedFd,
    /// Its write end, or the socket's peer.
    pub write: OwnedFd,
    /// Bytes of contents in the image.
    pub size: u64,
    /// Whether contents are packets, each behind its length.
    pub packets: bool,
    /// Whether it is a socket.
    pub socket: bool,
    /// For each packet, in their order, who sends it to which name; those beyond come from `write`.
    pub senders: VecDeque<(OwnedFd, Vec<u8>)>,
    /// Bytes of a packet whose rest is still to come.
    begun: Vec<u8>,
}

impl Stream {
    /// One that is empty as yet.
    pub fn new(read: OwnedFd, write: OwnedFd, size: u64, packets: bool, socket: bool) -> Self {
        Self { read, write, size, packets, socket, senders: VecDeque::new(), begun: Vec::new() }
    }

    /// Writes the contents that stand at `start`; they come in order.
    pub fn fill(&mut self, start: u64, data: &[u8]) -> io::Result<()> {
        let len = (data.len() as u64).min(self.size.saturating_sub(start)) as usize;
        let data = data.get(..len).unwrap_or_default();
        if !self.packets {
            return self.write(data);
        }
        let mut begun = std::mem::take(&mut self.begun);
        begun.extend_from_slice(data);
        let mut rest = begun.as_slice();
        while let Some((packet, after)) = split_packet(rest) {
            self.write(packet)?;
            rest = after;
        }
        self.begun = rest.to_vec();
        Ok(())
    }

    fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        if let Some((from, to)) = self.senders.pop_front() {
            sys::socket::send_to(&from, bytes, &to)
        } else if self.socket {
            sys::socket::send(&self.write, bytes)
        } else {
            sys::file::write_all(&self.write, bytes)
        }
    }
}

/// Packets one after the other, each behind its length.
pub fn framed(packets: &[Vec<u8>]) -> Vec<u8> {
    packets.iter().flat_map(|p| (p.len() as u32).to_le_bytes().into_iter().chain(p.iter().copied())).collect()
}

/// The first packet of a stream of them, if it is complete.
pub fn split_packet(stream: &[u8]) -> Option<(&[u8], &[u8])> {
    let (len, rest) = stream.split_first_chunk::<4>()?;
    rest.split_at_checked(u32::from_le_bytes(*len) as usize)
}
