//! Revision 1: the image of the linux-cr patch set of 2008 (v9 03/13, `checkpoint/checkpoint.c` and `restart.c`),
//! byte for byte: HEAD, TASK, STRING, TAIL. There are no checksums and no index.
//!
//! [`Restart`] answers as the patch's reader does, quirks included: the sizes are judged before the bytes are read,
//! type and parent after; a negative parent comes back as the error it looks like; a STRING with a positive parent
//! is no error but changes nothing. One thing differs on purpose: where a payload is shorter than its structure
//! the patch goes on with stale memory; here that is -EINVAL, and the task is left as it was.

use crate::error::{EINVAL, EPIPE};
use crate::frame;
use crate::head::{
    CR_CTX_CKPT, HEAD_LEN, HEAD_MAGIC, Head, KernelVersion, TAIL_LEN, TAIL_MAGIC, tail_record,
};
use crate::header::{Kind, RECORD_HEADER_LEN, RecordHeader};
use crate::schema::{FieldDef, FieldType, RecordDef, Show, TailKind};
use binrw::{BinRead as _, BinWrite as _, binrw};
use std::io::Cursor;

/// Length of TASK's payload in bytes.
pub const TASK_LEN: usize = 24;
/// Length of a task's name, `TASK_COMM_LEN` of the kernel.
pub const TASK_COMM_LEN: usize = 16;
/// Largest `task_comm_len` that the patch's reader takes: a page.
pub const MAX_COMM_LEN: usize = 4096;
/// Length of an image as [`write()`] makes it.
pub const IMAGE_LEN: usize = 304;

/// `struct cr_hdr_task` of the patch set.
#[binrw]
#[brw(little)]
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Task {
    /// State of the task as the kernel counts it, 0 for running.
    pub state: u32,
    /// Exit state, 0 for a task that lives.
    pub exit_state: u32,
    /// Exit code.
    pub exit_code: u32,
    /// Signal sent to the parent when it ends.
    pub exit_signal: u32,
    /// Bytes set aside for the name that follows in a STRING.
    pub task_comm_len: i32,
    /// Padding that the C compiler adds on 64-bit machines.
    pub pad: u32,
}

impl Task {
    /// Reads the 24 bytes of the payload; `None` when there are not as many.
    pub fn from_payload(payload: &[u8]) -> Option<Self> {
        (payload.len() == TASK_LEN).then(|| Self::read(&mut Cursor::new(payload)).ok()).flatten()
    }
}

/// Bits of the kernel's `task->state` (include/linux/sched.h).
pub const KERNEL_STATES: &[(u64, &str)] =
    &[(0x0, "RUNNING"), (0x1, "INTERRUPTIBLE"), (0x2, "UNINTERRUPTIBLE"), (0x4, "STOPPED"), (0x8, "TRACED")];

/// TASK, described for those who show it.
pub const TASK_DEF: RecordDef = RecordDef {
    kind: Kind::TASK.0,
    name: "TASK",
    doc: "The task. Its name follows in a STRING.",
    fields: &[
        FieldDef::plain(
            "state",
            FieldType::U32,
            Show::Flags(KERNEL_STATES),
            "State of the task, 0 is running.",
        ),
        FieldDef::plain("exit_state", FieldType::U32, Show::Dec, "Exit state, 0 for a task that lives."),
        FieldDef::plain("exit_code", FieldType::U32, Show::Wait, "Exit code."),
        FieldDef::plain(
            "exit_signal",
            FieldType::U32,
            Show::Signal,
            "Signal sent to the parent when it ends.",
        ),
        FieldDef::plain(
            "task_comm_len",
            FieldType::S32,
            Show::Dec,
            "Bytes set aside for the name, 0 to 4096.",
        ),
        FieldDef::plain("pad", FieldType::U32, Show::Zero, "Padding of the C structure, zero."),
    ],
    ..RecordDef::EMPTY
};

/// STRING, described for those who show it.
pub const STRING_DEF: RecordDef = RecordDef {
    kind: Kind::STRING.0,
    name: "STRING",
    doc: "The task's name.",
    fields: &[],
    tail_name: "string",
    tail: TailKind::Text,
    tail_doc: "Bytes; a NUL at the end is not needed.",
    ..RecordDef::EMPTY
};

/// The 304 bytes of an image. The task's `task_comm_len` and padding are filled in here.
pub fn write(head: &Head, task: &Task, comm: &[u8; TASK_COMM_LEN]) -> Vec<u8> {
    let head = Head { rev: 1, ..head.clone() };
    let task = Task { task_comm_len: TASK_COMM_LEN as i32, pad: 0, ..*task };
    let mut out = Cursor::new(Vec::with_capacity(IMAGE_LEN));
    let header = |kind: Kind, len: usize| RecordHeader { kind: kind.0, len: len as i16, parent: 0 };
    out.get_mut().extend_from_slice(&head.to_record());
    out.set_position(out.get_ref().len() as u64);
    // Writing integers into memory cannot fail.
    let _ = header(Kind::TASK, TASK_LEN).write(&mut out);
    let _ = task.write(&mut out);
    let _ = header(Kind::STRING, TASK_COMM_LEN).write(&mut out);
    let mut out = out.into_inner();
    out.extend_from_slice(comm);
    out.extend_from_slice(&tail_record());
    out
}

/// What [`Restart`] wants done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Read [`Restart::wants`] more bytes and feed them.
    Need,
    /// Give the calling task this name, then go on as for [`Step::Need`].
    SetComm([u8; TASK_COMM_LEN]),
    /// Return this from the call: 0, or a negative errno (or what a parent with the high bit set looks like).
    Done(i64),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Due {
    Head,
    Task,
    String { room: usize },
    Tail,
}

/// The reader of the patch without its I/O: it is fed exactly the bytes that it wants, which are those that the
/// kernel would have read by then.
///
/// ```
/// use stasis_format::head::KernelVersion;
/// use stasis_format::rev1::{Restart, Step};
///
/// fn restart(kernel: KernelVersion, mut stream: impl std::io::Read) -> std::io::Result<i64> {
///     let mut restart = Restart::new(kernel);
///     loop {
///         let mut bytes = vec![0; restart.wants()];
///         if stream.read_exact(&mut bytes).is_err() {
///             let (_comm, ret) = restart.end();
///             return Ok(ret);
///         }
///         match restart.feed(&bytes) {
///             Step::Need => {}
///             Step::SetComm(comm) => println!("{comm:?}"),
///             Step::Done(ret) => return Ok(ret),
///         }
///     }
/// }
/// # let kernel = KernelVersion { major: 6, minor: 18, patch: 44 };
/// # assert_eq!(restart(kernel, &[][..]).unwrap(), -32);
/// ```
#[derive(Debug, Clone)]
pub struct Restart {
    kernel: KernelVersion,
    due: Due,
    /// The header of the record whose payload is wanted.
    header: Option<RecordHeader>,
    /// A name that is set as soon as TAIL's length is known not to be short.
    comm: Option<[u8; TASK_COMM_LEN]>,
    done: Option<i64>,
}

impl Restart {
    /// A reader that runs on this kernel.
    pub fn new(kernel: KernelVersion) -> Self {
        Self { kernel, due: Due::Head, header: None, comm: None, done: None }
    }

    /// Bytes to feed next; 0 when none are needed to go on.
    pub fn wants(&self) -> usize {
        match (self.done, &self.header) {
            (Some(_), _) => 0,
            (None, None) => RECORD_HEADER_LEN,
            (None, Some(header)) => usize::try_from(header.len).unwrap_or(0),
        }
    }

    /// Takes exactly [`Self::wants`] bytes; another number of them is an early end.
    pub fn feed(&mut self, bytes: &[u8]) -> Step {
        if let Some(ret) = self.done {
            return Step::Done(ret);
        }
        if bytes.len() != self.wants() {
            return self.fail(-i64::from(EPIPE));
        }
        match self.header.take() {
            None => self.feed_header(bytes),
            Some(header) => self.feed_payload(header, bytes),
        }
    }

    /// The stream ended, or failed, before the bytes wanted were there: the name to set yet, and what to return.
    pub fn end(self) -> (Option<[u8; TASK_COMM_LEN]>, i64) {
        (self.comm, self.done.unwrap_or(-i64::from(EPIPE)))
    }

    fn feed_header(&mut self, bytes: &[u8]) -> Step {
        let Some(header) = frame::header(bytes) else { return self.fail(-i64::from(EPIPE)) };
        let (least, most) = match self.due {
            Due::Head => (HEAD_LEN, HEAD_LEN),
            Due::Task => (TASK_LEN, TASK_LEN),
            Due::String { room } => (0, room),
            Due::Tail => (TAIL_LEN, TAIL_LEN),
        };
        match usize::try_from(header.len) {
            Ok(len) if len < least => {
                // The kernel would go on with stale memory; here nothing has happened.
                self.comm = None;
                return self.fail(-i64::from(EINVAL));
            }
            Ok(len) if len <= most => self.header = Some(header),
            _ => self.done = Some(-i64::from(EINVAL)),
        }
        self.set_comm()
    }

    fn feed_payload(&mut self, header: RecordHeader, payload: &[u8]) -> Step {
        let kind = match self.due {
            Due::Head => Kind::HEAD,
            Due::Task => Kind::TASK,
            Due::String { .. } => Kind::STRING,
            Due::Tail => Kind::TAIL,
        };
        if header.kind != kind.0 {
            return self.fail(-i64::from(EINVAL));
        }
        let parent = i64::from(header.parent.cast_signed());
        if parent < 0 {
            return self.fail(parent);
        }
        if parent > 0 && kind != Kind::STRING {
            return self.fail(-i64::from(EINVAL));
        }
        let next = match self.due {
            Due::Head => self.judge_head(payload).then_some(Due::Task),
            Due::Task => judge_task(payload),
            Due::String { .. } => {
                if parent == 0 {
                    let mut comm = [0; TASK_COMM_LEN];
                    comm.iter_mut().zip(payload).for_each(|(to, from)| *to = *from);
                    self.comm = Some(comm);
                }
                Some(Due::Tail)
            }
            Due::Tail => {
                let sound = payload == TAIL_MAGIC.to_le_bytes();
                return self.fail(if sound { 0 } else { -i64::from(EINVAL) });
            }
        };
        match next {
            Some(due) => {
                self.due = due;
                Step::Need
            }
            None => self.fail(-i64::from(EINVAL)),
        }
    }

    fn judge_head(&self, payload: &[u8]) -> bool {
        Head::from_payload(payload).is_some_and(|head| {
            head.magic == HEAD_MAGIC
                && head.rev == 1
                && head.kernel() == self.kernel
                && head.flags & !CR_CTX_CKPT == 0
        })
    }

    fn set_comm(&mut self) -> Step {
        match (self.comm.take(), self.done) {
            (Some(comm), _) => Step::SetComm(comm),
            (None, Some(ret)) => Step::Done(ret),
            (None, None) => Step::Need,
        }
    }

    fn fail(&mut self, ret: i64) -> Step {
        self.done = Some(ret);
        Step::Done(ret)
    }
}

fn judge_task(payload: &[u8]) -> Option<Due> {
    let task = Task::from_payload(payload)?;
    let room = usize::try_from(task.task_comm_len).ok().filter(|len| *len <= MAX_COMM_LEN)?;
    Some(Due::String { room })
}
