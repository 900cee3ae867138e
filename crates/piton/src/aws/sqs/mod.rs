//! Queues of Amazon SQS: send and poll.
//!
//! ```no_run
//! use piton::aws::sqs::Message;
//! use piton::prelude::*;
//!
//! /// Charges an order.
//! #[piton::sqs("orders", interval = "30s", max_messages = 10)]
//! async fn on_order(message: Message) -> Result<()> {
//!     info!("Order {}", message.body());
//!     Ok(())
//! }
//!
//! fn main() -> piton::Exit {
//!     App::new("shop").run()
//! }
//! ```
//!
//! A message is deleted when its handler has returned, unless that returned `false` or an error, or
//! panicked. A queue delivers **at least once**: handlers must be idempotent.

mod handler;
mod message;
mod metrics;
mod poll;
mod poll_part;
mod poll_state;
mod poll_worker;
mod queue_client;
mod queue_urls;
mod send;
mod settings;
mod sqs_sender;
mod visibility;

pub use handler::{
    Disposition, FromHandle, HandlerFuture, IntoDisposition, MessageHandler, ReadyFuture,
};
pub use message::{Attribute, Message};
pub use poll::Poll;
pub use poll_part::Polls;
pub use send::{SendMessage, SentMessage};
pub use settings::SqsSettings;
pub use sqs_sender::Sqs;
