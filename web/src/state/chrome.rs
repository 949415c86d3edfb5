//! What is around the views: messages, the theme, the list of keys.

use super::{Command, State};

/// This part of the state.
#[derive(Debug, Default)]
pub struct Chrome {
    /// Whether the worker listens.
    pub ready: bool,
    /// What went wrong.
    pub error: Option<String>,
    /// Why the page is of no use any more.
    pub crashed: Option<String>,
    /// Whether the keys are listed.
    pub help: bool,
    /// Dark, light, or as the system wishes.
    pub dark: Option<bool>,
    /// Whether a file is dragged over the page.
    pub dragging: bool,
    /// Names of files that were opened, the last first.
    pub recent: Vec<String>,
    /// Name of an image that was pasted while another is open: it is opened only when the person says so.
    pub offered: Option<String>,
    /// What is read out to those who do not see the page.
    pub said: String,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// Lists the keys, or no more.
    Help(bool),
    /// Changes the theme.
    Dark(Option<bool>),
    /// A file is dragged over the page, or no more.
    Dragging(bool),
    /// Something went wrong outside of the worker.
    Failed(String),
    /// The message was read.
    Dismiss,
    /// An image was pasted while another is open.
    Offer(String),
    /// Opens it, or does not.
    TakeOffer(bool),
    /// Escape: closes what lies over the page.
    Close,
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    let chrome = &mut state.chrome;
    match action {
        Action::Help(open) => chrome.help = open,
        Action::Dark(dark) => {
            chrome.dark = dark;
            out.push(Command::Theme(dark));
        }
        Action::Dragging(dragging) => chrome.dragging = dragging,
        Action::Failed(message) => {
            state.image.opening = None;
            state.fail(message);
        }
        Action::Dismiss => chrome.error = None,
        Action::Offer(name) => {
            chrome.said = format!("{name} is an image; open it?");
            chrome.offered = Some(name);
        }
        Action::TakeOffer(yes) => {
            chrome.offered = None;
            out.push(Command::TakeOffer(yes));
        }
        Action::Close => {
            (chrome.help, state.goto.open) = (false, false);
            if chrome.offered.take().is_some() {
                out.push(Command::TakeOffer(false));
            }
        }
    }
}

impl State {
    /// Tells what went wrong.
    pub(super) fn fail(&mut self, message: impl Into<String>) {
        let message = message.into();
        self.chrome.said.clone_from(&message);
        self.chrome.error = Some(message);
    }
}
