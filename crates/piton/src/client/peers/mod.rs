//! Addresses of peers: from the settings, from the variables that Kubernetes sets for every pod, and in
//! development from variables of the same form with the service's prefix.

mod address;
mod directory;
mod environment_check;

pub use address::PeerAddress;
pub(super) use address::port;
pub(super) use directory::{PeerDirectory, ResolvedPeer, name_faults};
