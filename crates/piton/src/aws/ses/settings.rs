//! The section `[ses]`.

use super::mailbox::Mailbox;
use crate::aws::settings::{AwsSettings, non_empty};
use crate::config::{Reader, Settings};

/// Mail by Amazon SES: region, credentials and the default sender.
#[derive(Clone, Debug, Default)]
pub struct SesSettings {
    /// Region, credentials, endpoint and timeouts.
    pub aws: AwsSettings,

    /// The sender of mail that has none of its own, `Shop <shop@example.com>`. **Default: none.**
    pub from: Option<String>,
}

// Written by hand instead of derived, because the fields of `aws` are settings of this section itself,
// not of one below it.
impl Settings for SesSettings {
    const DOC: &'static str = "Mail by Amazon SES: region, credentials and the default sender. What is not set \
        comes from the machine:\nthe variables `AWS_*`, a profile, the role of the container or the instance.";

    fn read(from: &mut Reader<'_>) -> Self {
        const FROM: &str = "The sender of mail that has none of its own, `Shop <shop@example.com>`. **Default: none.**";
        let aws = AwsSettings::read(from);
        let sender = from.setting::<Option<String>>("from", FROM, None);
        let is_invalid = |from: &String| Mailbox::from(from.as_str()).check().is_err();
        if non_empty(&sender, |from| from).as_ref().is_some_and(is_invalid) {
            from.refuse("from", "not a valid address of a sender", "Shop <shop@example.com>");
        }
        Self { aws, from: sender }
    }
}
