//! What is stored and shown.

mod company;
mod history;
mod name;
mod search;

pub use company::{Company, CompanyFields, CompanyPatch, NewCompany, Partner};
pub use history::{Action, HistoryEntry};
pub use search::{CompanyOrder, Search};
