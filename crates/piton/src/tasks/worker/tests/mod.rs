//! Claims of the worker, over the broker in memory. Time is paused: it passes as fast as the tests wait for it.

mod brokers;
mod ends;
mod fixture;
mod follow_ups;
mod leases;
mod panics;
mod queues;
mod stopping;
