//! Where one goes, and what stands in the address of the page for it.

use super::{Command, State, record};
use crate::proto::Request;
use crate::text::{Place, Whose};

/// This part of the state.
#[derive(Debug, Default)]
pub struct Places {
    /// Where to go once an image is open.
    pub wanted: Option<Place>,
    /// Whether the next place in the address is one to come back to.
    pub jumped: bool,
    /// Byte whose selection stands whatever record it turns out to lie in.
    pub pinned: Option<u64>,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// The address of the page is another.
    Fragment(String),
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    match action {
        Action::Fragment(text) => {
            state.places.wanted = Place::parse(&text);
            go(state, out);
            // Coming back to a place is no new one.
            state.places.jumped = false;
        }
    }
}

/// Goes to the place that is wanted, if an image is open.
pub(super) fn go(state: &mut State, out: &mut Vec<Command>) {
    let Some(image) = state.image.opened.as_ref() else { return };
    match state.places.wanted.take() {
        Some(Place::Offset(offset)) => record::go_to(state, offset, out),
        Some(Place::Record(record)) => out.push(Command::Ask(Request::RevealRecord { record })),
        Some(Place::Address(address, whose)) => {
            let mut with_memory = image.tasks.iter().filter(|task| task.mm != 0);
            let found = match whose {
                None => with_memory.next().map(|task| (task.mm, Some(task.id))),
                Some(Whose::Pid(pid)) => {
                    with_memory.find(|task| task.pid == pid).map(|task| (task.mm, Some(task.id)))
                }
                Some(Whose::Object(mm)) => Some((mm, None)),
            };
            match (found, whose) {
                (Some((mm, task)), _) => {
                    task.into_iter().for_each(|id| state.choose(id));
                    state.show_address(mm, address, 1, out);
                }
                (None, Some(Whose::Pid(pid))) => state.fail(format!(
                    "the link leads into the memory of process {pid}, which this image does not hold"
                )),
                (None, _) => state.fail("the link leads into memory, and this image holds none"),
            }
        }
        None => {}
    }
}

impl State {
    /// The address of this page with the place in it.
    pub(super) fn address(&mut self, place: String) -> Command {
        Command::Address { place, push: std::mem::take(&mut self.places.jumped) }
    }

    /// The same for an address in memory.
    pub(super) fn address_in(&mut self, mm: u32, address: u64) -> Command {
        let first = self.processes().map(|task| task.mm).find(|mm| *mm != 0);
        let of = match self.owner(mm) {
            _ if first == Some(mm) => String::new(),
            Some(process) => format!("&pid={}", process.pid),
            None => format!("&mm={mm}"),
        };
        self.address(format!("vaddr={address:#x}{of}"))
    }
}
