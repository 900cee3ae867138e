//! The section `[ses]`.

use std::time::Duration;

use secrecy::SecretString;

use crate::aws::access::{EndpointUrl, access, given};
use crate::config::Reader;

/// Mail by Amazon: where, as whom, and from whom. With no key set, what the machine knows: the
/// variables `AWS_*`, a profile, the role of the container or the instance.
#[derive(Clone, Debug, piton_macros::Settings)]
#[setting(check = Self::check)]
pub struct SesSettings {
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

    /// The address of something that speaks as SES does: moto, LocalStack, an endpoint inside of a
    /// VPC. **Default: Amazon's own, by the region.**
    pub endpoint_url: Option<EndpointUrl>,

    /// Who sends mail that does not say so itself, `Shop <shop@example.com>`. **Default: none.**
    pub from: Option<String>,

    /// How long it may take to connect. **Default: `3s`.**
    #[setting(max = "1h")]
    pub connect_timeout: Duration,

    /// How long one mail may take. Raise it when large attachments leave by a slow line.
    /// **Default: `25s`.**
    #[setting(max = "1day")]
    pub timeout: Duration,
}

impl Default for SesSettings {
    fn default() -> Self {
        Self {
            region_name: None,
            access_key_id: None,
            secret_access_key: None,
            session_token: None,
            endpoint_url: None,
            from: None,
            connect_timeout: Duration::from_secs(3),
            timeout: Duration::from_secs(25),
        }
    }
}

access!(SesSettings);

impl SesSettings {
    fn check(&self, from: &mut Reader<'_>) {
        self.access().check(from);
        let wrong = |from: &String| super::Mailbox::from(from.as_str()).parse().is_err();
        if given(&self.from, |from| from).as_ref().is_some_and(wrong) {
            from.refuse("from", "not the address of a sender", "Shop <shop@example.com>");
        }
    }
}
