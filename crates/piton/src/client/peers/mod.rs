//! Addresses of peers: from the settings, from the variables that Kubernetes sets for every pod, and in
//! development from variables of the same form with the service's prefix.

mod directory;
mod environment_check;
mod peer_address;

pub(super) use directory::{PeerDirectory, ResolvedPeer, name_faults};
pub use peer_address::PeerAddress;
pub(super) use peer_address::port;
