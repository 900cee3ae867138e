//! The state that all calls share.

use std::sync::Arc;

use super::circuit_breaker::CircuitBreakers;
use super::metrics::ClientMetrics;
use super::peers::PeerDirectory;
use super::settings::ClientSettings;
use super::transport::Transport;

pub(super) struct Inner {
    pub settings: ClientSettings,
    pub transport: Transport,
    pub peers: Arc<PeerDirectory>,
    pub breakers: Arc<CircuitBreakers>,
    pub metrics: ClientMetrics,
}
