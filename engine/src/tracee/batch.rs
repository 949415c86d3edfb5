//! A series of system calls to be made inside another process, and the memory that they need there.
//!
//! Whoever puts a series together names no address: bytes that a call reads and room that it fills are parts of the
//! [`Batch`] and get their places when it is run. Where the process has no room for all of them at once the batch is run
//! in pieces. No call can meet another one's bytes, however many there are.

use std::collections::BTreeMap;
use std::io;

use zerocopy::{FromBytes, Immutable, IntoBytes};

/// Something that lies in the process's memory while the batch is run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Ptr(usize);

/// An argument of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Arg {
    /// A number.
    Value(u64),
    /// The address of bytes or room of the batch.
    At(Ptr),
}

impl From<Ptr> for Arg {
    fn from(ptr: Ptr) -> Self {
        Self::At(ptr)
    }
}

macro_rules! values {
    ($($number:ty),*) => {$(
        impl From<$number> for Arg {
            /// Sign-extended, as C does it.
            fn from(value: $number) -> Self {
                Self::Value(value as u64)
            }
        }
    )*};
}
values!(u8, u16, u32, u64, usize, i16, i32, i64);

/// The arguments of a call: numbers of any width and [`Ptr`]s.
#[macro_export]
#[doc(hidden)]
macro_rules! call_args {
    ($($arg:expr),* $(,)?) => { &[$($crate::tracee::batch::Arg::from($arg)),*] };
}
pub use call_args as args;

/// Which errors of a call are no failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Tolerance {
    /// These (positive errno), such as EINVAL of an advice that the kernel does not know.
    These(&'static [i32]),
    /// All: the call is a question, and an error is an answer.
    Any,
}

/// One system call to be made inside.
#[derive(Debug, Clone)]
pub struct Call {
    /// What it is for, for the error.
    pub what: String,
    nr: i64,
    args: [Arg; 6],
    tolerance: Tolerance,
}

impl Call {
    /// A call that must succeed, of numbers alone.
    pub fn new(what: impl Into<String>, nr: i64, args: &[u64]) -> Self {
        let args: Vec<Arg> = args.iter().copied().map(Arg::Value).collect();
        Self::with(what, nr, &args)
    }

    fn with(what: impl Into<String>, nr: i64, args: &[Arg]) -> Self {
        let mut all = [Arg::Value(0); 6];
        for (slot, arg) in all.iter_mut().zip(args) {
            *slot = *arg;
        }
        Self { what: what.into(), nr, args: all, tolerance: Tolerance::These(&[]) }
    }

    /// The same, but these errors are no failure.
    pub fn forgiving(mut self, errnos: &'static [i32]) -> Self {
        self.tolerance = Tolerance::These(errnos);
        self
    }

    /// The errno, if what the kernel returned is a failure.
    pub fn failure(&self, ret: i64) -> Option<i32> {
        let errno = i32::try_from(-ret).ok().filter(|errno| (1..=MAX_ERRNO).contains(errno))?;
        match self.tolerance {
            Tolerance::Any => None,
            Tolerance::These(errnos) => (!errnos.contains(&errno)).then_some(errno),
        }
    }
}

/// Highest error number of the kernel (include/linux/err.h).
const MAX_ERRNO: i32 = 4095;

/// A call of a batch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Nth(usize);

/// Bytes or room in the memory of the process.
#[derive(Debug, Clone)]
struct Blob {
    /// What lies there when the calls are made.
    bytes: Vec<u8>,
    /// Pointers in it: where, and to what.
    links: Vec<(usize, Ptr)>,
    /// Whether it is wanted back.
    is_room: bool,
}

/// Calls, with what they read and fill.
#[derive(Debug, Clone, Default)]
pub struct Batch {
    calls: Vec<Call>,
    blobs: Vec<Blob>,
}

/// What calls returned and filled.
#[derive(Debug, Default)]
pub struct Done {
    /// Results, in the order of the calls.
    pub results: Vec<i64>,
    rooms: BTreeMap<Ptr, Vec<u8>>,
}

impl Done {
    /// Of a single call.
    pub(super) fn of(ret: i64) -> Self {
        Self { results: vec![ret], ..Self::default() }
    }

    /// What a call returned: negative errno for an error.
    pub fn result(&self, call: Nth) -> i64 {
        self.results.get(call.0).copied().unwrap_or(-i64::from(libc::ENOSYS))
    }

    /// The bytes that calls have put into some room; none if those were not made.
    pub fn bytes(&self, room: Ptr) -> &[u8] {
        self.rooms.get(&room).map_or(&[], Vec::as_slice)
    }

    /// The same as a structure; zeroes for what is not there.
    pub fn read<T: FromBytes>(&self, room: Ptr) -> T {
        T::read_from_prefix(self.bytes(room)).map_or_else(|_| T::new_zeroed(), |(value, _)| value)
    }

    /// A structure that a call filled, or the error that it returned.
    pub fn answer<T: FromBytes>(&self, call: Nth, room: Ptr) -> io::Result<T> {
        let errno = i32::try_from(-self.result(call)).unwrap_or(libc::EIO);
        self.filled(call, room).ok_or_else(|| io::Error::from_raw_os_error(errno))
    }

    /// A structure that a call filled; nothing if it returned an error.
    pub fn filled<T: FromBytes>(&self, call: Nth, room: Ptr) -> Option<T> {
        (self.result(call) >= 0).then(|| self.read(room))
    }
}

impl Batch {
    /// No calls yet.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether there is nothing to be done.
    pub fn is_empty(&self) -> bool {
        self.calls.is_empty()
    }

    /// Bytes that calls read: a structure, an array.
    pub fn put<T: IntoBytes + Immutable + ?Sized>(&mut self, value: &T) -> Ptr {
        self.blob(value.as_bytes().to_vec(), false)
    }

    /// A path or another string that ends with a NUL.
    pub fn string(&mut self, text: &[u8]) -> Ptr {
        self.blob([text, b"\0"].concat(), false)
    }

    /// Room that calls fill and that comes back in [`Done`]; it holds zeroes before.
    pub fn room<T: FromBytes>(&mut self) -> Ptr {
        self.blob(vec![0; size_of::<T>()], true)
    }

    /// The same, holding this before.
    pub fn exchanged<T: IntoBytes + Immutable + ?Sized>(&mut self, value: &T) -> Ptr {
        self.blob(value.as_bytes().to_vec(), true)
    }

    /// Makes the pointer at `offset` in a structure lead to something else of the batch.
    pub fn link(&mut self, structure: Ptr, offset: usize, to: Ptr) {
        if let Some(blob) = self.blobs.get_mut(structure.0) {
            blob.links.push((offset, to));
        }
    }

    fn blob(&mut self, bytes: Vec<u8>, is_room: bool) -> Ptr {
        self.blobs.push(Blob { bytes, links: Vec::new(), is_room });
        Ptr(self.blobs.len() - 1)
    }

    /// Adds a call that must succeed.
    pub fn call(&mut self, what: impl Into<String>, nr: i64, args: &[Arg]) -> Nth {
        self.add(Call::with(what, nr, args))
    }

    /// Adds a call of which these errors are no failure.
    pub fn forgiving(
        &mut self,
        what: impl Into<String>,
        nr: i64,
        args: &[Arg],
        errnos: &'static [i32],
    ) -> Nth {
        self.add(Call::with(what, nr, args).forgiving(errnos))
    }

    /// Adds a call that is a question: an error is an answer too.
    pub fn ask(&mut self, what: impl Into<String>, nr: i64, args: &[Arg]) -> Nth {
        self.add(Call { tolerance: Tolerance::Any, ..Call::with(what, nr, args) })
    }

    /// Adds a call.
    pub fn add(&mut self, call: Call) -> Nth {
        self.calls.push(call);
        Nth(self.calls.len() - 1)
    }

    /// Gives everything that the calls from number `from` on need a place, as far as there is room: at least one call is
    /// in the piece.
    pub(super) fn piece(&self, from: usize, room: &Room) -> Result<Piece<'_>, TooLong> {
        let mut piece = Piece::default();
        for call in self.calls.iter().skip(from).take(room.calls) {
            let (bytes, placed) = (piece.bytes.len(), piece.order.len());
            let fits = call.args.iter().all(|arg| match arg {
                Arg::At(ptr) => self.place(*ptr, room, &mut piece),
                Arg::Value(_) => true,
            });
            if !fits {
                piece.bytes.truncate(bytes);
                for ptr in piece.order.drain(placed..) {
                    piece.places.remove(&ptr);
                }
                break;
            }
            piece.slots.push(Slot {
                nr: call.nr as u64,
                args: call.args.map(|arg| match arg {
                    Arg::Value(value) => value,
                    Arg::At(ptr) => piece.places.get(&ptr).copied().unwrap_or(0),
                }),
                ret: match call.tolerance {
                    Tolerance::These([]) => (-i64::from(MAX_ERRNO) - 1) as u64,
                    _ => u64::MAX,
                },
            });
        }
        piece.calls = self.calls.get(from..from + piece.slots.len()).unwrap_or_default();
        match (piece.calls, self.calls.get(from)) {
            ([], Some(call)) => Err(TooLong { what: call.what.clone(), room: room.len }),
            _ => Ok(piece),
        }
    }

    /// Whether there is room for something and what it points to.
    fn place(&self, ptr: Ptr, room: &Room, piece: &mut Piece) -> bool {
        let Some(blob) = self.blobs.get(ptr.0).filter(|_| !piece.places.contains_key(&ptr)) else {
            return true;
        };
        let start = piece.bytes.len().next_multiple_of(ALIGN);
        if (start + blob.bytes.len()) as u64 > room.len {
            return false;
        }
        piece.bytes.resize(start, 0);
        piece.bytes.extend_from_slice(&blob.bytes);
        piece.places.insert(ptr, room.at + start as u64);
        piece.order.push(ptr);
        blob.links.iter().all(|(offset, to)| {
            let fits = self.place(*to, room, piece);
            let at = piece.places.get(to).copied().unwrap_or(0);
            if let Some(word) = piece.bytes.get_mut(start + offset..start + offset + size_of::<u64>()) {
                word.copy_from_slice(&at.to_ne_bytes());
            }
            fits
        })
    }

    /// Takes back what the calls of a piece have filled; `bytes` is what lies there now.
    pub(super) fn collect(&self, piece: &Piece, room: &Room, bytes: &[u8], done: &mut Done) {
        for (ptr, at) in &piece.places {
            let Some(blob) = self.blobs.get(ptr.0).filter(|blob| blob.is_room) else { continue };
            let start = (at - room.at) as usize;
            if let Some(filled) = bytes.get(start..start + blob.bytes.len()) {
                done.rooms.insert(*ptr, filled.to_vec());
            }
        }
    }

    /// Whether anything of a piece is wanted back.
    pub(super) fn has_rooms(&self, piece: &Piece) -> bool {
        piece.places.keys().any(|ptr| self.blobs.get(ptr.0).is_some_and(|blob| blob.is_room))
    }

    /// The first call that failed, and why.
    pub(super) fn check(&self, done: &Done) -> Result<(), (String, io::Error)> {
        for (call, ret) in self.calls.iter().zip(&done.results) {
            if let Some(errno) = call.failure(*ret) {
                return Err((call.what.clone(), io::Error::from_raw_os_error(errno)));
            }
        }
        Ok(())
    }

    /// How many calls there are.
    pub(super) fn len(&self) -> usize {
        self.calls.len()
    }
}

impl From<Call> for Batch {
    fn from(call: Call) -> Self {
        Self { calls: vec![call], blobs: Vec::new() }
    }
}

impl From<&[Call]> for Batch {
    fn from(calls: &[Call]) -> Self {
        Self { calls: calls.to_vec(), blobs: Vec::new() }
    }
}

/// What every structure of the kernel's is content with.
const ALIGN: usize = 16;

/// Where a process has room for arguments, and for how many calls at once.
#[derive(Debug, Clone, Copy)]
pub(super) struct Room {
    /// Address.
    pub at: u64,
    /// Bytes.
    pub len: u64,
    /// Calls.
    pub calls: usize,
}

/// Arguments of a single call for which there is no room.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TooLong {
    /// What the call is for.
    pub what: String,
    /// How much room there is.
    pub room: u64,
}

/// Some calls of a batch, laid out for one process.
#[derive(Debug, Default)]
pub(super) struct Piece<'a> {
    /// The calls.
    pub calls: &'a [Call],
    /// What the loop reads, one for each call.
    pub slots: Vec<Slot>,
    /// What has to lie in the room.
    pub bytes: Vec<u8>,
    places: BTreeMap<Ptr, u64>,
    order: Vec<Ptr>,
}

/// A call as the loop of [`arch::BATCH_CODE`](crate::arch::BATCH_CODE) reads it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, IntoBytes, FromBytes, Immutable)]
#[repr(C)]
pub(super) struct Slot {
    /// Its number.
    pub nr: u64,
    /// Its arguments.
    pub args: [u64; 6],
    /// Before: a result above this ends the loop. After: the result.
    pub ret: u64,
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Room = Room { at: 0x1000, len: 256, calls: 3 };

    #[test]
    fn a_batch_that_is_larger_than_the_room_comes_in_pieces_whose_pointers_hold() {
        let mut batch = Batch::new();
        let shared = batch.put(&[7u8; 20]);
        for i in 0..10u8 {
            let own = batch.put(&[i; 100]);
            batch.call("a call", 1, args![own, shared, 3]);
        }
        let mut from = 0;
        while from < batch.len() {
            let piece = batch.piece(from, &ROOM).unwrap();
            for (i, slot) in piece.slots.iter().enumerate() {
                let bytes = |at: u64, len: usize| &piece.bytes[(at - ROOM.at) as usize..][..len];
                assert_eq!(bytes(slot.args[0], 100), [(from + i) as u8; 100]);
                assert_eq!((bytes(slot.args[1], 20), slot.args[2]), ([7u8; 20].as_slice(), 3));
                assert!(slot.args[0] % ALIGN as u64 == 0 && piece.bytes.len() as u64 <= ROOM.len);
            }
            from += piece.calls.len();
        }
    }

    #[test]
    fn structures_point_to_each_other() {
        let mut batch = Batch::new();
        let (outer, inner) = (batch.put(&[0u64; 2]), batch.room::<u64>());
        batch.link(outer, 8, inner);
        let nth = batch.call("a call", 1, args![outer]);
        let piece = batch.piece(0, &ROOM).unwrap();
        let start = (piece.slots[0].args[0] - ROOM.at) as usize;
        let link = u64::from_ne_bytes(piece.bytes[start + 8..][..8].try_into().unwrap());
        let mut filled = piece.bytes.clone();
        filled[(link - ROOM.at) as usize] = 9;
        let mut done = Done { results: vec![0], ..Done::default() };
        batch.collect(&piece, &ROOM, &filled, &mut done);
        assert_eq!(done.filled::<u64>(nth, inner), Some(9));
    }

    #[test]
    fn what_never_fits_is_said_by_name() {
        let mut batch = Batch::new();
        batch.call("a small one", 1, args![0]);
        let long = batch.put([0u8; 300].as_slice());
        batch.call("a long one", 1, args![long]);
        assert_eq!(batch.piece(0, &ROOM).unwrap().calls.len(), 1);
        let error = batch.piece(1, &ROOM).unwrap_err();
        assert_eq!(error, TooLong { what: "a long one".into(), room: ROOM.len });
    }
}
