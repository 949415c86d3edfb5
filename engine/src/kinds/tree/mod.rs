//! What belongs to the tree as a whole: one file a kind.
//!
//! [`kind`]: the contract. [`KINDS`]: the registry.

pub mod kind;

use kind::TreeKind;

/// All kinds, in the order in which they are captured and made.
pub const KINDS: &[&dyn TreeKind] = &[];
