//! What is stored and shown.

mod company;
mod history;
mod page;

pub use company::{Company, CompanyFields, CompanyPatch, NewCompany, Partner};
pub use history::{Action, HistoryEntry};
pub use page::{Companies, Search};
