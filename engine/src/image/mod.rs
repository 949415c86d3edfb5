//! Between the tree in memory and the records of an image.

pub mod model;
