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
    #[setting(max = "1h")]
    pub connect_timeout: Duration,

    /// How long one call may take, attempts of it that failed included; receiving may take
    /// `wait_time` longer. **Default: `25s`.**
    #[setting(max = "1day")]
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
            timeout: Duration::from_secs(25),
        }
    }
}

access!(SqsSettings);

impl SqsSettings {
    fn check(&self, from: &mut Reader<'_>) {
        self.access().check(from);
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::aws::ses::SesSettings;
    use crate::config::{Config, Problems, Section};

    fn gnars(variables: &[(&'static str, &'static str)]) -> (Config, Problems) {
        let sections = [Section::of::<SqsSettings>("sqs"), Section::of::<SesSettings>("ses")];
        let known: Vec<&Section> = sections.iter().collect();
        let (config, mut problems) =
            Config::loader("GNAR").env(variables.iter().copied()).load(&known);
        problems.extend(config.check(&known, &known));
        (config, problems)
    }

    #[test]
    fn gnar_gears_variables_are_read_as_they_are() {
        let (config, problems) = gnars(&[
            ("GNAR_SQS_REGION_NAME", "us-west-2"),
            ("GNAR_SQS_ACCESS_KEY_ID", "AKIA"),
            ("GNAR_SQS_SECRET_ACCESS_KEY", "hunter2"),
            ("GNAR_SES_REGION_NAME", "us-east-1"),
        ]);
        assert!(problems.is_empty(), "{problems:?}");
        let sqs: SqsSettings = config.read("sqs", &mut Problems::default());
        assert_eq!(sqs.region_name.as_deref(), Some("us-west-2"));
        assert_eq!(sqs.access_key_id.as_deref(), Some("AKIA"));
        assert_eq!(sqs.secret_access_key.expect("it is set").expose_secret(), "hunter2");
        let ses: SesSettings = config.read("ses", &mut Problems::default());
        assert_eq!(ses.region_name.as_deref(), Some("us-east-1"));
    }

    #[test]
    fn half_a_key_and_a_sender_who_is_none_are_refused_by_name() {
        let (_, problems) =
            gnars(&[("GNAR_SQS_ACCESS_KEY_ID", "AKIA"), ("GNAR_SES_FROM", "nobody")]);
        let keys: Vec<&str> = problems.iter().map(|problem| &*problem.key).collect();
        assert_eq!(keys, ["sqs.secret_access_key", "ses.from"]);
    }

    #[test]
    fn a_variable_without_a_value_is_not_set() {
        let (config, problems) = gnars(&[
            ("GNAR_SQS_REGION_NAME", ""),
            ("GNAR_SQS_ACCESS_KEY_ID", ""),
            ("GNAR_SQS_SECRET_ACCESS_KEY", ""),
            ("GNAR_SQS_SESSION_TOKEN", ""),
            ("GNAR_SQS_ENDPOINT_URL", ""),
            ("GNAR_SES_FROM", ""),
        ]);
        assert!(problems.is_empty(), "{problems:?}");
        let access = config.read::<SqsSettings>("sqs", &mut Problems::default()).access();
        assert!(access.region_name.is_none() && access.endpoint_url.is_none());
        assert!(access.access_key_id.is_none() && access.secret_access_key.is_none());
        assert!(access.session_token.is_none());
    }

    #[test]
    fn what_cannot_be_a_region_is_refused_at_launch() {
        let (_, problems) = gnars(&[("GNAR_SQS_REGION_NAME", "Frankfurt am Main")]);
        let keys: Vec<&str> = problems.iter().map(|problem| &*problem.key).collect();
        assert_eq!(keys, ["sqs.region_name"]);
    }
}
