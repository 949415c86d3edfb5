//! Address spaces: their areas, and the pages that are copied out of them and filled in again.

pub mod areas;
pub mod fill;
pub mod pages;
