//! The module `compression` of a build without that feature.

use std::sync::Arc;

use axum::Router;

use crate::handle::Handle;
use crate::memory::MemoryBudget;

/// Returns the router as it is: the setting is refused at launch.
pub(crate) fn compressed(router: Router<Handle>, _: bool, _: &Arc<MemoryBudget>) -> Router<Handle> {
    router
}
