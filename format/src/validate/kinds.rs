//! Which records may belong to which, and refer to which, as their descriptions say.

use crate::header::Kind;
use crate::record::{BEHIND, Extent, Image, definition};
use crate::schema::Role;

/// Stands for the image among the kinds of owner: parent 0.
pub const THE_IMAGE: Kind = Image::KIND;

/// Whether a record of this kind may belong to an owner of that kind. What is not known may belong to anything, and own
/// anything.
pub fn may_belong(kind: Kind, owner: Kind) -> bool {
    let Some(def) = definition(kind).filter(|def| !def.owners.is_empty()) else { return true };
    let has_contents = || kind == Extent::KIND && definition(owner).is_some_and(|def| def.has_contents());
    definition(owner).is_none() || def.owners.contains(&owner) || has_contents()
}

/// Whether records of this kind are what an owner of that kind counts, or has to have.
pub fn is_member(kind: Kind, owner: Kind) -> bool {
    let fields = definition(owner).map_or(&[][..], |def| def.fields);
    definition(kind).is_some_and(|def| def.is_due)
        || fields.iter().any(|field| matches!(field.role, Role::Counts(kinds) if kinds.contains(&kind)))
}

/// Kinds that a field with this role may refer to; none if it refers to nothing.
pub fn may_refer(role: Role, to: Kind) -> bool {
    match role {
        Role::To(kinds) | Role::Always(kinds) | Role::Peer(kinds) => kinds.contains(&to),
        Role::Behind => BEHIND.iter().any(|(kind, behind)| *kind == to && !behind.is_empty()),
        Role::Plain | Role::Counts(_) | Role::Contents => true,
    }
}

/// Whether an open file of this kind, if it is a known one, may be of an object of that kind.
pub fn may_stand_behind(file: u32, object: Kind) -> bool {
    let mut all = BEHIND.iter().filter(|(_, kinds)| kinds.iter().any(|kind| kind.number == file));
    all.next().is_none_or(|(kind, _)| *kind == object)
}
