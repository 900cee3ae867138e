//! Types of values in paths, queries and bodies, which are checked when they are parsed.

mod check_digit;
mod cnpj;
mod cpf;
mod punctuation;
mod state;

pub use cnpj::{Cnpj, CnpjError};
pub use cpf::{Cpf, CpfError};
pub use state::State;
