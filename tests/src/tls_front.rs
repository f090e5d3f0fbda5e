//! TLS before a ClickHouse that speaks none, with an authority and certificates of its own.

use std::net::Ipv4Addr;
use std::sync::Arc;

use anyhow::Result;
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::client::install_tls;

/// The front; dropping it closes it and takes its files away.
#[derive(Debug)]
pub struct TlsFront {
    port: u16,
    files: TempDir,
    task: JoinHandle<()>,
}

impl TlsFront {
    /// Passes what comes over TLS on to a port of 127.0.0.1. Files: `ca.pem`, and `client.pem` with `client.key`, which
    /// the front demands if it is told to; beside them `other.pem`, an authority that vouches for nothing here.
    pub async fn open(to: u16, demands_certificate: bool) -> Result<Self> {
        install_tls();
        let files = tempfile::tempdir()?;
        let authority = Authority::new()?;
        let (cert, key) = authority.certify("127.0.0.1")?;
        let (client_cert, client_key) = authority.certify("client")?;
        for (name, pem) in [
            ("ca.pem", &authority.pem),
            ("client.pem", &client_cert),
            ("client.key", &client_key),
            ("other.pem", &Authority::new()?.pem),
        ] {
            std::fs::write(files.path().join(name), pem)?;
        }
        let builder = ServerConfig::builder();
        let builder = if demands_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes())?)?;
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder(roots.into()).build()?)
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes())?];
        let config = builder.with_single_cert(chain, PrivateKeyDer::from_pem_slice(key.as_bytes())?)?;
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let task = tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut client = acceptor.accept(stream).await?;
                    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Ok(Self { port, files, task })
    }

    /// Where it listens, at 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The folder of the files.
    pub fn folder(&self) -> String {
        self.files.path().to_string_lossy().into_owned()
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.task.abort();
    }
}

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Result<Self> {
        let key = KeyPair::generate()?;
        let mut params = CertificateParams::new(Vec::new())?;
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key)?.pem();
        Ok(Self { pem, issuer: Issuer::new(params, key) })
    }

    /// A certificate for a name, and its key.
    fn certify(&self, name: &str) -> Result<(String, String)> {
        let key = KeyPair::generate()?;
        let cert = CertificateParams::new(vec![name.to_owned()])?.signed_by(&key, &self.issuer)?;
        Ok((cert.pem(), key.serialize_pem()))
    }
}
