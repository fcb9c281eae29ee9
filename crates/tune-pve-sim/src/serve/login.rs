//! Who sends a request.

use regex::Regex;

use crate::api::access::{csrf_is_good, ticket_user};
use crate::conf::percent_decode;
use crate::schema::formats::pattern;
use crate::world::World;

use super::http::Request;

/// The value that follows a name in a header, decoded and cut at the first semicolon; nothing if it is empty.
fn value(name: &Regex, header: Option<&str>) -> Option<String> {
    let found = name.captures(header?)?;
    let decoded = percent_decode(found[1].as_bytes());
    let text = String::from_utf8_lossy(&decoded).into_owned();
    (!text.is_empty()).then_some(text)
}

/// The user or token of a request; empty where a call needs nobody. The error is the reason of the answer 401.
pub(super) fn log_in(world: &World, request: &Request, path: &str) -> Result<String, &'static str> {
    let public = match (request.method.as_str(), path) {
        ("GET", "/access/domains") => true,
        (method, "/access/ticket") => method == "GET" || method == "POST",
        _ => false,
    };
    // A ticket may stand in either header; a token counts only where there is none.
    let name = pattern!(r"(?:^|\s)PVEAuthCookie(?:=| )([^;]*)");
    let header = request.header("authorization");
    let ticket = value(name, request.header("cookie")).or_else(|| value(name, header));
    let token = value(pattern!(r"(?:^|\s)PVEAPIToken(?:=| )([^;]*)"), header);
    match (ticket, token) {
        (None, Some(token)) => token_user(world, &token).ok_or(FAILED),
        _ if public => Ok(String::new()),
        (None, None) => Err("No ticket"),
        (Some(ticket), _) => {
            let user = ticket_user(world, &ticket).ok_or(FAILED)?;
            let csrf = request.header("csrfpreventiontoken").unwrap_or_default();
            if request.method != "GET" && !csrf_is_good(world, &user, csrf) {
                return Err("Permission denied - invalid csrf token");
            }
            Ok(user)
        }
    }
}

const FAILED: &str = "Authentication failed!";

/// The full name of a token whose secret is right; the secret is behind the last `=`.
fn token_user(world: &World, value: &str) -> Option<String> {
    let (name, secret) = value.rsplit_once('=')?;
    let shape = pattern!(r"^[^\s:/]+@[A-Za-z][A-Za-z0-9.\-_]+![A-Za-z][A-Za-z0-9.\-_]+$");
    (shape.is_match(name) && world.access.token_is_good(name, secret, world.unix())).then(|| name.to_owned())
}
