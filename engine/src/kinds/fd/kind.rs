//! The contract of a kind of descriptor: what its file does in each phase of a checkpoint and of a restart.
//!
//! A kind has one file beside this one and one line in the [registry](super::KINDS). Nothing else in the engine knows it:
//! the table of descriptors walks the registry, phase by phase.
//!
//! | phase | checkpoint | restart |
//! |---|---|---|
//! | 1 | [`is_mine`](FdKind::is_mine) | [`judge`](FdMaker::judge): all complaints at once, nothing touched |
//! | 2 | [`capture`](FdKind::capture), of a description at its first sight | [`open`](FdMaker::open), or [`make_inside`](FdMaker::make_inside) in the first process that has it |
//! | 3 | [`settle`](FdKind::settle), when those of all processes are known | [`connect`](FdMaker::connect), when all stand at their numbers |
//! | 4 | contents behind the metadata | contents as they come ([`Stream`], files) |
//! | 5 | | [`arm`](FdMaker::arm) |

use std::collections::BTreeMap;
use std::io;
use std::os::fd::OwnedFd;
use std::path::PathBuf;

use stasis_format::record::{File, InBody};

use super::descriptions::{Descriptions, Open, Sight};
use super::stream::Stream;
use crate::image::model::{Id, Tree};
use crate::kinds::{Capture, CaptureError, Contents, RestoreError};
use crate::refusal::Survey;
use crate::rights::files::Files;
use crate::sys;
use crate::tracee::handover::{Channel, Numbers};
use crate::tracee::stub::Stub;

/// A kind of descriptor.
pub trait FdKind: Sync {
    /// The values of [`File::kind`] that this kind answers for.
    fn carries(&self) -> &'static [u32];

    /// Whether a descriptor is of this kind. Of several that say so the first in the registry has it.
    fn is_mine(&self, open: &Open) -> bool;

    /// Captures what lies behind a description that is seen for the first time. Nothing if it is given up, which the survey
    /// has been told.
    fn capture(&self, c: &mut Capture, open: &Open) -> Result<Option<Captured>, CaptureError>;

    /// Once the descriptors of all processes are known: what takes several of them to tell.
    fn settle(&self, _: &mut Settling) -> Result<(), CaptureError> {
        Ok(())
    }

    /// Whoever makes descriptions of this kind at one restart, and keeps what it needs from one to the next.
    fn maker(&self) -> Box<dyn FdMaker>;
}

/// What a description turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Captured {
    /// [`File::kind`].
    pub kind: u32,
    /// [`File::object`].
    pub object: Id,
}

/// What is at hand when the descriptors of all processes are known.
#[derive(Debug)]
pub struct Settling<'a> {
    /// The descriptions.
    pub met: &'a Descriptions,
    /// Where they are written down.
    pub tree: &'a mut Tree,
    /// Reasons to refuse.
    pub survey: &'a mut Survey,
    /// Contents to be stored behind the metadata.
    pub contents: &'a mut Contents,
    /// The processes of the tree, as we see them.
    pub members: &'a [i32],
    /// Connections of TCP to the outside are written down as reset (`--tcp close`), instead of being a reason to refuse.
    pub close_connections: bool,
}

impl<'a> Settling<'a> {
    /// Descriptions of these kinds by the object behind them, each with the first descriptor that led to it.
    pub fn by_object(&self, kinds: &[u32]) -> BTreeMap<Id, Vec<(Id, &'a Sight)>> {
        let mut found: BTreeMap<Id, Vec<_>> = BTreeMap::new();
        for (id, sight) in self.met.seen() {
            if let Some(file) = self.tree.files.get(&id).filter(|file| kinds.contains(&file.kind)) {
                found.entry(file.object).or_default().push((id, sight));
            }
        }
        found
    }
}

/// Makes the descriptions of one kind at one restart.
pub trait FdMaker {
    /// Why a description cannot be made here, in one sentence; before anything is done.
    fn judge(&self, _: &Judging, _id: Id, _: &File) -> Option<String> {
        None
    }

    /// Makes a description in the engine, to be handed over. Nothing if it can be made only inside of a process.
    fn open(&mut self, m: &mut Making, id: Id, file: &File) -> Result<Option<OwnedFd>, RestoreError>;

    /// Makes it in the first process that has it; returns the number that it got there, which is any.
    fn make_inside(&mut self, _: &mut Stub, tree: &Tree, id: Id, _: &File) -> Result<u64, RestoreError> {
        Err(RestoreError::missing(tree, id))
    }

    /// Every process has its descriptors at their numbers: what one of them has to do with others.
    fn connect(&mut self, _: &mut Placed, _id: Id, _: &File) -> Result<(), RestoreError> {
        Ok(())
    }

    /// Contents are in: what comes last, just before the processes run.
    fn arm(&mut self, _: &Placed, _id: Id, _: &File) -> Result<(), RestoreError> {
        Ok(())
    }
}

/// How descriptors with an outside end are found.
#[derive(Debug, Default)]
pub struct Redirects {
    /// `--fd N=PATH`.
    pub paths: BTreeMap<u32, PathBuf>,
    /// Standard input, output and error of somebody else, instead of ours.
    pub standard: Option<[Option<OwnedFd>; 3]>,
}

/// What is at hand to judge.
#[derive(Debug)]
pub struct Judging<'a> {
    /// The image.
    pub tree: &'a Tree,
    /// Where outside ends lead.
    pub redirects: &'a Redirects,
    /// The numbers that descriptions have.
    pub numbers: &'a BTreeMap<Id, Vec<u32>>,
}

/// What is at hand to make descriptions.
#[derive(Debug)]
pub struct Making<'a> {
    /// The image.
    pub tree: &'a Tree,
    /// Where outside ends lead.
    pub redirects: &'a Redirects,
    /// The numbers that descriptions have.
    pub numbers: &'a BTreeMap<Id, Vec<u32>>,
    /// Files made anew because their contents are in the image, by INODE.
    pub made: &'a BTreeMap<Id, OwnedFd>,
    /// Opens the others with the rights of whoever had them.
    pub rights: &'a Files,
    /// What is to be filled with contents of the image, by object.
    pub streams: &'a mut BTreeMap<Id, Stream>,
}

impl<'a> Making<'a> {
    /// The record of what a description leads to.
    pub fn record<T: InBody + 'static>(&self, id: Id, file: &File) -> Result<&'a T, RestoreError> {
        self.tree.object(file.object).ok_or_else(|| RestoreError::missing(self.tree, id))
    }
}

/// Where the descriptions of an image stand.
#[derive(Debug)]
pub struct Placed<'a, 's> {
    /// The image.
    pub tree: &'a Tree,
    /// The processes that live, in the order of their tasks.
    pub stubs: Vec<&'a mut Stub>,
    /// For each description: the places of processes in `stubs`, and the numbers it has there.
    pub places: &'s BTreeMap<Id, Vec<(usize, u32)>>,
    /// The numbers that are taken in each process.
    pub used: &'s mut [Numbers],
    /// How descriptors get into the processes.
    pub channel: &'s Channel,
    /// Whether the kernel has not been started anew since the checkpoint.
    pub same_boot: bool,
}

impl Placed<'_, '_> {
    /// A descriptor of ours for a description.
    pub fn fd(&self, id: Id) -> Result<OwnedFd, RestoreError> {
        let place = self.places.get(&id).and_then(|places| places.first());
        let Some((stub, (_, number))) = place.and_then(|place| Some((self.stubs.get(place.0)?, place)))
        else {
            return Err(RestoreError::missing(self.tree, id));
        };
        fetch(stub.pid, *number)
            .map_err(RestoreError::io(format!("taking descriptor {number} from the new process")))
    }
}

/// A duplicate of a descriptor of a process that is being built.
pub fn fetch(pid: i32, number: u32) -> io::Result<OwnedFd> {
    let process = sys::pidfd::open(pid)?;
    sys::pidfd::getfd(&process, number as i32)
}
