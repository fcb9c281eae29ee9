//! Certificates for the nodes, made anew at each start, and the TLS settings of their servers.

use std::collections::BTreeMap;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use rustls::ServerConfig;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use tokio_rustls::TlsAcceptor;

/// One node's certificate, ready to be served.
pub(crate) struct Identity {
    pub(crate) acceptor: TlsAcceptor,
    /// SHA-256 of the certificate, in upper-case pairs with colons.
    pub(crate) fingerprint: String,
}

/// The identities of all nodes.
pub(crate) struct Identities {
    /// The certificate of the authority that signed them; absent where each node signed its own.
    pub(crate) ca_pem: Option<String>,
    pub(crate) nodes: BTreeMap<String, Identity>,
}

/// Why no certificate could be made.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// Making keys or signing failed.
    #[error("the certificates cannot be made: {0}")]
    Certificate(#[from] rcgen::Error),
    /// The TLS library refuses the certificate.
    #[error("the certificates cannot be used: {0}")]
    Config(#[from] rustls::Error),
}

/// Makes a certificate for each node, signed by an authority of the cluster or by the node itself.
pub(crate) fn identities<'a>(
    nodes: impl Iterator<Item = &'a String>,
    self_signed: bool,
) -> Result<Identities, TlsError> {
    let ca_key = KeyPair::generate()?;
    let mut ca_params = CertificateParams::new(Vec::new())?;
    ca_params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca_params.distinguished_name.push(DnType::CommonName, "Proxmox Virtual Environment");
    let ca_pem = ca_params.self_signed(&ca_key)?.pem();
    let issuer = Issuer::new(ca_params, ca_key);
    let mut identities = BTreeMap::new();
    for node in nodes {
        let names = ["127.0.0.1", "::1", "localhost", node.as_str()].map(str::to_owned);
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(names)?;
        params.distinguished_name.push(DnType::CommonName, node.as_str());
        let certificate = if self_signed { params.self_signed(&key)? } else { params.signed_by(&key, &issuer)? };
        let identity = identity(certificate.der().clone(), &key)?;
        identities.insert(node.clone(), identity);
    }
    Ok(Identities { ca_pem: (!self_signed).then_some(ca_pem), nodes: identities })
}

fn identity(certificate: CertificateDer<'static>, key: &KeyPair) -> Result<Identity, TlsError> {
    let pairs: Vec<String> = Sha256::digest(&certificate).iter().map(|byte| format!("{byte:02X}")).collect();
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)?;
    Ok(Identity { acceptor: TlsAcceptor::from(Arc::new(config)), fingerprint: pairs.join(":") })
}
