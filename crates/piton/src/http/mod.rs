//! The public listener: routes, arguments, answers, errors, and the loop that serves them.

mod error;
mod exchange;
mod extract;
mod operation;
mod panics;
mod polite;
mod problem;
mod respond;
mod route;
mod server;
mod settings;
mod stack;
mod table;
#[cfg(feature = "validation")]
mod valid;

pub use error::{Error, Fault, Recognise, Result};
pub use extract::{Form, Json, Path, Query, State};
pub use operation::{
    Answer, Content, Input, MakeSchema, Operation, Output, Parameter, Place, probe,
};
pub use respond::{Created, NoContent};
pub use route::{
    ArgumentType, Arguments, Blueprint, ModulePrefix, Registration, Route, RouteInfo, Source,
    delete, get, patch, post, put, route,
};
pub use settings::HttpSettings;
#[cfg(feature = "validation")]
pub use valid::{Checked, Valid};

pub(crate) use panics::install as keep_panics;
pub(crate) use server::serve;
pub(crate) use stack::{Rules, Stack, StackLayer};
pub(crate) use table::{entry_of, problems, router, scan};
