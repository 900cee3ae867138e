//! The routes.

mod companies;
mod register;
mod workflow;

piton::blueprint!("/api");
