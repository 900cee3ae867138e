//! Mail by Amazon SES.
//!
//! ```no_run
//! use piton::aws::ses::{Email, Ses};
//! use piton::prelude::*;
//!
//! /// Thanks for an order.
//! #[post("/thanks")]
//! async fn thank(ses: Ses) -> Result<NoContent> {
//!     let email = Email::new().to("ada@example.com").subject("Thank you ✓").text("Thank you.");
//!     ses.send(email).await?;
//!     Ok(NoContent)
//! }
//! # fn main() {}
//! ```

mod email;
mod mailbox;
mod ses_sender;
mod settings;
#[cfg(test)]
mod tests;

pub use email::{Attachment, Email};
pub use mailbox::Mailbox;
pub use ses_sender::Ses;
pub use settings::SesSettings;
