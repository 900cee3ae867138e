//! The OpenAPI document of an app, from its routes and their types.

mod builder;
mod enum_variants;
mod examples;
mod names;
mod operation_ids;
mod parameters;
mod portable_schemas;
mod references;
mod responses;
mod schema_visitor;
mod schemas;
mod security;

pub(super) use builder::{DocumentOutput, DocumentSource, build_document};
pub(super) use enum_variants::merge_members;
pub(super) use examples::example_of;
pub(super) use names::free_name;
pub(super) use parameters::path_names;
pub(super) use portable_schemas::pattern_properties_to_map;
pub(super) use references::{SCHEMA_PREFIX, references};
pub(super) use schema_visitor::type_of;
