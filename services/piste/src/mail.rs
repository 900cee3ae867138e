//! The letter that shows that an address belongs to who signs up with it.

use piton::aws::Kind;
use piton::aws::ses::{Email, Ses};
use piton::config::Reader;
use piton::prelude::*;

use crate::repositories::users::NewUser;

/// How accounts are activated.
#[derive(Clone, Debug, Settings)]
#[setting(check = Self::check)]
pub struct ActivationSettings {
    /// Where the letter leads, before the token. **Default: `http://127.0.0.1:5000/user/activate`.**
    pub url: String,
    /// Who the letter is from. Without a sender no letter is sent; in development the link stands in the
    /// log. **Default: `ses.from`.**
    pub from: Option<String>,
}

impl Default for ActivationSettings {
    fn default() -> Self {
        Self { url: "http://127.0.0.1:5000/user/activate".into(), from: None }
    }
}

impl ActivationSettings {
    fn check(&self, from: &mut Reader<'_>) {
        let wrong = |address: &String| !address.contains('@') || address.contains(char::is_control);
        if self.from.as_ref().is_some_and(wrong) {
            from.refuse("from", "not the address of a sender", "Gnar <gnar@example.com>");
        }
    }
}

/// Sends the letter.
///
/// # Errors
/// 422 if the user's address is none, 503 if SES is away: nothing was sent.
pub async fn send_activation(
    ses: &Ses,
    settings: &ActivationSettings,
    user: &NewUser,
) -> Result<()> {
    let link = format!("{}/{}", settings.url.trim_end_matches('/'), user.activation_token);
    let Some(from) = settings.from.as_deref().or(ses.sender()) else {
        if piton::app().production() {
            warn!("A user has signed up and gets no letter: set `activation.from`, or `ses.from`");
        } else {
            info!("Nobody is set as `activation.from`: activate {} at {link}", user.email);
        }
        return Ok(());
    };
    let email = Email::new()
        .from(from)
        // As an address and nothing else: a text could bring a name with it.
        .to(("", &user.email))
        .subject("Activate your account")
        .text(format!("Welcome! Follow this link to activate your account:\n\n{link}\n"))
        .html(format!("<p>Welcome! <a href=\"{link}\">Activate your account</a></p>"));
    match ses.send(email).await {
        Ok(_) => Ok(()),
        // Amazon has not seen it. The sender was looked at when the service started.
        Err(error) if error.kind() == Kind::Invalid && error.code().is_none() => {
            Err(Error::unprocessable("Email is not an address").plain().caused_by(error))
        }
        Err(error) => Err(error.into()),
    }
}
