//! What the page knows, and how it changes: every action gives a new state and a list of commands. No web types.
//!
//! Each view has a file of its own with its part of the state, its actions and its `reduce`, which is given the whole
//! state because a step in one view often shows something in another. This file only hands actions on.

pub mod chrome;
pub mod command;
pub mod compare;
pub mod files;
pub mod findings;
pub mod gallery;
pub mod goto;
pub mod hex;
pub mod image;
pub mod memory;
pub mod panes;
pub mod places;
pub mod record;
mod reply;
pub mod save;
pub mod search;
pub mod tab;
pub mod tasks;
pub mod tree;
mod zoom;

pub use command::Command;
pub use hex::{Blocks, Hex, ROW, ROW_PX};
pub use panes::Panes;
pub use tab::Tab;
pub use tree::{Scroll, TREE_ROW_PX};
pub use zoom::Zoom;

/// All of it.
#[derive(Debug, Default)]
#[allow(missing_docs)] // The views name what they show.
pub struct State {
    pub chrome: chrome::Chrome,
    pub image: image::Image,
    pub findings: findings::Findings,
    pub gallery: gallery::Gallery,
    pub places: places::Places,
    pub goto: goto::GoTo,
    pub panes: Panes,
    pub tab: Tab,
    pub tree: tree::Tree,
    pub record: Option<crate::proto::Record>,
    pub hex: Hex,
    pub blocks: Blocks,
    /// Whether numbers at the cursor have their highest byte first.
    pub big_endian: bool,
    pub tasks: tasks::Tasks,
    pub memory: memory::Memory,
    pub files: files::Files,
    pub search: search::Search,
    pub compare: compare::Compare,
    pub saving: Option<save::Saving>,
}

/// Makes the list of what can happen, and how it is handed to the view that it concerns.
macro_rules! actions {
    ($($(#[doc = $doc:literal])+ $name:ident = $part:ident),+ $(,)?) => {
        /// What happens.
        #[derive(Debug, Clone, PartialEq)]
        pub enum Action {
            /// The worker answered; the bytes came along.
            Replied(crate::proto::Reply, Vec<u8>),
            $($(#[doc = $doc])+ $name($part::Action),)+
        }

        impl State {
            fn hand_on(&mut self, action: Action, out: &mut Vec<Command>) {
                match action {
                    Action::Replied(reply, bytes) => reply::take(self, reply, bytes, out),
                    $(Action::$name(action) => $part::reduce(self, action, out),)+
                }
            }
        }

        $(impl From<$part::Action> for Action {
            fn from(action: $part::Action) -> Self {
                Self::$name(action)
            }
        })+
    };
}

actions! {
    /// What is around the views: theme, keys, messages.
    Chrome = chrome,
    /// The image as a whole.
    Image = image,
    /// The list of findings.
    Findings = findings,
    /// The examples.
    Gallery = gallery,
    /// Where one goes.
    Places = places,
    /// How large the panes are.
    Panes = panes,
    /// The field that leads everywhere.
    GoTo = goto,
    /// Which view is shown.
    Tab = tab,
    /// The tree of records.
    Tree = tree,
    /// The record.
    Record = record,
    /// The hex view.
    Hex = hex,
    /// The processes.
    Tasks = tasks,
    /// The memory of one.
    Memory = memory,
    /// Its descriptors.
    Files = files,
    /// The search.
    Search = search,
    /// The comparison.
    Compare = compare,
    /// What is being saved.
    Save = save,
}

impl State {
    /// Changes the state.
    pub fn reduce(&mut self, action: impl Into<Action>) -> Vec<Command> {
        let mut out = Vec::new();
        self.hand_on(action.into(), &mut out);
        out
    }
}

#[cfg(test)]
mod tests;
