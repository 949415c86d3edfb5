//! How large the panes are, as the person has dragged them; the style sheet has what they are otherwise.

use super::{Command, State};
use serde::{Deserialize, Serialize};

/// The smallest and the largest size of a pane in pixels; the style sheet keeps it within the window besides.
const LEAST: u32 = 120;
const MOST: u32 = 4000;

/// This part of the state: pixels, where the person said so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Panes {
    /// Width of the tree.
    pub tree: Option<u32>,
    /// Width of the hex view where it stands beside the middle.
    pub hex_width: Option<u32>,
    /// Height of the hex view where it stands below.
    pub hex_height: Option<u32>,
}

/// An edge that can be dragged.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Edge {
    /// Between the tree and what is beside it.
    Tree,
    /// Between the middle and the hex view beside it.
    HexBeside,
    /// Between the middle and the hex view below it.
    HexBelow,
}

/// What happens.
#[derive(Debug, Clone, PartialEq)]
pub enum Action {
    /// The pane at this edge is to be so large, or as it was at first.
    Size(Edge, Option<u32>),
}

pub(super) fn reduce(state: &mut State, action: Action, out: &mut Vec<Command>) {
    let Action::Size(edge, px) = action;
    let px = px.map(|px| px.clamp(LEAST, MOST));
    match edge {
        Edge::Tree => state.panes.tree = px,
        Edge::HexBeside => state.panes.hex_width = px,
        Edge::HexBelow => state.panes.hex_height = px,
    }
    out.push(Command::Sizes(state.panes));
}
