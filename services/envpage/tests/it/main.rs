//! The environment page as a browser and as an operator meet it.

#![expect(clippy::unwrap_used, reason = "a test that unwraps fails with the line")]

mod config;
mod page;
mod production;
