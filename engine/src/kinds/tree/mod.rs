//! What belongs to the tree as a whole: one file a kind.
//!
//! [`kind`]: the contract. [`KINDS`]: the registry.

pub mod kind;
pub mod semaphores;

use kind::TreeKind;

/// All kinds, in the order in which they are captured and made.
pub const KINDS: &[&dyn TreeKind] = &[&semaphores::Semaphores];
