//! Logging in: an API token is sent with every call; a password is changed for a ticket, which lasts two hours.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use hyper::Method;
use hyper::header::{AUTHORIZATION, COOKIE, HeaderMap, HeaderValue};
use serde_json::Value as Json;
use tokio::time::Instant;

use crate::failure::Failure;
use crate::http::{Call, encoded};
use crate::settings::Login;

/// After how long a ticket is renewed; it lasts two hours.
const RENEWED: Duration = Duration::from_hours(1);

/// How this client is logged in.
#[derive(Debug)]
pub(crate) struct Session {
    login: Login,
    ticket: Mutex<Option<Ticket>>,
}

/// A ticket, and the token that every write carries beside it.
struct Ticket {
    cookie: HeaderValue,
    prevention: HeaderValue,
    since: Instant,
}

/// Shows no secret.
impl std::fmt::Debug for Ticket {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Ticket").field("since", &self.since).finish_non_exhaustive()
    }
}

impl Session {
    /// Returns a session that has not begun.
    pub(crate) fn new(login: Login) -> Self {
        Self { login, ticket: Mutex::new(None) }
    }

    /// Returns the user or the token, without the secret.
    pub(crate) fn user(&self) -> &str {
        self.login.user()
    }

    /// Returns the headers that a call carries; `None` if a ticket is needed first.
    pub(crate) fn headers(&self, method: &Method) -> Option<HeaderMap> {
        let mut headers = HeaderMap::new();
        match &self.login {
            Login::Token { id, secret } => {
                headers.insert(AUTHORIZATION, secret_header(&format!("PVEAPIToken={id}={secret}"))?);
            }
            Login::Password { .. } => {
                let ticket = self.ticket.lock().unwrap_or_else(PoisonError::into_inner);
                let ticket = ticket.as_ref().filter(|ticket| ticket.since.elapsed() < RENEWED)?;
                headers.insert(COOKIE, ticket.cookie.clone());
                if *method != Method::GET {
                    headers.insert("CSRFPreventionToken", ticket.prevention.clone());
                }
            }
        }
        Some(headers)
    }

    /// Returns the call that gets a ticket.
    pub(crate) fn login_call(&self) -> Call {
        let call = Call::post(&["access", "ticket"]);
        match &self.login {
            Login::Password { user, password } => call.with("username", user).with("password", password),
            Login::Token { .. } => call,
        }
    }

    /// Takes the ticket from the answer.
    pub(crate) fn accept(&self, data: &Json) -> Result<(), Failure> {
        if data["NeedTFA"].as_u64().is_some_and(|need| need != 0) {
            let reason = "the user has a second factor, which nobody is there to give: use an API token".to_owned();
            return Err(Failure::NotLoggedIn { reason });
        }
        let header = |name: &str| data[name].as_str();
        let ticket = header("ticket").zip(header("CSRFPreventionToken")).and_then(|(ticket, prevention)| {
            Some(Ticket {
                cookie: secret_header(&format!("PVEAuthCookie={}", encoded(ticket)))?,
                prevention: secret_header(prevention)?,
                since: Instant::now(),
            })
        });
        let ticket = ticket.ok_or_else(|| Failure::NotApi { what: "a ticket that is none".to_owned() })?;
        *self.ticket.lock().unwrap_or_else(PoisonError::into_inner) = Some(ticket);
        Ok(())
    }

    /// Forgets the ticket; returns whether there was one that could be renewed.
    pub(crate) fn forget(&self) -> bool {
        self.ticket.lock().unwrap_or_else(PoisonError::into_inner).take().is_some()
    }
}

fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_str(text).ok()?;
    value.set_sensitive(true);
    Some(value)
}
