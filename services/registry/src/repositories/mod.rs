//! The statements: everything that reads or writes a table stands here.

pub mod companies;
mod folding;

pub use folding::folded;
