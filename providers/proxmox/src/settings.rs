//! What a `provider "proxmox"` block says: where the API is, how its certificate is known, and how to log in.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use rustls::pki_types::CertificateDer;
use schemars::JsonSchema;
use serde::Deserialize;
use tune_core::path::AttributePath;
use tune_core::problem::Problem;
use tune_core::resource::Provider;
use tune_core::schema::{HostReference, KindSchema};
use tune_core::text::visible;
use tune_core::value;
use tune_source::Folder;

use crate::codes::{BAD_LOGIN, BAD_PROVIDER, BAD_TLS};
use crate::tls::{Fingerprint, Trust, certificates};

/// A Proxmox VE cluster: where its API answers, how its certificate is known, and how to log in.
///
/// The certificate is always checked: by the cluster's own CA, by a fingerprint, or by what this machine trusts anyway.
#[derive(Debug, Deserialize, JsonSchema)]
#[schemars(title = "proxmox")]
#[serde(deny_unknown_fields)]
struct Attributes {
    /// Where the API answers, for example `https://pve.example:8006`. Any node of the cluster will do.
    #[serde(default)]
    endpoint: Option<String>,
    /// Several nodes of one cluster; the next one is asked when one cannot be reached.
    #[serde(default)]
    endpoints: Option<Vec<String>>,
    /// An API token, `USER@REALM!TOKENID=SECRET`.
    #[schemars(extend("x-tune-secret" = true))]
    #[serde(default)]
    api_token: Option<String>,
    /// A user with the realm, for example `root@pam`, in place of a token.
    #[serde(default)]
    username: Option<String>,
    /// The user's password.
    #[schemars(extend("x-tune-secret" = true))]
    #[serde(default)]
    password: Option<String>,
    /// The file with the certificates of the CA as PEM, a path below the configuration's folder. A cluster has a CA of its
    /// own: copy `/etc/pve/pve-root-ca.pem` from any node.
    #[serde(default)]
    ca_file: Option<String>,
    /// The SHA-256 fingerprint of the certificate that the endpoint shows.
    #[serde(default)]
    tls_fingerprint: Option<String>,
    /// Fingerprints of several nodes, or of the next certificate beside the present one.
    #[serde(default)]
    tls_fingerprints: Option<Vec<String>>,
    /// The host block of each node by the node's name, so that a machine is known to be down with its node.
    #[serde(default)]
    node_hosts: Option<BTreeMap<String, HostReference>>,
    /// How long one request may take, `35s` by default.
    #[serde(default)]
    request_timeout: Option<String>,
    /// How long to wait for a lock of a machine, for example that of a backup, `2m` by default.
    #[serde(default)]
    lock_timeout: Option<String>,
    /// How long a guest may take to shut down, `3m` by default.
    #[serde(default)]
    shutdown_timeout: Option<String>,
    /// How long after its start a machine is waited for to answer through its guest agent, `2m` by default.
    #[serde(default)]
    agent_timeout: Option<String>,
    /// Whether a guest that does not shut down in time is switched off, which may lose data in it.
    #[serde(default)]
    force_stop: Option<bool>,
}

/// Returns what may be written in a `provider "proxmox"` block.
pub(crate) fn schema() -> KindSchema {
    KindSchema::of::<Attributes>("proxmox")
}

/// A checked `provider` block.
#[derive(Debug, Clone)]
pub(crate) struct Settings {
    pub(crate) endpoints: Vec<Endpoint>,
    pub(crate) trust: Trust,
    pub(crate) login: Login,
    pub(crate) node_hosts: BTreeMap<String, String>,
    pub(crate) limits: Limits,
    /// Whether a guest that does not shut down in time is switched off.
    pub(crate) force_stop: bool,
}

/// Where an API answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Endpoint {
    pub(crate) host: String,
    pub(crate) port: u16,
    pub(crate) tls: bool,
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let scheme = if self.tls { "https" } else { "http" };
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

/// How to log in.
#[derive(Clone)]
pub(crate) enum Login {
    /// `USER@REALM!TOKENID` and the secret.
    Token { id: String, secret: String },
    /// A user with the realm, and the password.
    Password { user: String, password: String },
}

impl Login {
    /// Returns the user or the token, without the secret.
    pub(crate) fn user(&self) -> &str {
        match self {
            Self::Token { id, .. } => id,
            Self::Password { user, .. } => user,
        }
    }
}

/// Shows no secret.
impl fmt::Debug for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Login").field(&self.user()).finish()
    }
}

/// How long things may take.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Limits {
    pub(crate) request: Duration,
    pub(crate) lock: Duration,
    pub(crate) shutdown: Duration,
    pub(crate) agent: Duration,
}

impl Default for Limits {
    /// A request is proxied between nodes for 30 seconds at most.
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { request: seconds(35), lock: seconds(120), shutdown: seconds(180), agent: seconds(120) }
    }
}

/// Returns what a block says, or every mistake in it.
pub(crate) fn settings(provider: &Provider, folder: &Folder) -> Result<Settings, Vec<Problem>> {
    let attributes: Attributes = value::decode(&provider.attributes).map_err(|error| {
        // The text of the error may quote a value, and that may be a secret.
        let what = if error.is_data() { "an attribute has the wrong type" } else { "the block cannot be read" };
        vec![Problem::new(BAD_PROVIDER, AttributePath::default(), what, "")]
    })?;
    let mut problems = Vec::new();
    let endpoints = endpoints(&attributes, &mut problems);
    let login = login(&attributes).map_err(|problem| problems.push(problem)).ok();
    let trust = trust(&attributes, folder, &mut problems);
    let limits = limits(&attributes, &mut problems);
    let node_hosts = attributes.node_hosts.unwrap_or_default();
    match login {
        Some(login) if problems.is_empty() => Ok(Settings {
            endpoints,
            trust,
            login,
            node_hosts: node_hosts.into_iter().map(|(node, host)| (node, host.0)).collect(),
            limits,
            force_stop: attributes.force_stop.unwrap_or(false),
        }),
        _ => Err(problems),
    }
}

fn endpoints(attributes: &Attributes, problems: &mut Vec<Problem>) -> Vec<Endpoint> {
    let one = attributes.endpoint.iter().map(|text| (AttributePath::attribute("endpoint"), text));
    let several = attributes.endpoints.iter().flatten().enumerate();
    let several = several.map(|(index, text)| (AttributePath::attribute("endpoints").index(index), text));
    let written: Vec<(AttributePath, &String)> = one.chain(several).collect();
    if written.is_empty() {
        let problem =
            Problem::new(BAD_PROVIDER, AttributePath::default(), "nothing says where the API is", "no `endpoint`");
        problems.push(problem.with_help("write `endpoint = \"https://NODE:8006\"`"));
    }
    let mut endpoints = Vec::new();
    for (path, text) in written {
        match endpoint(text) {
            Ok(endpoint) => endpoints.push(endpoint),
            Err(label) => {
                let message = format!("`{}` is not where an API answers", visible(text, 120));
                problems.push(
                    Problem::new(BAD_PROVIDER, path, message, label)
                        .with_help("write it like `https://pve.example:8006`"),
                );
            }
        }
    }
    endpoints
}

fn endpoint(text: &str) -> Result<Endpoint, &'static str> {
    let (scheme, rest) = text.split_once("://").ok_or("it has no scheme")?;
    let rest = rest.strip_suffix('/').unwrap_or(rest);
    if rest.contains(['/', '?', '#', '@']) {
        return Err("it names more than a host and a port");
    }
    let (host, port) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']').ok_or("the address is not closed")?,
        None => rest.find(':').map_or((rest, ""), |at| rest.split_at(at)),
    };
    let port = match port.strip_prefix(':') {
        Some(digits) => digits.parse().map_err(|_| "the port is no number")?,
        None => 8006,
    };
    let is_host = |c: char| c.is_ascii_alphanumeric() || "-._:".contains(c);
    if host.is_empty() || !host.chars().all(is_host) {
        return Err("the host has no such name");
    }
    let host = host.to_owned();
    match scheme {
        "https" => Ok(Endpoint { host, port, tls: true }),
        // What is sent there does not leave the machine.
        "http" if ["127.0.0.1", "::1", "localhost"].contains(&host.as_str()) => Ok(Endpoint { host, port, tls: false }),
        "http" => Err("a token must not travel in the clear"),
        _ => Err("the scheme is `https`"),
    }
}

fn login(attributes: &Attributes) -> Result<Login, Problem> {
    let at = AttributePath::attribute;
    let wrong = |path: AttributePath, message: &str, help: &str| {
        Err(Problem::new(BAD_LOGIN, path, message, "no login").with_help(help))
    };
    match (&attributes.api_token, &attributes.username, &attributes.password) {
        (Some(token), None, None) => {
            // The secret has no `=` in it, so the last one separates.
            let parts = token.rsplit_once('=').filter(|(id, secret)| is_token(id) && is_plain(secret));
            match parts {
                Some((id, secret)) => Ok(Login::Token { id: id.to_owned(), secret: secret.to_owned() }),
                None => wrong(
                    at("api_token"),
                    "this is no API token",
                    "write it as `USER@REALM!TOKENID=SECRET`, where the token's id has two characters or more",
                ),
            }
        }
        (None, Some(user), Some(password)) => {
            if !user.contains('@') || !is_plain(user) {
                return wrong(at("username"), "the user has no realm", "write it like `root@pam`");
            }
            Ok(Login::Password { user: user.clone(), password: password.clone() })
        }
        (None, None, None) => wrong(
            AttributePath::default(),
            "nothing says how to log in",
            "write `api_token`, or `username` and `password`",
        ),
        (None, Some(_), None) => {
            wrong(at("username"), "the user has no password", "write `password` too, or `api_token` alone")
        }
        (None, None, Some(_)) => {
            wrong(at("password"), "the password has no user", "write `username` too, or `api_token` alone")
        }
        (Some(_), _, _) => {
            wrong(at("api_token"), "there are two ways to log in", "write `api_token`, or `username` and `password`")
        }
    }
}

fn is_token(id: &str) -> bool {
    let Some((user, token)) = id.rsplit_once('!') else { return false };
    user.contains('@') && token.len() > 1 && token.starts_with(|c: char| c.is_ascii_alphabetic()) && is_plain(id)
}

/// Whether a text can stand in a header.
fn is_plain(text: &str) -> bool {
    !text.is_empty() && text.chars().all(|c| c.is_ascii_graphic() && c != ';')
}

fn trust(attributes: &Attributes, folder: &Folder, problems: &mut Vec<Problem>) -> Trust {
    let one = attributes.tls_fingerprint.iter().map(|text| (AttributePath::attribute("tls_fingerprint"), text));
    let several = attributes.tls_fingerprints.iter().flatten().enumerate();
    let several = several.map(|(index, text)| (AttributePath::attribute("tls_fingerprints").index(index), text));
    let mut pins = Vec::new();
    for (path, text) in one.chain(several) {
        match Fingerprint::parse(text) {
            Some(pin) => pins.push(pin),
            None => problems.push(
                Problem::new(
                    BAD_TLS,
                    path,
                    "this is no SHA-256 fingerprint",
                    "32 pairs of hexadecimal digits are wanted",
                )
                .with_help(
                    "on the node, run `openssl x509 -noout -fingerprint -sha256 -in /etc/pve/local/pve-ssl.pem`",
                ),
            ),
        }
    }
    let mut authorities = Vec::new();
    if let Some(path) = &attributes.ca_file {
        match ca(path, folder) {
            Ok(found) => authorities = found,
            Err(problem) => problems.push(problem),
        }
    }
    match (pins.is_empty(), authorities.is_empty()) {
        (false, _) => Trust::Pinned(pins),
        (true, false) => Trust::Authorities(authorities),
        (true, true) => Trust::System,
    }
}

/// Returns the certificates in the file of a CA.
fn ca(path: &str, folder: &Folder) -> Result<Vec<CertificateDer<'static>>, Problem> {
    let wrong = |message: String, help: &str| {
        Problem::new(BAD_TLS, AttributePath::attribute("ca_file"), message, "no CA").with_help(help)
    };
    if path.contains('\n') {
        let message = "this is what a file holds, and not its path".to_owned();
        return Err(wrong(message, "write the path alone, `ca_file = \"pve-root-ca.pem\"`, without `file()`"));
    }
    let help =
        "copy `/etc/pve/pve-root-ca.pem` from a node into the configuration's folder, and write its path from there";
    let content = folder.read(path).map_err(|error| wrong(error.message, help))?;
    let found = certificates(&content);
    let empty = || wrong(format!("`{}` holds no certificate in PEM form", visible(path, 200)), help);
    if found.is_empty() { Err(empty()) } else { Ok(found) }
}

fn limits(attributes: &Attributes, problems: &mut Vec<Problem>) -> Limits {
    let mut limits = Limits::default();
    for (name, written, limit) in [
        ("request_timeout", &attributes.request_timeout, &mut limits.request),
        ("lock_timeout", &attributes.lock_timeout, &mut limits.lock),
        ("shutdown_timeout", &attributes.shutdown_timeout, &mut limits.shutdown),
        ("agent_timeout", &attributes.agent_timeout, &mut limits.agent),
    ] {
        let Some(text) = written else { continue };
        let Some(time) = time(text) else {
            let message = format!("`{}` is not a time", visible(text, 40));
            let problem = Problem::new(BAD_PROVIDER, AttributePath::attribute(name), message, "not a time");
            problems.push(problem.with_help("write it like `30s` or `2m`"));
            continue;
        };
        *limit = time;
    }
    limits
}

/// Returns a time such as `500ms`, `30s` or `2m`, up to a day.
fn time(text: &str) -> Option<Duration> {
    let digits = text.find(|c: char| !c.is_ascii_digit())?;
    let number: u64 = text[..digits].parse().ok()?;
    let unit = match &text[digits..] {
        "ms" => 1,
        "s" => 1000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => return None,
    };
    let time = Duration::from_millis(number.checked_mul(unit)?);
    (time <= Duration::from_hours(24)).then_some(time)
}

#[cfg(test)]
mod tests {
    use tune_core::address::Address;
    use tune_core::value::Value;

    use super::*;

    fn block(attributes: &[(&str, &str)]) -> Provider {
        let attributes = attributes.iter().map(|(name, text)| ((*name).to_owned(), Value::from(*text))).collect();
        Provider { address: Address::new("provider", "proxmox"), attributes }
    }

    const TOKEN: (&str, &str) = ("api_token", "tune@pve!tok=11111111-2222-3333-4444-000000000002");

    fn nowhere() -> Folder {
        Folder::new(std::path::Path::new("/nowhere"))
    }

    fn mistakes(attributes: &[(&str, &str)]) -> Vec<String> {
        let problems = settings(&block(attributes), &nowhere()).err().unwrap_or_default();
        problems.iter().map(|problem| format!("{}: {} ({})", problem.path, problem.message, problem.label)).collect()
    }

    #[test]
    fn an_endpoint_has_a_default_port() {
        for (text, shown) in [
            ("https://pve.maas", "https://pve.maas:8006"),
            ("https://10.0.0.1:443/", "https://10.0.0.1:443"),
            ("https://[fd00::1]", "https://[fd00::1]:8006"),
            ("http://127.0.0.1:18006", "http://127.0.0.1:18006"),
        ] {
            let found = settings(&block(&[("endpoint", text), TOKEN]), &nowhere()).unwrap();
            assert_eq!(found.endpoints[0].to_string(), shown);
        }
    }

    #[test]
    fn every_mistake_is_found_and_no_secret_is_shown() {
        let secret = "s3cr3t-s3cr3t";
        let found = mistakes(&[
            ("endpoint", "http://pve.maas:8006"),
            ("api_token", secret),
            ("tls_fingerprint", "8F:3C"),
            ("ca_file", "/etc/pve/pve-root-ca.pem"),
            ("lock_timeout", "soon"),
        ]);
        assert_eq!(
            found,
            [
                "endpoint: `http://pve.maas:8006` is not where an API answers (a token must not travel in the clear)",
                "api_token: this is no API token (no login)",
                "tls_fingerprint: this is no SHA-256 fingerprint (32 pairs of hexadecimal digits are wanted)",
                "ca_file: `/etc/pve/pve-root-ca.pem` cannot be read: entity not found (no CA)",
                "lock_timeout: `soon` is not a time (not a time)",
            ]
        );
        assert!(!found.concat().contains(secret));
        let found = settings(&block(&[("endpoint", "https://a"), TOKEN]), &nowhere()).unwrap();
        assert!(!format!("{found:?}").contains("11111111"), "{found:?}");
    }

    #[test]
    fn a_ca_is_a_file_below_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        let inside = folder.path().join("configuration");
        std::fs::create_dir(&inside).unwrap();
        std::fs::write(inside.join("notes.pem"), "no certificate").unwrap();
        std::fs::write(folder.path().join("other.pem"), "outside").unwrap();
        let said = |path: &str| {
            let attributes = [("endpoint", "https://a"), TOKEN, ("ca_file", path)];
            let problems = settings(&block(&attributes), &Folder::new(&inside)).unwrap_err();
            assert_eq!(problems.len(), 1);
            (problems[0].message.clone(), problems[0].help.clone().unwrap())
        };
        assert_eq!(said("notes.pem").0, "`notes.pem` holds no certificate in PEM form");
        assert_eq!(said("../other.pem").0, "`../other.pem` leads out of the configuration's folder");
        assert_eq!(said("gone.pem").0, "`gone.pem` cannot be read: entity not found");
        assert_eq!(
            said("-----BEGIN CERTIFICATE-----\nMIIB\n"),
            (
                "this is what a file holds, and not its path".to_owned(),
                "write the path alone, `ca_file = \"pve-root-ca.pem\"`, without `file()`".to_owned()
            )
        );
    }

    #[test]
    fn there_is_one_way_to_log_in() {
        let end = ("endpoint", "https://a");
        for (attributes, count) in [
            (vec![end], 1),
            (vec![end, TOKEN, ("username", "root@pam")], 1),
            (vec![end, ("username", "root"), ("password", "x")], 1),
            (vec![end, ("username", "root@pam")], 1),
            (vec![end, ("password", "x")], 1),
            (vec![end, ("username", "root@pam"), ("password", "x")], 0),
            (vec![end, ("api_token", "tune@pve!t=secret")], 1),
            (vec![TOKEN], 1),
        ] {
            assert_eq!(mistakes(&attributes).len(), count, "{attributes:?}");
        }
    }

    #[test]
    fn secrets_are_marked_in_the_schema() {
        let schema = schema();
        let secrets: Vec<&String> =
            schema.attributes.iter().filter(|(_, attribute)| attribute.is_secret).map(|(name, _)| name).collect();
        assert_eq!(secrets, ["api_token", "password"]);
    }
}
