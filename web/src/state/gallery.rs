//! The examples.

use super::{Command, State};

/// An image of the gallery.
#[derive(Debug, Clone, Default, PartialEq, serde::Deserialize)]
#[serde(default)]
pub struct Example {
    /// Name without ending.
    pub name: String,
    /// Kernel that is to restart it.
    pub kernel: String,
    /// What its `sys_restart` returns.
    pub ret: i64,
    /// What it is an example of.
    pub why: String,
    /// The bytes, in base64.
    pub image: String,
}

/// This part of the state.
#[derive(Debug, Default)]
pub struct Gallery {
    /// The examples, once they are there.
    pub list: Option<Vec<Example>>,
    /// Whether they are shown.
    pub open: bool,
    /// What is typed to find one.
    pub filter: String,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// The examples came.
    Came(Vec<Example>),
    /// Shows or hides them.
    Toggle,
    /// Shows those with this in their name or description.
    Filter(String),
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    let gallery = &mut state.gallery;
    match action {
        Action::Came(list) => gallery.list = Some(list),
        Action::Toggle => {
            gallery.open = !gallery.open;
            if gallery.open && gallery.list.is_none() {
                out.push(Command::LoadGallery);
            }
        }
        Action::Filter(text) => gallery.filter = text,
    }
}
