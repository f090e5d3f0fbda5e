//! Connections to servers that tokens chose: TLS as the token says, and nothing of the operator's.
//!
//! There is one client for each way to connect, so that no connection made in one way ever serves another.

use std::fs::metadata;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

use housekey_core::clickhouse::{ClientFiles, Reach, Scheme, TokenServer, TokenTls};
use reqwest::{Certificate, ClientBuilder, Identity};
use rustls::RootCertStore;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use tracing::warn;

use super::http::chain;
use super::pool::{NOBODY, builder};
use super::token_files::{FileError, read_below};
use crate::resolver::AddressRule;

/// Ways that are remembered; the one that was not used for the longest time goes first.
const MOST: usize = 64;
/// For how long files count as read: one that was renewed or taken away is noticed after this time.
const FRESH: Duration = Duration::from_secs(60);

/// Why TLS cannot be had as a token wants it. The texts are for the operator; files are relative to the directory.
#[derive(Debug, thiserror::Error)]
pub(crate) enum TokenTlsError {
    #[error("`{claim}` needs `server.jwe.tls_directory`, which is not set")]
    NoDirectory { claim: &'static str },
    #[error("the file {file:?} of `{claim}` {error}")]
    File { claim: &'static str, file: String, error: FileError },
    #[error("the file {file:?} of `{claim}` is not one of PEM certificates: {error}")]
    NotAuthority { claim: &'static str, file: String, error: String },
    #[error("the files {cert:?} and {key:?} of `tls_client_cert` and `tls_client_key` do not fit: {error}")]
    NotIdentity { cert: String, key: String, error: String },
    #[error("the TLS client could not be built: {0}")]
    Client(String),
}

/// How a connection is made.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Way {
    /// `None` without TLS.
    tls: Option<TokenTls>,
    reach: Reach,
}

impl Way {
    fn reads_files(&self) -> bool {
        self.tls.as_ref().is_some_and(|tls| tls.ca_cert.is_some() || tls.client.is_some())
    }
}

/// The clients of all ways that are in use.
pub(super) struct TokenClients {
    directory: Option<PathBuf>,
    kept: Mutex<Kept>,
}

impl TokenClients {
    pub(super) fn new(tls_directory: Option<&str>) -> Self {
        let directory = tls_directory.map(PathBuf::from);
        if let Some(problem) = directory.as_deref().and_then(no_folder) {
            warn!(
                "`server.jwe.tls_directory` {problem}: until it can be, tokens that name files are refused"
            );
        }
        Self { directory, kept: Mutex::default() }
    }

    /// The client for a server.
    pub(super) fn client(
        &self,
        scheme: Scheme,
        server: &TokenServer,
    ) -> Result<reqwest::Client, TokenTlsError> {
        self.client_at(scheme, server, Instant::now())
    }

    fn client_at(
        &self,
        scheme: Scheme,
        server: &TokenServer,
        now: Instant,
    ) -> Result<reqwest::Client, TokenTlsError> {
        let tls = match scheme {
            Scheme::Http | Scheme::Tcp => None,
            Scheme::Https | Scheme::Tcps => Some(server.tls.clone()),
        };
        let way = Way { tls, reach: server.reach };
        if let Some(client) = self.kept().find(&way, now) {
            return Ok(client);
        }
        // Files are read without the lock: a slow disk holds up nobody else's connections.
        let client = self.builder(&way)?.build().map_err(|error| not_built(&way, &error))?;
        self.kept().keep(Made { way, client: client.clone(), at: now });
        Ok(client)
    }

    fn kept(&self) -> std::sync::MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn builder(&self, way: &Way) -> Result<ClientBuilder, TokenTlsError> {
        let builder = match AddressRule::of(way.reach) {
            None => builder(),
            Some(rule) => builder().dns_resolver(rule.resolver()),
        };
        let Some(TokenTls { ca_cert, client, insecure_skip_verify }) = &way.tls else {
            return Ok(builder.tls_certs_only(NOBODY));
        };
        let mut builder = builder.tls_danger_accept_invalid_certs(*insecure_skip_verify);
        if let Some(file) = ca_cert {
            builder = builder.tls_certs_only(self.authorities("tls_ca_cert", file)?);
        }
        if let Some(files) = client {
            let mut pem = self.read("tls_client_cert", &files.cert)?;
            pem.push(b'\n');
            pem.extend(self.read("tls_client_key", &files.key)?);
            builder = builder.identity(Identity::from_pem(&pem).map_err(|error| not_built(way, &error))?);
        }
        Ok(builder)
    }

    fn authorities(&self, claim: &'static str, file: &str) -> Result<Vec<Certificate>, TokenTlsError> {
        let unusable = |error: String| TokenTlsError::NotAuthority { claim, file: file.to_owned(), error };
        let pem = self.read(claim, file)?;
        let mut store = RootCertStore::empty();
        let mut authorities = Vec::new();
        for found in CertificateDer::pem_slice_iter(&pem) {
            let found = found.map_err(|error| unusable(error.to_string()))?;
            authorities.push(Certificate::from_der(&found).map_err(|error| unusable(chain(&error)))?);
            // It would fail when the client is made, and nobody could tell which file was meant.
            store.add(found).map_err(|error| unusable(error.to_string()))?;
        }
        if authorities.is_empty() {
            return Err(unusable("there is none in it".to_owned()));
        }
        Ok(authorities)
    }

    fn read(&self, claim: &'static str, file: &str) -> Result<Vec<u8>, TokenTlsError> {
        read_claimed(self.directory.as_deref(), claim, file)
    }
}

/// The content of a file that a claim of a token names.
pub(super) fn read_claimed(
    directory: Option<&Path>,
    claim: &'static str,
    file: &str,
) -> Result<Vec<u8>, TokenTlsError> {
    let directory = directory.ok_or(TokenTlsError::NoDirectory { claim })?;
    read_below(directory, file).map_err(|error| TokenTlsError::File { claim, file: file.to_owned(), error })
}

/// Why a directory cannot be used now. It may be there later, as one that is mounted.
fn no_folder(directory: &Path) -> Option<String> {
    match metadata(directory) {
        Ok(about) if about.is_dir() => None,
        Ok(_) => Some("is no folder and cannot be used".to_owned()),
        Err(error) => Some(format!("cannot be used: {error}")),
    }
}

/// Authorities were judged before, so what remains to fail is above all a certificate with a key of another one.
fn not_built(way: &Way, error: &reqwest::Error) -> TokenTlsError {
    match way.tls.as_ref().and_then(|tls| tls.client.clone()) {
        Some(ClientFiles { cert, key }) => TokenTlsError::NotIdentity { cert, key, error: chain(error) },
        None => TokenTlsError::Client(chain(error)),
    }
}

/// Clients in the order of their last use.
#[derive(Default)]
struct Kept(Vec<Made>);

struct Made {
    way: Way,
    client: reqwest::Client,
    at: Instant,
}

impl Kept {
    fn find(&mut self, way: &Way, now: Instant) -> Option<reqwest::Client> {
        let place = self.0.iter().position(|made| made.way == *way)?;
        let made = self.0.remove(place);
        if way.reads_files() && now.saturating_duration_since(made.at) >= FRESH {
            return None;
        }
        let client = made.client.clone();
        self.0.push(made);
        Some(client)
    }

    fn keep(&mut self, made: Made) {
        // Another request may have made the same in the meantime.
        self.0.retain(|other| other.way != made.way);
        if self.0.len() >= MOST {
            self.0.remove(0);
        }
        self.0.push(made);
    }
}

#[cfg(test)]
mod tests {
    use std::fs::{remove_file, write};
    use std::os::unix::fs::symlink;

    use super::*;
    use crate::host::install_cryptography;

    fn server(tls: TokenTls) -> TokenServer {
        TokenServer { reach: Reach::Any, tls }
    }

    fn trusting(file: &str) -> TokenServer {
        server(TokenTls { ca_cert: Some(file.to_owned()), ..TokenTls::default() })
    }

    fn authority() -> String {
        rcgen::generate_simple_self_signed(["db".to_owned()]).unwrap().cert.pem()
    }

    #[test]
    fn files_are_read_again_after_a_minute() {
        install_cryptography();
        let place = tempfile::tempdir().unwrap();
        let (tls, secret) = (place.path().join("tls"), place.path().join("secret.pem"));
        std::fs::create_dir(&tls).unwrap();
        write(&secret, authority()).unwrap();
        write(tls.join("ca.pem"), authority()).unwrap();
        let clients = TokenClients::new(tls.to_str());
        let begun = Instant::now();
        let ask = |after| clients.client_at(Scheme::Https, &trusting("ca.pem"), begun + after);
        ask(Duration::ZERO).unwrap();
        remove_file(tls.join("ca.pem")).unwrap();
        symlink(&secret, tls.join("ca.pem")).unwrap();
        ask(FRESH - Duration::from_millis(1)).unwrap();
        let refused = ask(FRESH).unwrap_err().to_string();
        assert!(refused.contains("`tls_ca_cert`") && refused.contains("lies outside"), "{refused}");
        remove_file(tls.join("ca.pem")).unwrap();
        write(tls.join("ca.pem"), authority()).unwrap();
        ask(FRESH).unwrap();
        assert_eq!(clients.kept().0.len(), 1);
    }

    #[test]
    fn what_cannot_be_used_is_named_relative_to_the_directory() {
        install_cryptography();
        let place = tempfile::tempdir().unwrap();
        let pair = |cert: &str, key: &str| {
            let client = Some(ClientFiles { cert: cert.into(), key: key.into() });
            server(TokenTls { client, ..TokenTls::default() })
        };
        let (mine, other) = (
            rcgen::generate_simple_self_signed(["a".to_owned()]).unwrap(),
            rcgen::KeyPair::generate().unwrap(),
        );
        write(place.path().join("cert.pem"), mine.cert.pem()).unwrap();
        write(place.path().join("key.pem"), mine.signing_key.serialize_pem()).unwrap();
        write(place.path().join("other.pem"), other.serialize_pem()).unwrap();
        write(place.path().join("text"), "TOPSECRET").unwrap();
        write(place.path().join("bad.pem"), "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n")
            .unwrap();
        let clients = TokenClients::new(place.path().to_str());
        assert!(clients.client(Scheme::Https, &pair("cert.pem", "key.pem")).is_ok());
        for (server, texts) in [
            (trusting("none.pem"), ["tls_ca_cert", "none.pem"]),
            (trusting("text"), ["tls_ca_cert", "there is none in it"]),
            (trusting("bad.pem"), ["tls_ca_cert", "bad.pem"]),
            (pair("cert.pem", "none"), ["tls_client_key", "none"]),
            (pair("none", "key.pem"), ["tls_client_cert", "none"]),
            (pair("cert.pem", "text"), ["cert.pem", "\"text\""]),
            (pair("cert.pem", "other.pem"), ["cert.pem", "other.pem"]),
        ] {
            let refused = clients.client(Scheme::Https, &server).unwrap_err().to_string();
            assert!(texts.iter().all(|text| refused.contains(text)), "{refused}");
            assert!(!refused.contains("TOPSECRET"), "{refused}");
            assert!(!refused.contains(place.path().to_str().unwrap()), "{refused}");
        }
        let nowhere = TokenClients::new(None).client(Scheme::Https, &trusting("cert.pem")).unwrap_err();
        assert!(matches!(nowhere, TokenTlsError::NoDirectory { claim: "tls_ca_cert" }));
    }

    #[test]
    fn only_a_folder_is_a_directory_for_files() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        write(&file, "").unwrap();
        assert_eq!(no_folder(place.path()), None);
        assert!(no_folder(&file).unwrap().contains("is no folder"));
        assert!(no_folder(&place.path().join("none")).unwrap().contains("cannot be used: "));
    }

    #[test]
    fn each_way_has_its_own_client_and_the_least_used_goes() {
        install_cryptography();
        let made = |number: usize| Made {
            way: Way {
                tls: Some(TokenTls { ca_cert: Some(number.to_string()), ..TokenTls::default() }),
                reach: Reach::Unnamed,
            },
            client: reqwest::Client::builder().tls_certs_only(NOBODY).build().unwrap(),
            at: Instant::now(),
        };
        let (mut kept, now) = (Kept::default(), Instant::now());
        for number in 0..MOST {
            kept.keep(made(number));
        }
        assert!(kept.find(&made(0).way, now).is_some());
        kept.keep(made(MOST));
        assert_eq!(kept.0.len(), MOST);
        assert!(kept.find(&made(0).way, now).is_some(), "it was used just now");
        assert!(kept.find(&made(1).way, now).is_none());
        let named = Way { reach: Reach::Any, ..made(0).way };
        let skipping =
            Way { tls: Some(TokenTls { insecure_skip_verify: true, ..TokenTls::default() }), ..named };
        assert!(kept.find(&skipping, now).is_none());
        assert!(kept.find(&Way { reach: Reach::Any, ..made(0).way }, now).is_none());
        assert!(kept.find(&Way { tls: None, reach: Reach::Unnamed }, now).is_none());
    }
}
