//! Queues (SQS) and mail (SES) of Amazon, or of whatever speaks as they do: moto, LocalStack,
//! ElasticMQ.
//!
//! Each is a part of its own with a section of its own, as they may belong to two accounts. Nothing is
//! asked of Amazon before somebody uses it: not a server, and not the machine for its credentials.
//!
//! | to | see |
//! |---|---|
//! | read a queue | [`sqs`](macro@crate::sqs) above a function, or [`App::sqs`](crate::App::sqs) with a [`sqs::Poll`] |
//! | send a message | [`sqs::Sqs::send`] |
//! | send mail | [`ses::Ses::send`] with a [`ses::Email`] |
//! | all else that Amazon can do | [`sqs::Sqs::client`], [`ses::Ses::client`] |

mod access;
mod error;
pub mod ses;
pub mod sqs;
mod trouble;

pub use error::{Error, Kind};
pub use {aws_sdk_sesv2, aws_sdk_sqs};
