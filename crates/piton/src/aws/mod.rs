//! Queues (SQS) and mail (SES) of Amazon Web Services, or of a compatible server: moto, LocalStack,
//! ElasticMQ.
//!
//! Each is a part of its own with its own section, because the two may belong to two accounts. Nothing
//! is sent before the first use: no request to a server, and none for credentials to the machine.
//!
//! | to | see |
//! |---|---|
//! | read a queue | [`sqs`](macro@crate::sqs) above a function, or [`App::sqs`](crate::App::sqs) with a [`sqs::Poll`] |
//! | send a message | [`sqs::Sqs::send`] |
//! | send mail | [`ses::Ses::send`] with a [`ses::Email`] |
//! | call anything else | [`sqs::Sqs::client`], [`ses::Ses::client`] |

mod error;
mod health;
mod sdk_config;
pub mod ses;
mod setting_names;
mod settings;
pub mod sqs;

pub use error::{Error, Kind};
pub use settings::{AwsSettings, EndpointUrl};
pub use {aws_sdk_sesv2, aws_sdk_sqs};
