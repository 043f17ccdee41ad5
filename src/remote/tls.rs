//! TLS for the protocols that offkey or its libraries speak over plain TCP connections.

use std::path::PathBuf;
use std::sync::Arc;

use rustls_platform_verifier::BuilderVerifierExt;
use tokio_rustls::rustls::crypto::aws_lc_rs::default_provider;
use tokio_rustls::rustls::pki_types::CertificateDer;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

/// Whether and how a connection is encrypted.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub enum Tls {
    /// Clear text: for this machine and for networks that encrypt by themselves.
    #[default]
    Off,
    /// TLS with the authorities that this machine trusts.
    System,
    /// TLS with the authorities of a PEM file only.
    Authority(PathBuf),
}

/// What a client checks a server by; the reason in words when that cannot be read.
pub(super) fn client_config(tls: &Tls) -> Result<ClientConfig, String> {
    let text = |error: &dyn std::fmt::Display| error.to_string();
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .map_err(|error| text(&error))?;
    let Tls::Authority(path) = tls else {
        return Ok(builder.with_platform_verifier().map_err(|error| text(&error))?.with_no_client_auth());
    };
    let pem = std::fs::read(path).map_err(|error| format!("{}: {error}", path.display()))?;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_slice_iter(&pem) {
        let certificate = certificate.map_err(|_| format!("{} holds no certificate", path.display()))?;
        roots.add(certificate).map_err(|error| text(&error))?;
    }
    if roots.is_empty() {
        return Err(format!("{} holds no certificate", path.display()));
    }
    Ok(builder.with_root_certificates(roots).with_no_client_auth())
}
