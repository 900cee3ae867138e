//! The email by which a new user activates the account.

use piton::aws::Kind;
use piton::aws::ses::{Email, Mailbox, Ses, SesSettings};
use piton::config::{AddressError, HttpUrl, Problem, Problems, Reader};
use piton::prelude::*;
use piton::{HttpSettings, LaunchError, Setup};

use crate::repositories::users::NewUser;

/// The activation of accounts.
#[derive(Clone, Debug, Default, Settings)]
#[setting(check = Self::check)]
pub struct ActivationSettings {
    /// The address of the link in the email, without the token: the public address of `/user/activate`.
    /// Required in production if emails are sent. **Default: in development this service itself.**
    pub url: Option<String>,
    /// The sender of the email. Without a sender no email is sent; in development the link is logged.
    /// **Default: `ses.from`.**
    pub from: Option<String>,
}

impl ActivationSettings {
    fn check(&self, from: &mut Reader<'_>) {
        let wrong = |sender: &String| Mailbox::from(sender).check().is_err();
        if self.from.as_ref().is_some_and(wrong) {
            from.refuse("from", "not the address of a sender", "Gnar <gnar@example.com>");
        }
        if let Some(Err(why)) = self.url.as_deref().map(check_page) {
            from.refuse(
                "url",
                format!("not the address of a page: {why}"),
                "https://gnar.example.com/user/activate",
            );
        }
    }

    /// Returns the address of the link, without the token.
    fn url(&self) -> String {
        self.url.clone().unwrap_or_else(|| {
            let http: HttpSettings = piton::app().config().read("http", &mut Problems::default());
            format!("http://127.0.0.1:{}/user/activate", http.port)
        })
    }
}

/// Refuses URLs that a browser could not open, or that would end the `href` attribute in the email.
fn check_page(url: &str) -> Result<(), &'static str> {
    if url.contains(['"', '<', '>', '\'', '\\']) {
        return Err("it contains a quote, `<`, `>` or `\\`");
    }
    // The fragment is free, because it is not sent to the server and a page may use it for its own
    // paths.
    let (bare, fragment) = url.split_once('#').unwrap_or((url, ""));
    if fragment.contains(|c: char| c.is_whitespace() || c.is_control()) {
        return Err(AddressError::Space.reason());
    }
    bare.parse::<HttpUrl>().map(drop).map_err(AddressError::reason)
}

/// Refuses to start in production if the link would lead to the reader's own machine.
///
/// # Errors
/// The missing setting.
pub async fn check(setup: Setup) -> Result<(), LaunchError> {
    let handle = setup.handle();
    let settings: ActivationSettings = handle.state().unwrap_or_default();
    if !handle.production() {
        return Ok(());
    }
    // From the settings instead of the part, because a command such as `migrate` starts no part that
    // sends email.
    let ses: SesSettings = handle.config().read("ses", &mut Problems::default());
    let is_set = |sender: &Option<String>| sender.as_ref().is_some_and(|it| !it.trim().is_empty());
    if !is_set(&settings.from) && !is_set(&ses.from) {
        warn!("New users get no email: set `activation.from`, or `ses.from`");
        return Ok(());
    }
    if settings.url.is_some() {
        return Ok(());
    }
    let fix = "GNAR_ACTIVATION_URL=https://gnar.example.com/user/activate";
    let problem = Problem::new("activation.url", "the emails need the address of a link", fix);
    Err(LaunchError::Settings(Problems(vec![problem])))
}

/// Sends the activation email.
///
/// # Errors
/// 422 if the user's address is invalid, 503 if SES is unavailable. No email was sent then.
pub async fn send_activation(
    ses: &Ses,
    settings: &ActivationSettings,
    user: &NewUser,
) -> Result<()> {
    let link = format!("{}/{}", settings.url().trim_end_matches('/'), user.activation_token);
    let Some(from) = settings.from.as_deref().or(ses.sender()) else {
        if !piton::app().production() {
            info!("`activation.from` is not set: activate {} at {link}", user.email);
        }
        return Ok(());
    };
    let email = Email::new()
        .from(from)
        // As an address alone, because a text could contain a name, too.
        .to(("", &user.email))
        .subject("Activate your account")
        .text(format!("Welcome! Follow this link to activate your account:\n\n{link}\n"))
        .html(format!("<p>Welcome! <a href=\"{link}\">Activate your account</a></p>"));
    match ses.send(email).await {
        Ok(_) => Ok(()),
        // The user's address is at fault, because Amazon has not seen the email, and the sender was
        // checked when the service started.
        Err(error) if error.kind() == Kind::Invalid && error.code().is_none() => {
            Err(Error::unprocessable("Email is not an address").plain().caused_by(error))
        }
        Err(error) => Err(error.into()),
    }
}
