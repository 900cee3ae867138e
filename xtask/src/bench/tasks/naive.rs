//! The loop that one would write without a framework, `bench/naive_tasks.py`: what the machine allows on SQLite.

use std::process::Command;

use super::program::{Numbers, numbers};
use super::storage::{Database, Storage};
use crate::bench::Effort;
use crate::command::{Result, root};

/// Measures it on a storage. Nothing is measured unless that is SQLite.
///
/// # Errors
/// When Python cannot be started, or fails.
pub fn measure(storage: &Storage<'_>, effort: Effort) -> Result<Numbers> {
    let Database::Sqlite { file, synchronous } = &storage.database else {
        return Ok(Numbers::default());
    };
    let mut python = Command::new("python3");
    python.arg(root().join("bench/naive_tasks.py")).arg(file).arg(synchronous);
    numbers(python.arg(effort.pick(20_000, 200_000).to_string()))
}
