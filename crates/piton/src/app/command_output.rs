//! The standard output of commands.

use std::io::{self, Write};

use super::LaunchError;

/// Prints the output of a command. A reader that stops early (`| head`) is not an error, as it would be with
/// `print!`, which panics.
///
/// # Errors
/// The output cannot be written for another reason, such as a full disk.
pub fn print(text: &str) -> Result<(), LaunchError> {
    match io::stdout().lock().write_all(text.as_bytes()) {
        Err(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(error.into()),
        _ => Ok(()),
    }
}
