//! How the API's certificate is known: by the CA, by a pinned fingerprint, or by what the system trusts. It is never left
//! unchecked, and a certificate that is refused is named by its fingerprint.

use std::fmt;
use std::sync::Arc;

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, OtherError, RootCertStore, SignatureScheme};
use sha2::{Digest as _, Sha256};

/// The SHA-256 digest of a certificate, as Proxmox prints it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Fingerprint([u8; 32]);

impl Fingerprint {
    /// Reads a fingerprint, with or without colons, in either case.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        let digits: String = text.trim().chars().filter(|c| *c != ':').collect();
        if digits.len() != 64 || !digits.is_ascii() {
            return None;
        }
        let mut bytes = [0; 32];
        for (index, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(digits.get(2 * index..2 * index + 2)?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Returns the fingerprint of a certificate.
    pub(crate) fn of(certificate: &CertificateDer<'_>) -> Self {
        Self(Sha256::digest(certificate).into())
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, byte) in self.0.iter().enumerate() {
            write!(f, "{}{byte:02X}", if index == 0 { "" } else { ":" })?;
        }
        Ok(())
    }
}

/// Which certificates are good.
#[derive(Debug, Clone)]
pub(crate) enum Trust {
    /// Exactly these, whoever signed them and whatever names they carry.
    Pinned(Vec<Fingerprint>),
    /// Those of these authorities, for the endpoint's name.
    Authorities(Vec<CertificateDer<'static>>),
    /// Those that this machine trusts, for the endpoint's name.
    System,
}

/// Returns the certificates of a PEM text.
pub(crate) fn certificates(pem: &[u8]) -> Vec<CertificateDer<'static>> {
    CertificateDer::pem_slice_iter(pem).filter_map(Result::ok).collect()
}

/// Why a certificate was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("its certificate is not the one that is pinned or trusted")]
pub(crate) struct Distrust {
    /// The fingerprint of the certificate that was shown.
    pub(crate) shown: String,
    /// Whether a fingerprint was pinned, and this is another one.
    pub(crate) is_pinned: bool,
    /// What is wrong with it, where no pin decides.
    pub(crate) why: String,
}

/// Returns the configuration of TLS for one cluster.
pub(crate) fn config(trust: &Trust) -> Result<ClientConfig, String> {
    let provider = Arc::new(ring::default_provider());
    let pins = match trust {
        Trust::Pinned(pins) => pins.clone(),
        _ => Vec::new(),
    };
    let roots = match trust {
        Trust::Pinned(_) => None,
        Trust::Authorities(certificates) => Some(certificates.clone()),
        Trust::System => Some(rustls_native_certs::load_native_certs().certs),
    };
    let authorities = match roots {
        None => None,
        Some(certificates) => {
            let mut roots = RootCertStore::empty();
            roots.add_parsable_certificates(certificates);
            if roots.is_empty() {
                return Err("no certificate authority is trusted on this machine".to_owned());
            }
            let builder = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider));
            Some(builder.build().map_err(|error| error.to_string())?)
        }
    };
    let verifier = Arc::new(Verifier { pins, authorities, provider: Arc::clone(&provider) });
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|error| error.to_string())?;
    let mut config = config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Ok(config)
}

/// Compares a pin, or asks the authorities, and names what it refuses.
#[derive(Debug)]
struct Verifier {
    pins: Vec<Fingerprint>,
    authorities: Option<Arc<WebPkiServerVerifier>>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Verifier {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let shown = Fingerprint::of(end_entity);
        let why = match &self.authorities {
            None if self.pins.contains(&shown) => return Ok(ServerCertVerified::assertion()),
            None => String::new(),
            Some(authorities) => {
                match authorities.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now) {
                    Ok(verified) => return Ok(verified),
                    Err(error) => error.to_string(),
                }
            }
        };
        let distrust = Distrust { shown: shown.to_string(), is_pinned: self.authorities.is_none(), why };
        Err(rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(Arc::new(distrust)))))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// Returns why a certificate was refused, if that is what a failed connection is about.
pub(crate) fn distrust(error: &std::io::Error) -> Option<Distrust> {
    let inner = error.get_ref()?.downcast_ref::<rustls::Error>()?;
    match inner {
        rustls::Error::InvalidCertificate(CertificateError::Other(OtherError(other))) => {
            other.downcast_ref::<Distrust>().cloned()
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fingerprints_are_read_in_any_spelling() {
        let plain = "8f3c".repeat(16);
        let colons = (0..32).map(|index| if index % 2 == 0 { "8F" } else { "3C" }).collect::<Vec<_>>().join(":");
        assert_eq!(Fingerprint::parse(&plain), Fingerprint::parse(&colons));
        assert_eq!(Fingerprint::parse(&plain).unwrap().to_string(), colons);
        for wrong in ["", "8F:3C", &plain[1..], &format!("{plain}00"), &plain.replace('8', "g"), &"é".repeat(32)] {
            assert_eq!(Fingerprint::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_text_without_a_certificate_has_none() {
        assert!(certificates(b"/etc/pve/pve-root-ca.pem").is_empty());
        assert!(certificates(b"-----BEGIN CERTIFICATE-----\nnot base64!\n-----END CERTIFICATE-----\n").is_empty());
    }
}
