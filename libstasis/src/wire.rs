//! What a caller and its helper say to each other: one message each way over a SOCK_SEQPACKET socket.
//!
//! Both sides are of one build as a rule, but the helper is found by a path at run time. So a message begins with a
//! number that changes with its layout, and one of another layout is answered, not guessed at.

/// First field of a message.
const LAYOUT: i64 = 0x0073_7461_7369_7301;

/// Descriptor of the socket in the helper.
pub const HELPER_SOCKET: i32 = 3;
/// Descriptor that the image goes to or comes from, in the helper.
pub const HELPER_IMAGE: i32 = 4;

/// Bytes of a name (`TASK_COMM_LEN` of the kernel).
pub const COMM: usize = 16;

/// What the caller wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Request {
    /// The calling process.
    pub caller: i32,
    /// The calling thread, which waits in the call that [`Request::wait`] describes.
    pub thread: i32,
    /// The process to be saved. For a restart the caller.
    pub pid: i32,
    /// The caller's number of the descriptor that the image goes to or comes from.
    pub fd: i32,
    /// The caller's end of the socket, by its number there.
    pub socket: i32,
    /// The caller's pidfd of the helper, by its number there.
    pub pidfd: i32,
    /// Revision of the image: 1 or 2.
    pub revision: i32,
    /// Say on stderr why a call fails.
    pub verbose: bool,
    /// First argument of the ppoll(2) in which the thread waits for the answer: tells this call from any other.
    pub wait: u64,
}

impl Request {
    /// Length of the message.
    pub const LEN: usize = 10 * 8;

    /// The message.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        fields([
            LAYOUT,
            self.caller.into(),
            self.thread.into(),
            self.pid.into(),
            self.fd.into(),
            self.socket.into(),
            self.pidfd.into(),
            self.revision.into(),
            self.verbose.into(),
            self.wait.cast_signed(),
        ])
    }

    /// The request in a message, `None` if it is of another build.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [LAYOUT, caller, thread, pid, fd, socket, pidfd, revision, verbose, wait] = numbers(bytes)?
        else {
            return None;
        };
        Some(Self {
            caller: caller.try_into().ok()?,
            thread: thread.try_into().ok()?,
            pid: pid.try_into().ok()?,
            fd: fd.try_into().ok()?,
            socket: socket.try_into().ok()?,
            pidfd: pidfd.try_into().ok()?,
            revision: revision.try_into().ok()?,
            verbose: verbose != 0,
            wait: wait.cast_unsigned(),
        })
    }
}

/// What came of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Answer {
    /// 0, or the errno.
    pub errno: i32,
    /// A name that the calling thread is to take (revision 1).
    pub comm: Option<[u8; COMM]>,
}

impl Answer {
    /// Length of the message.
    pub const LEN: usize = 5 * 8;

    /// The message.
    pub fn to_bytes(self) -> [u8; Self::LEN] {
        let [low, high] = numbers(&self.comm.unwrap_or_default()).unwrap_or_default();
        fields([LAYOUT, self.errno.into(), self.comm.is_some().into(), low, high])
    }

    /// The answer in a message, `None` if it is of another build.
    pub fn from_bytes(bytes: &[u8]) -> Option<Self> {
        let [LAYOUT, errno, has_comm, low, high] = numbers(bytes)? else { return None };
        let mut comm = [0; COMM];
        let parts = low.to_ne_bytes().into_iter().chain(high.to_ne_bytes());
        comm.iter_mut().zip(parts).for_each(|(to, from)| *to = from);
        Some(Self { errno: errno.try_into().ok()?, comm: (has_comm != 0).then_some(comm) })
    }
}

fn fields<const N: usize, const BYTES: usize>(fields: [i64; N]) -> [u8; BYTES] {
    const { assert!(N * 8 == BYTES) };
    let mut bytes = [0; BYTES];
    for (to, from) in bytes.chunks_exact_mut(8).zip(fields) {
        to.copy_from_slice(&from.to_ne_bytes());
    }
    bytes
}

fn numbers<const N: usize>(bytes: &[u8]) -> Option<[i64; N]> {
    if bytes.len() != N * 8 {
        return None;
    }
    let mut numbers = [0; N];
    for (to, from) in numbers.iter_mut().zip(bytes.chunks_exact(8)) {
        *to = i64::from_ne_bytes(from.try_into().ok()?);
    }
    Some(numbers)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_what_is_understood() {
        let request = Request {
            caller: 1,
            thread: 2,
            pid: 3,
            fd: 4,
            socket: 5,
            pidfd: 6,
            revision: 2,
            verbose: true,
            wait: u64::MAX,
        };
        assert_eq!(Request::from_bytes(&request.to_bytes()), Some(request));
        for comm in [None, Some(*b"0123456789abcdef")] {
            let answer = Answer { errno: 22, comm };
            assert_eq!(Answer::from_bytes(&answer.to_bytes()), Some(answer));
        }
    }

    #[test]
    fn a_message_of_another_build_is_not_guessed_at() {
        let mut bytes = Answer { errno: 0, comm: None }.to_bytes();
        assert_eq!(Answer::from_bytes(&bytes[1..]), None);
        assert_eq!(Request::from_bytes(&bytes), None);
        bytes[0] ^= 1;
        assert_eq!(Answer::from_bytes(&bytes), None);
    }
}
