//! What a descriptor can lead to: one file a kind, its capture above, its restore below.
//!
//! * [`kind`]: the contract. [`KINDS`]: the registry, the only list of kinds.
//! * [`table`]: the table of descriptors of a process, which walks the registry. [`descriptions`]: open file descriptions,
//!   each once, whoever has it.
//! * [`sockopts`]: what sockets of all families have in common.
//! * [`inodes`]: which file something is. [`stream`]: contents of pipes and sockets.

pub mod descriptions;
pub mod epoll;
pub mod eventfd;
pub mod external;
pub mod file;
pub mod inet;
pub mod inodes;
pub mod inotify;
pub mod kind;
pub mod pidfd;
pub mod pipe;
pub mod pty;
pub mod signalfd;
pub mod sockopts;
pub mod stream;
pub mod table;
pub mod timerfd;
pub mod unix;
pub mod unixnames;
pub mod unsupported;

use kind::FdKind;

/// All kinds. Of several that claim a descriptor the first has it; the last claims all that is left.
pub const KINDS: &[&dyn FdKind] = &[
    &file::Files,
    &pty::Pty,
    &external::External,
    &pipe::Pipe,
    &inet::Internet,
    &unix::Unix,
    &eventfd::Eventfd,
    &epoll::Epoll,
    &timerfd::Timerfd,
    &signalfd::Signalfd,
    &pidfd::Pidfd,
    &inotify::Inotify,
    &unsupported::Unsupported,
];

#[cfg(test)]
mod tests {
    use super::KINDS;
    use stasis_format::record::FILE_KINDS;

    #[test]
    fn every_kind_of_description_has_one_who_makes_it() {
        let mut carried: Vec<u64> =
            KINDS.iter().flat_map(|kind| kind.carries()).map(|k| u64::from(*k)).collect();
        carried.sort_unstable();
        let known: Vec<u64> = FILE_KINDS.iter().map(|(number, _)| *number).collect();
        assert_eq!(carried, known);
    }
}
