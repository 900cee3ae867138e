//! The section `[sqs]`.

use std::time::Duration;

use secrecy::SecretString;

use crate::aws::access::{EndpointUrl, access};
use crate::config::Reader;

/// Amazon's queues: where, and as whom. With nothing set, what the machine knows: the variables
/// `AWS_*`, a profile, the role of the container or the instance.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct SqsSettings {
    /// The region, such as `eu-central-1`. **Default: that of the machine's own settings
    /// (`AWS_REGION`).**
    pub region_name: Option<String>,

    /// The id of the key by which requests are signed. Leave it out where the machine has a role.
    /// **Default: the machine's own credentials.**
    pub access_key_id: Option<String>,

    /// The key's secret. **Default: the machine's own credentials.**
    pub secret_access_key: Option<SecretString>,

    /// The token that belongs to a key for a while only. **Default: none.**
    pub session_token: Option<SecretString>,

    /// The address of something that speaks as SQS does: moto, LocalStack, ElasticMQ, an endpoint
    /// inside of a VPC. **Default: Amazon's own, by the region.**
    pub endpoint_url: Option<EndpointUrl>,

    /// How long it may take to connect. **Default: `3s`.**
    pub connect_timeout: Duration,

    /// How long one call may take, attempts of it that failed included; receiving may take
    /// `wait_time` longer. **Default: `30s`.**
    pub timeout: Duration,
}

impl Default for SqsSettings {
    fn default() -> Self {
        Self {
            region_name: None,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            endpoint_url: None,
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(30),
        }
    }
}

access!(SqsSettings);

impl SqsSettings {
    fn check(&self, from: &mut Reader<'_>) {
        self.access().check(from);
    }
}
