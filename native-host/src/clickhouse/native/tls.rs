//! TLS below the native protocol: the operator's as configured, a token's as it says, with nothing of each other.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use housekey_core::clickhouse::{ClientFiles, TokenTls};
use housekey_core::config::Tls;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};

use super::super::pool::{CLIENT_FILES, PoolError, read};
use super::super::token_clients::{TokenTlsError, read_claimed};

type Verifier = Arc<dyn ServerCertVerifier>;

/// How TLS is spoken as the operator configured it.
pub(super) fn operator(tls: &Tls) -> Result<Arc<ClientConfig>, PoolError> {
    let unusable = |what| move |error: String| PoolError::Pem { what, error };
    let verifier = match &tls.ca_cert {
        _ if tls.insecure_skip_verify => Arc::new(Anyone::new()),
        Some(path) => {
            let found = authorities(&read(path)?).map_err(unusable("clickhouse.tls.ca_cert"))?;
            let roots = found.ok_or_else(|| PoolError::NoAuthority { path: path.clone() })?;
            trusting(roots).map_err(unusable("clickhouse.tls.ca_cert"))?
        }
        None => system().map_err(PoolError::Tls)?,
    };
    match (&tls.client_cert, &tls.client_key) {
        (Some(cert), Some(key)) => {
            present(verifier, &read(cert)?, &read(key)?).map_err(unusable(CLIENT_FILES))
        }
        (Some(_) | None, _) => Ok(Arc::new(builder(verifier).with_no_client_auth())),
    }
}

/// TLS as tokens want it. Files are read for each connection: few are made, and none with what was taken away.
pub(super) struct TokenWays {
    directory: Option<PathBuf>,
    /// Reading the system's authorities takes some ten milliseconds.
    system: Mutex<Option<Verifier>>,
}

impl TokenWays {
    pub(super) fn new(tls_directory: Option<&str>) -> Self {
        Self { directory: tls_directory.map(PathBuf::from), system: Mutex::default() }
    }

    /// Reads files, so it is nothing for a thread that others wait for.
    pub(super) fn config(&self, tls: &TokenTls) -> Result<Arc<ClientConfig>, TokenTlsError> {
        let read = |claim, file| read_claimed(self.directory.as_deref(), claim, file);
        let verifier = match &tls.ca_cert {
            _ if tls.insecure_skip_verify => Arc::new(Anyone::new()),
            Some(file) => {
                const CLAIM: &str = "tls_ca_cert";
                let unusable =
                    |error| TokenTlsError::NotAuthority { claim: CLAIM, file: file.clone(), error };
                let found = authorities(&read(CLAIM, file)?).map_err(unusable)?;
                let roots = found.ok_or_else(|| unusable("there is none in it".to_owned()))?;
                trusting(roots).map_err(unusable)?
            }
            None => self.system().map_err(TokenTlsError::Client)?,
        };
        match &tls.client {
            Some(files) => {
                let cert = read("tls_client_cert", &files.cert)?;
                let key = read("tls_client_key", &files.key)?;
                present(verifier, &cert, &key).map_err(|error| {
                    let ClientFiles { cert, key } = files.clone();
                    TokenTlsError::NotIdentity { cert, key, error }
                })
            }
            None => Ok(Arc::new(builder(verifier).with_no_client_auth())),
        }
    }

    fn system(&self) -> Result<Verifier, String> {
        let mut kept = self.system.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(verifier) = &*kept {
            return Ok(Arc::clone(verifier));
        }
        let verifier = system()?;
        *kept = Some(Arc::clone(&verifier));
        Ok(verifier)
    }
}

fn builder(verifier: Verifier) -> rustls::ConfigBuilder<ClientConfig, rustls::client::WantsClientCert> {
    ClientConfig::builder().dangerous().with_custom_certificate_verifier(verifier)
}

fn present(verifier: Verifier, cert: &[u8], key: &[u8]) -> Result<Arc<ClientConfig>, String> {
    let chain: Vec<_> =
        CertificateDer::pem_slice_iter(cert).collect::<Result<_, _>>().map_err(|error| error.to_string())?;
    let key = PrivateKeyDer::from_pem_slice(key).map_err(|error| error.to_string())?;
    let config = builder(verifier).with_client_auth_cert(chain, key).map_err(|error| error.to_string())?;
    Ok(Arc::new(config))
}

/// The authorities of a file, if there are any.
fn authorities(pem: &[u8]) -> Result<Option<RootCertStore>, String> {
    let mut roots = RootCertStore::empty();
    for found in CertificateDer::pem_slice_iter(pem) {
        let found = found.map_err(|error| error.to_string())?;
        roots.add(found).map_err(|error| error.to_string())?;
    }
    Ok(Some(roots).filter(|roots| !roots.is_empty()))
}

fn trusting(roots: RootCertStore) -> Result<Verifier, String> {
    let verifier = WebPkiServerVerifier::builder(Arc::new(roots)).build();
    Ok(verifier.map_err(|error| error.to_string())?)
}

fn system() -> Result<Verifier, String> {
    let verifier = rustls_platform_verifier::Verifier::new(provider());
    Ok(Arc::new(verifier.map_err(|error| error.to_string())?))
}

/// The one that `install_cryptography` has chosen.
fn provider() -> Arc<CryptoProvider> {
    let ring = || Arc::new(rustls::crypto::ring::default_provider());
    CryptoProvider::get_default().cloned().unwrap_or_else(ring)
}

/// Accepts every certificate, for `insecure_skip_verify`. What is left is encryption with an unknown server.
#[derive(Debug)]
struct Anyone(Arc<CryptoProvider>);

impl Anyone {
    fn new() -> Self {
        Self(provider())
    }
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
