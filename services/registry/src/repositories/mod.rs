//! The SQL statements: all code that reads or writes a table.

pub mod companies;
mod search_text;

pub use search_text::fold_for_search;
