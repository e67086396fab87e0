//! Whom we believe: the authorities that this host trusts, and those of a file that the operator
//! names. The one place where TLS is set up, by *ring*; nothing is installed for the process.

use std::path::Path;
use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

/// A configuration that believes this host's authorities, and those in `file` (PEM).
pub(super) fn config(file: Option<&Path>) -> Result<ClientConfig, String> {
    let mut roots = RootCertStore::empty();
    // A broken certificate among the host's is its owner's affair; one that is missing shows as
    // "UnknownIssuer" when it is needed.
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = file {
        add(&mut roots, file).map_err(|cause| format!("the CA file {}: {cause}", file.display()))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let versions = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let versions = versions.map_err(|cause| cause.to_string())?;
    Ok(versions.with_root_certificates(roots).with_no_client_auth())
}

fn add(roots: &mut RootCertStore, file: &Path) -> Result<(), String> {
    let text = std::fs::read(file).map_err(|cause| cause.to_string())?;
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(&text) {
        let certificate = certificate.map_err(|cause| cause.to_string())?;
        roots.add(certificate).map_err(|cause| cause.to_string())?;
    }
    if roots.len() == before {
        return Err("it holds no certificate in PEM form".into());
    }
    Ok(())
}
