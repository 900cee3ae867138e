//! The section `[sqs]`.

use crate::aws::settings::AwsSettings;
use crate::config::{Reader, Settings};

/// Queues of Amazon SQS: region and credentials.
#[derive(Clone, Debug, Default)]
pub struct SqsSettings {
    /// Region, credentials, endpoint and timeouts.
    pub aws: AwsSettings,
}

// Written by hand instead of derived, because the fields of `aws` are settings of this section itself,
// not of one below it.
impl Settings for SqsSettings {
    const DOC: &'static str = "Queues of Amazon SQS: region and credentials. What is not set comes from the \
        machine: the variables\n`AWS_*`, a profile, the role of the container or the instance.";

    fn read(from: &mut Reader<'_>) -> Self {
        Self { aws: AwsSettings::read(from) }
    }
}

#[cfg(test)]
mod tests {
    use secrecy::ExposeSecret;

    use super::*;
    use crate::aws::ses::SesSettings;
    use crate::config::{Config, Problems, Section};

    fn load_gnar(variables: &[(&'static str, &'static str)]) -> (Config, Problems) {
        let sections = [Section::of::<SqsSettings>("sqs"), Section::of::<SesSettings>("ses")];
        let known: Vec<&Section> = sections.iter().collect();
        let (config, mut problems) =
            Config::loader("GNAR").env(variables.iter().copied()).load(&known);
        problems.extend(config.check(&known, &known));
        (config, problems)
    }

    #[test]
    fn variables_of_gnar_gear_are_read() {
        let (config, problems) = load_gnar(&[
            ("GNAR_SQS_REGION_NAME", "us-west-2"),
            ("GNAR_SQS_ACCESS_KEY_ID", "AKIA"),
            ("GNAR_SQS_SECRET_ACCESS_KEY", "hunter2"),
            ("GNAR_SES_REGION_NAME", "us-east-1"),
        ]);
        assert!(problems.is_empty(), "{problems:?}");
        let sqs: SqsSettings = config.read("sqs", &mut Problems::default());
        assert_eq!(sqs.aws.region_name.as_deref(), Some("us-west-2"));
        assert_eq!(sqs.aws.access_key_id.as_deref(), Some("AKIA"));
        assert_eq!(sqs.aws.secret_access_key.expect("it is set").expose_secret(), "hunter2");
        let ses: SesSettings = config.read("ses", &mut Problems::default());
        assert_eq!(ses.aws.region_name.as_deref(), Some("us-east-1"));
    }

    #[test]
    fn half_a_key_and_an_invalid_sender_are_refused_by_name() {
        let (_, problems) =
            load_gnar(&[("GNAR_SQS_ACCESS_KEY_ID", "AKIA"), ("GNAR_SES_FROM", "nobody")]);
        let keys: Vec<&str> = problems.iter().map(|problem| &*problem.key).collect();
        assert_eq!(keys, ["sqs.secret_access_key", "ses.from"]);
    }

    #[test]
    fn an_empty_variable_counts_as_not_set() {
        let (config, problems) = load_gnar(&[
            ("GNAR_SQS_REGION_NAME", ""),
            ("GNAR_SQS_ACCESS_KEY_ID", ""),
            ("GNAR_SQS_SECRET_ACCESS_KEY", ""),
            ("GNAR_SQS_SESSION_TOKEN", ""),
            ("GNAR_SQS_ENDPOINT_URL", ""),
            ("GNAR_SES_FROM", ""),
        ]);
        assert!(problems.is_empty(), "{problems:?}");
        let sqs: SqsSettings = config.read("sqs", &mut Problems::default());
        let aws = sqs.aws.without_empty();
        assert!(aws.region_name.is_none() && aws.endpoint_url.is_none());
        assert!(aws.access_key_id.is_none() && aws.secret_access_key.is_none());
        assert!(aws.session_token.is_none());
    }

    #[test]
    fn an_invalid_region_is_refused_at_launch() {
        let (_, problems) = load_gnar(&[("GNAR_SQS_REGION_NAME", "Frankfurt am Main")]);
        let keys: Vec<&str> = problems.iter().map(|problem| &*problem.key).collect();
        assert_eq!(keys, ["sqs.region_name"]);
    }
}
