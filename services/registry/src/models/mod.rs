//! The data that is stored and shown.

mod company;
mod history;
mod name_rules;
mod search;

pub use company::{Company, CompanyFields, CompanyPatch, NewCompany, Partner};
pub use history::{Action, HistoryEntry};
pub use search::{CompanyFilter, CompanyOrder};
