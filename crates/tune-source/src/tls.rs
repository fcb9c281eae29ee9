//! TLS with rustls: certificates are always verified, against a file of the configuration or the system's own.

use std::collections::BTreeMap;
use std::sync::Arc;

use rustls::crypto::ring;
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::{AlertDescription, CertificateError, ClientConfig, RootCertStore};
use tune_core::path::AttributePath;
use tune_core::problem::Problem;
use tune_core::reading::Unreadable;
use tune_core::text::visible;
use tune_core::value::Value;

use crate::codes::{BAD_FILE, BAD_URL, CERTIFICATE, HANDSHAKE};
use crate::folder::Folder;
use crate::unreadable;

/// The attributes by which a block says how it trusts and is trusted, as paths below the configuration's folder.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct TlsFiles {
    /// Whose certificates are trusted; the system's where it is missing.
    pub ca_file: Option<String>,
    /// The certificate that is shown to the other side.
    pub cert_file: Option<String>,
    /// The key of that certificate.
    pub key_file: Option<String>,
    /// The name that the other side's certificate must be for, where it is not the name by which it is reached.
    pub server_name: Option<String>,
}

/// What a connection needs to be encrypted.
#[derive(Debug, Clone)]
pub struct Tls {
    pub(crate) config: Arc<ClientConfig>,
    server_name: Option<ServerName<'static>>,
}

impl TlsFiles {
    /// Returns what is wrong with the attributes `ca_file`, `cert_file`, `key_file` and `server_name` of a block.
    pub fn check(attributes: &BTreeMap<String, Value>) -> Vec<Problem> {
        let paths = ["ca_file", "cert_file", "key_file"];
        let mut problems: Vec<Problem> = paths.iter().filter_map(|name| Folder::check(attributes, name)).collect();
        let written = |name: &str| attributes.get(name).is_some_and(|value| *value != Value::Null);
        for (one, other) in [("cert_file", "key_file"), ("key_file", "cert_file")] {
            if written(one) && !written(other) {
                let message = format!("`{one}` without `{other}`");
                let path = AttributePath::attribute(one);
                let problem = Problem::new(BAD_FILE, path, message, "a certificate and its key go together");
                problems.push(problem.with_help(format!("write `{other}` too")));
            }
        }
        if let Some(name) = crate::attribute(attributes, "server_name")
            && ServerName::try_from(name).is_err()
        {
            let path = AttributePath::attribute("server_name");
            let problem = Problem::new(BAD_URL, path, "`server_name` is not a name", "not a name or an address");
            problems.push(problem.with_help("write the name or the address that the certificate is for"));
        }
        problems
    }

    /// Reads the files.
    pub fn load(&self, folder: &Folder) -> Result<Tls, Unreadable> {
        let builder = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .map_err(|error| unreadable(HANDSHAKE, error.to_string(), "Report this."))?
            .with_root_certificates(self.roots(folder)?);
        let mut config = match (&self.cert_file, &self.key_file) {
            (Some(certificate), Some(key)) => {
                let chain = certificates(folder, certificate)?;
                // The reason is not shown: it may quote the file.
                let key_der =
                    PrivateKeyDer::from_pem_slice(&folder.read(key)?).map_err(|_| not_pem(key, "private key"))?;
                builder.with_client_auth_cert(chain, key_der).map_err(|_| {
                    let message = format!("the key in `{}` cannot be used with `{certificate}`", visible(key, 200));
                    unreadable(BAD_FILE, message, "Name the key that belongs to the certificate, without a passphrase.")
                })?
            }
            _ => builder.with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let server_name = self.server_name.as_deref().and_then(|name| ServerName::try_from(name.to_owned()).ok());
        Ok(Tls { config: Arc::new(config), server_name })
    }

    fn roots(&self, folder: &Folder) -> Result<RootCertStore, Unreadable> {
        let mut roots = RootCertStore::empty();
        let Some(file) = &self.ca_file else {
            roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
            return Ok(roots);
        };
        for certificate in certificates(folder, file)? {
            roots.add(certificate).map_err(|_| not_pem(file, "certificate"))?;
        }
        Ok(roots)
    }
}

impl Tls {
    /// Returns the name that the certificate of a machine reached as `host` must be for.
    pub(crate) fn name_for(&self, host: &str) -> Result<ServerName<'static>, Unreadable> {
        if let Some(name) = &self.server_name {
            return Ok(name.clone());
        }
        ServerName::try_from(host.to_owned()).map_err(|_| {
            let message = format!("`{}` cannot be the name of a certificate", visible(host, 200));
            unreadable(BAD_URL, message, "Give the name of the certificate as `server_name`.")
        })
    }
}

fn certificates(folder: &Folder, file: &str) -> Result<Vec<CertificateDer<'static>>, Unreadable> {
    let content = folder.read(file)?;
    let all: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&content).collect();
    all.ok().filter(|all| !all.is_empty()).ok_or_else(|| not_pem(file, "certificate"))
}

fn not_pem(file: &str, what: &str) -> Unreadable {
    let message = format!("`{}` holds no {what} in PEM form that can be used", visible(file, 200));
    unreadable(BAD_FILE, message, "Name a file in PEM form, without a passphrase.")
}

/// Returns what a failed handshake means.
pub(crate) fn explain(at: &str, error: &rustls::Error) -> Unreadable {
    let shown = visible(&error.to_string(), 300);
    match error {
        rustls::Error::InvalidCertificate(reason) => {
            let message = format!("the certificate of {at} is not trusted: {}", reason_of(reason));
            unreadable(CERTIFICATE, message, help_for(reason))
        }
        rustls::Error::AlertReceived(alert) if wants_certificate(*alert) => {
            let message = format!("{at} refuses the connection: {shown}");
            unreadable(HANDSHAKE, message, "Give a certificate that it accepts, with `cert_file` and `key_file`.")
        }
        rustls::Error::InvalidMessage(_) => {
            let message = format!("{at} does not speak TLS");
            unreadable(HANDSHAKE, message, "Check the port, or write `http://` if it is not encrypted.")
        }
        _ => unreadable(HANDSHAKE, format!("no encrypted connection to {at}: {shown}"), "Check what serves there."),
    }
}

fn wants_certificate(alert: AlertDescription) -> bool {
    use AlertDescription as Alert;
    matches!(
        alert,
        Alert::CertificateRequired
            | Alert::BadCertificate
            | Alert::UnsupportedCertificate
            | Alert::CertificateRevoked
            | Alert::CertificateExpired
            | Alert::CertificateUnknown
            | Alert::UnknownCA
            | Alert::AccessDenied
    )
}

fn reason_of(reason: &CertificateError) -> String {
    use CertificateError as Reason;
    match reason {
        Reason::UnknownIssuer => "its issuer is not known".to_owned(),
        Reason::Expired | Reason::ExpiredContext { .. } => "it has expired".to_owned(),
        Reason::NotValidYet | Reason::NotValidYetContext { .. } => "it is not valid yet".to_owned(),
        Reason::NotValidForName | Reason::NotValidForNameContext { .. } => "it is for another name".to_owned(),
        Reason::BadSignature => "its signature is wrong".to_owned(),
        other => visible(&other.to_string(), 300),
    }
}

fn help_for(reason: &CertificateError) -> &'static str {
    use CertificateError as Reason;
    match reason {
        Reason::NotValidForName | Reason::NotValidForNameContext { .. } => {
            "Write the name that the certificate is for as `server_name`."
        }
        Reason::Expired | Reason::ExpiredContext { .. } | Reason::NotValidYet | Reason::NotValidYetContext { .. } => {
            "Renew the certificate, and check the clock of this machine."
        }
        _ => "Name the certificate of its issuer as `ca_file`.",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(pairs: &[(&str, &str)]) -> Vec<String> {
        let attributes = pairs.iter().map(|(name, value)| ((*name).to_owned(), Value::from(*value))).collect();
        TlsFiles::check(&attributes).into_iter().map(|problem| problem.message).collect()
    }

    #[test]
    fn mistakes_are_all_told() {
        assert!(
            check(&[("ca_file", "a"), ("cert_file", "b"), ("key_file", "c"), ("server_name", "etcd.local")]).is_empty()
        );
        assert_eq!(
            check(&[("ca_file", "/a"), ("cert_file", "b"), ("server_name", "no name")]),
            [
                "`ca_file` is not a path below the configuration's folder",
                "`cert_file` without `key_file`",
                "`server_name` is not a name",
            ]
        );
        assert_eq!(check(&[("key_file", "b")]), ["`key_file` without `cert_file`"]);
    }

    #[test]
    fn what_is_no_key_is_refused_and_never_shown() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::new(place.path());
        let own = rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap();
        let other = rcgen::KeyPair::generate().unwrap();
        std::fs::write(place.path().join("cert.pem"), own.cert.pem()).unwrap();
        std::fs::write(place.path().join("key.pem"), own.signing_key.serialize_pem()).unwrap();
        std::fs::write(place.path().join("other.pem"), other.serialize_pem()).unwrap();
        std::fs::write(
            place.path().join("junk.pem"),
            "-----BEGIN PRIVATE KEY-----\nhunter2!\n-----END PRIVATE KEY-----\n",
        )
        .unwrap();
        let load = |cert: &str, key: &str| {
            let files = TlsFiles { cert_file: Some(cert.into()), key_file: Some(key.into()), ..TlsFiles::default() };
            files.load(&folder).map(|_| ())
        };
        assert_eq!(load("cert.pem", "key.pem"), Ok(()));
        for (cert, key) in
            [("cert.pem", "other.pem"), ("cert.pem", "junk.pem"), ("key.pem", "key.pem"), ("junk.pem", "key.pem")]
        {
            let error = load(cert, key).unwrap_err();
            assert_eq!(error.code, BAD_FILE, "{cert} {key}");
            assert!(!error.message.contains("hunter2") && !error.message.contains("BEGIN"), "{}", error.message);
        }
    }
}
