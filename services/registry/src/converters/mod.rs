//! Types of what is written in paths, queries and bodies, checked where it is read.

mod cnpj;
mod state;

pub use cnpj::{Cnpj, WrongCnpj};
pub use state::State;
