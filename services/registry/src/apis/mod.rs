//! The routes.

mod companies;

piton::blueprint!("/api");
