//! What the browser is to do after the state has changed.

use crate::proto::Request;

/// One thing to do.
#[derive(Debug, Clone, PartialEq)]
pub enum Command {
    /// Ask the worker.
    Ask(Request),
    /// Ask the worker and attach the file that was just chosen.
    Attach(Request),
    /// Scroll the hex view so far down.
    ScrollHex(f64),
    /// Bring a row of the tree into view.
    ScrollTree(u32),
    /// Bring a row of a long list into view.
    ShowRow {
        /// Id of its element.
        list: &'static str,
        /// The row.
        row: u32,
    },
    /// Bring this row of the findings into view.
    ShowFinding(u32),
    /// Open the file that was offered, or forget it.
    TakeOffer(bool),
    /// Compare with the file that was dropped together with the open one.
    CompareBeside,
    /// Make the panes so large, and remember it.
    Sizes(super::panes::Panes),
    /// Dismiss the worker and all that it was asked; the next question finds a new one.
    NewWorker,
    /// Name the page.
    Title(String),
    /// Put the place into the address: as one to come back to, or in place of the last one.
    Address {
        /// What stands behind `#`.
        place: String,
        /// Whether Back is to lead here.
        push: bool,
    },
    /// Keep a piece of what is being saved, at its start or behind the last one.
    Keep {
        /// Whether it is the first.
        first: bool,
        /// Contents.
        bytes: Vec<u8>,
    },
    /// Hand the kept pieces to the person as a file of this name.
    Deliver(String),
    /// Hand a file to the person.
    Download {
        /// Name of it.
        name: String,
        /// MIME type.
        mime: String,
        /// Contents.
        bytes: Vec<u8>,
    },
    /// Fetch the gallery.
    LoadGallery,
    /// Show dark, light, or as the system wishes.
    Theme(Option<bool>),
    /// Remember the names of recent files.
    Remember(Vec<String>),
}
