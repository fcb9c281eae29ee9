//! Where something is: a URL as a configuration writes it.

use std::fmt;

use hyper::Uri;
use tune_core::reading::Unreadable;
use tune_core::text::visible;

use crate::codes::BAD_URL;
use crate::unreadable;

/// Whether what is said is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scheme {
    /// It is not.
    Http,
    /// TLS.
    Https,
}

/// A port of a machine.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Place {
    /// A name or an address, without brackets around it.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// An `http` or `https` URL.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Url {
    /// Whether it is encrypted.
    pub scheme: Scheme,
    /// The machine and its port.
    pub place: Place,
    /// The path with the query; begins with `/`.
    pub path: String,
}

impl Url {
    /// Returns the URL that a text is, or what is wrong with it as a phrase.
    pub fn parse(text: &str) -> Result<Self, &'static str> {
        if text.contains('#') {
            return Err("it has a fragment");
        }
        let uri: Uri = text.parse().map_err(|_| "it cannot be read as one")?;
        let scheme = match uri.scheme_str() {
            Some("http") => Scheme::Http,
            Some("https") => Scheme::Https,
            _ => return Err("it begins neither with `http://` nor with `https://`"),
        };
        let authority = uri.authority().ok_or("it names no machine")?;
        if authority.as_str().contains('@') {
            return Err("it holds a user or a password");
        }
        let port = match (authority.as_str()[authority.host().len()..].strip_prefix(':'), scheme) {
            (Some(port), _) => port.parse().map_err(|_| "its port is not from 1 to 65535")?,
            (None, Scheme::Http) => 80,
            (None, Scheme::Https) => 443,
        };
        let host = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        if host.is_empty() {
            return Err("it names no machine");
        }
        if port == 0 {
            return Err("its port is not from 1 to 65535");
        }
        let path = uri.path_and_query().map_or("/", |path| path.as_str());
        let path = if path.starts_with('/') { path.to_owned() } else { format!("/{path}") };
        Ok(Self { scheme, place: Place { host, port }, path })
    }

    /// Returns the URL that a text is; for a text that was checked before.
    pub fn read(text: &str) -> Result<Self, Unreadable> {
        Self::parse(text).map_err(|reason| {
            let message = format!("`{}` cannot be used as a URL: {reason}", visible(text, 200));
            unreadable(BAD_URL, message, "Write it like `https://10.0.0.5:2379`.")
        })
    }

    /// Returns whether two URLs lead to the same service.
    pub fn same_origin(&self, other: &Self) -> bool {
        self.scheme == other.scheme && self.place == other.place
    }
}

/// Shows it as it is written, the port always.
impl fmt::Display for Url {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = match self.scheme {
            Scheme::Http => "http",
            Scheme::Https => "https",
        };
        write!(f, "{scheme}://{}{}", self.place, self.path)
    }
}

/// Shows `NAME:PORT`, with brackets around an IPv6 address.
impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn urls_are_read_with_their_usual_ports() {
        let shown = |text: &str| Url::parse(text).map(|url| url.to_string());
        assert_eq!(shown("http://a"), Ok("http://a:80/".to_owned()));
        assert_eq!(shown("https://a.b/x?y=1"), Ok("https://a.b:443/x?y=1".to_owned()));
        assert_eq!(shown("https://[fe80::1]:2379"), Ok("https://[fe80::1]:2379/".to_owned()));
        assert_eq!(shown("http://a?x"), Ok("http://a:80/?x".to_owned()));
        for text in [
            "",
            "a",
            "a:2379",
            "ftp://a",
            "http://",
            "http://u:p@a",
            "http://a:0",
            "http://a:",
            "http://a:99999",
            "http://a b",
            "http://a/#x",
        ] {
            assert!(Url::parse(text).is_err(), "{text}");
        }
    }

    proptest! {
        #[test]
        fn any_text_is_a_url_or_a_mistake(text in "(https?://)?\\PC{0,20}") {
            if let Ok(url) = Url::parse(&text) {
                prop_assert_eq!(Url::parse(&url.to_string()), Ok(url));
            }
        }
    }
}
