//! The allocator of the whole program: the feature `jemalloc`.
//!
//! The system's allocator keeps what a burst of connections has taken, for as long as the process runs.
//! jemalloc returns unused pages after ten seconds, by a thread of its own
//! (`docs/decisions/0027-services-return-memory-by-jemalloc.md`).

#[global_allocator]
static ALLOCATOR: tikv_jemallocator::Jemalloc = tikv_jemallocator::Jemalloc;
