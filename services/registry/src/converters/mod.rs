//! Types of what is written in paths, queries and bodies, checked where it is read.

mod check_digit;
mod cnpj;
mod cpf;
mod state;
mod written;

pub use cnpj::{Cnpj, WrongCnpj};
pub use cpf::{Cpf, WrongCpf};
pub use state::State;
