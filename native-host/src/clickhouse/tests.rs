//! Queries over real connections, to servers that are made up here.

use std::fs::write;
use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::sync::Arc;
use std::thread::JoinHandle;

use housekey_core::clickhouse::{
    ChosenBy, ClientFiles, Credential, Endpoint, QueryEvent, QueryRequest, Reach, ReadLimits, RunAs, Scheme,
    Statement, TokenServer, TokenTls,
};
use housekey_core::config::{self, Config, Host, Sources};
use housekey_core::sql::{Inner, ReadOnlySql, Rules};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig, ServerConnection, Stream};

use super::Client;
use crate::host::install_cryptography;

fn config(tls_directory: Option<&Path>, variables: &[(&str, &str)]) -> Config {
    let text = |(name, value): (&str, &str)| (name.to_owned(), value.to_owned());
    let mut environment = vec![text(("MCP_TRANSPORT", "http"))];
    environment.extend(variables.iter().copied().map(text));
    if let Some(directory) = tls_directory {
        environment.push(text(("MCP_JWE_TLS_DIRECTORY", directory.to_str().unwrap())));
    }
    let sources = Sources { environment, ..Sources::default() };
    let read = |path: &str| std::fs::read_to_string(path).map_err(|error| error.to_string());
    config::load(Host::Native, &sources, &read).unwrap_or_else(|error| panic!("{error}")).config
}

fn query(scheme: Scheme, host: &str, port: u16, chosen_by: ChosenBy) -> QueryRequest {
    let rules = Rules::internal();
    QueryRequest {
        endpoint: Endpoint { scheme, host: host.to_owned(), port },
        chosen_by,
        credential: Credential::Password { username: "u".into(), password: "".into() },
        run_as: RunAs::Login,
        roles: Vec::new(),
        database: None,
        statement: Statement::ReadOnly(ReadOnlySql::parse("SELECT 1", &rules).unwrap()),
        parameters: Vec::new(),
        data: None,
        inner: Inner::default(),
        settings: Vec::new(),
        headers: Vec::new(),
        trace: None,
        query_id: "q".into(),
        deadline_seconds: 10,
        progress: false,
        refused: Vec::new(),
        limits: ReadLimits { row_bytes: 1024 },
    }
}

fn by_token(any_address: bool, tls: TokenTls) -> ChosenBy {
    let reach = if any_address { Reach::Any } else { Reach::Unnamed };
    ChosenBy::Token(Arc::new(TokenServer { reach, tls }))
}

fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    (listener, port)
}

fn broken(text: &str) -> QueryEvent {
    QueryEvent::Broken(text.to_owned())
}

/// Answers one query over a stream.
fn answer(stream: &mut (impl Read + Write)) -> io::Result<()> {
    let mut asked = Vec::<u8>::new();
    let mut buffer = [0; 1024];
    while !asked.windows(8).any(|part| part == b"SELECT 1") {
        let read = stream.read(&mut buffer)?;
        if read == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        asked.extend(&buffer[..read]);
    }
    let body = "[\"1\"]\n[\"UInt8\"]\n[1]\n";
    let length = body.len();
    write!(
        stream,
        "HTTP/1.1 200 OK\r\nX-ClickHouse-Format: JSONCompactEachRowWithNamesAndTypes\r\n\
         Content-Length: {length}\r\nConnection: close\r\n\r\n{body}"
    )?;
    stream.flush()
}

#[tokio::test]
async fn an_answer_that_is_late_may_still_run() {
    let (_listener, port) = listen();
    let mut request = query(Scheme::Http, "127.0.0.1", port, ChosenBy::Operator);
    request.deadline_seconds = 0;
    let mut answer = Client::new(&config(None, &[])).unwrap().send(&request);
    assert_eq!(answer.next().await, broken("ClickHouse did not answer within 0 seconds"));
    assert!(answer.may_run());
    assert!(!answer.drain(1, std::time::Duration::ZERO).await, "nothing shows that it has ended");
}

#[tokio::test]
async fn a_token_reaches_this_machine_only_where_the_operator_named_it() {
    let client = Client::new(&config(None, &[])).unwrap();
    for host in ["localhost", "127.0.0.1", "127.1", "2130706433", "::ffff:127.0.0.1"] {
        let (listener, port) = listen();
        let forbidden = query(Scheme::Http, host, port, by_token(false, TokenTls::default()));
        let mut refused = client.send(&forbidden);
        assert_eq!(refused.next().await, broken("ClickHouse could not be reached"), "{host}");
        assert!(!refused.may_run(), "{host}");
        listener.set_nonblocking(true).unwrap();
        assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock, "{host}");

        // The same host, named: now somebody comes, and what was refused has not spoilt it.
        listener.set_nonblocking(false).unwrap();
        let serving = std::thread::spawn(move || answer(&mut listener.accept()?.0));
        let named = QueryRequest { chosen_by: by_token(true, TokenTls::default()), ..forbidden.clone() };
        assert!(matches!(client.send(&named).next().await, QueryEvent::Header(_)), "{host}");
        serving.join().unwrap().unwrap();
        assert_eq!(client.send(&forbidden).next().await, broken("ClickHouse could not be reached"), "{host}");
    }
}

/// An authority, a certificate for `localhost` that it vouches for, and the key of that, as PEM.
struct Certified {
    authority: String,
    cert: String,
    key: String,
}

fn certify() -> Certified {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let authority_key = KeyPair::generate().unwrap();
    let authority = params.self_signed(&authority_key).unwrap();
    let key = KeyPair::generate().unwrap();
    let cert = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
    let cert = cert.signed_by(&key, &Issuer::new(params, authority_key)).unwrap();
    Certified { authority: authority.pem(), cert: cert.pem(), key: key.serialize_pem() }
}

fn der(pem: &str) -> CertificateDer<'static> {
    rustls::pki_types::pem::PemObject::from_pem_slice(pem.as_bytes()).unwrap()
}

/// A server with a certificate, which demands one of its clients if it is given an authority for them. It serves one
/// connection and tells whether a query came.
fn serve(own: &Certified, clients: Option<&Certified>) -> (u16, SocketAddr, JoinHandle<io::Result<()>>) {
    let builder = ServerConfig::builder();
    let builder = match clients {
        None => builder.with_no_client_auth(),
        Some(clients) => {
            let mut roots = RootCertStore::empty();
            roots.add(der(&clients.authority)).unwrap();
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder(roots.into()).build().unwrap())
        }
    };
    let key: PrivateKeyDer<'static> =
        rustls::pki_types::pem::PemObject::from_pem_slice(own.key.as_bytes()).unwrap();
    let tls = Arc::new(builder.with_single_cert(vec![der(&own.cert)], key).unwrap());
    let (listener, port) = listen();
    let at = listener.local_addr().unwrap();
    let serving = std::thread::spawn(move || {
        let (mut tcp, _) = listener.accept()?;
        let mut connection = ServerConnection::new(tls).map_err(io::Error::other)?;
        answer(&mut Stream::new(&mut connection, &mut tcp))?;
        connection.send_close_notify();
        while connection.wants_write() {
            connection.write_tls(&mut tcp)?;
        }
        Ok(())
    });
    (port, at, serving)
}

/// Whether the query is answered by a server with this certificate.
async fn is_answered(
    client: &Client,
    own: &Certified,
    clients: Option<&Certified>,
    chosen_by: ChosenBy,
) -> bool {
    let (port, at, serving) = serve(own, clients);
    let event = client.send(&query(Scheme::Https, "localhost", port, chosen_by)).next().await;
    // A server that nobody came to waits no longer.
    drop(std::net::TcpStream::connect(at));
    let served = serving.join().unwrap().is_ok();
    assert_eq!(served, matches!(event, QueryEvent::Header(_)), "{event:?}");
    served
}

#[tokio::test]
async fn tls_is_spoken_as_the_token_says() {
    install_cryptography();
    let (own, other, caller) = (certify(), certify(), certify());
    let place = tempfile::tempdir().unwrap();
    for (name, pem) in [
        ("own.pem", &own.authority),
        ("other.pem", &other.authority),
        ("cert.pem", &caller.cert),
        ("key.pem", &caller.key),
        ("other-cert.pem", &other.cert),
        ("other-key.pem", &other.key),
    ] {
        write(place.path().join(name), pem).unwrap();
    }
    let client = Client::new(&config(Some(place.path()), &[])).unwrap();
    let trusting = |file: &str| TokenTls { ca_cert: Some(file.to_owned()), ..TokenTls::default() };
    let presenting = |cert: &str, key: &str| TokenTls {
        client: Some(ClientFiles { cert: cert.to_owned(), key: key.to_owned() }),
        ..trusting("own.pem")
    };
    let skip = TokenTls { insecure_skip_verify: true, ..TokenTls::default() };
    for (tls, demanded, wanted) in [
        (TokenTls::default(), None, false),
        (trusting("own.pem"), None, true),
        (trusting("other.pem"), None, false),
        (skip.clone(), None, true),
        // Having skipped once leaves nothing behind for those who do not.
        (TokenTls::default(), None, false),
        (trusting("own.pem"), Some(&caller), false),
        (skip, Some(&caller), false),
        (presenting("cert.pem", "key.pem"), Some(&caller), true),
        (presenting("other-cert.pem", "other-key.pem"), Some(&caller), false),
        (TokenTls { ca_cert: Some("other.pem".into()), ..presenting("cert.pem", "key.pem") }, None, false),
    ] {
        let chosen_by = by_token(true, tls.clone());
        assert_eq!(is_answered(&client, &own, demanded, chosen_by).await, wanted, "{tls:?}");
    }
}

#[tokio::test]
async fn nothing_of_the_operators_tls_serves_a_token() {
    install_cryptography();
    let (own, caller) = (certify(), certify());
    let place = tempfile::tempdir().unwrap();
    let path = |name: &str| place.path().join(name).to_str().unwrap().to_owned();
    for (name, pem) in [("ca.pem", &own.authority), ("cert.pem", &caller.cert), ("key.pem", &caller.key)] {
        write(path(name), pem).unwrap();
    }
    let trusting = TokenTls { ca_cert: Some("ca.pem".to_owned()), ..TokenTls::default() };
    let variables = [
        ("CLICKHOUSE_TLS", "true"),
        ("CLICKHOUSE_TLS_CA_CERT", &path("ca.pem")),
        ("CLICKHOUSE_TLS_CLIENT_CERT", &path("cert.pem")),
        ("CLICKHOUSE_TLS_CLIENT_KEY", &path("key.pem")),
    ];
    let client = Client::new(&config(Some(place.path()), &variables)).unwrap();
    let token = |tls: &TokenTls| by_token(true, tls.clone());
    for (chosen_by, demanded, wanted) in [
        (ChosenBy::Operator, Some(&caller), true),
        (token(&TokenTls::default()), None, false),
        (token(&trusting), None, true),
        (token(&trusting), Some(&caller), false),
    ] {
        assert_eq!(is_answered(&client, &own, demanded, chosen_by.clone()).await, wanted, "{chosen_by:?}");
    }
    let skipping = [("CLICKHOUSE_TLS", "true"), ("CLICKHOUSE_TLS_INSECURE_SKIP_VERIFY", "true")];
    let client = Client::new(&config(None, &skipping)).unwrap();
    assert!(is_answered(&client, &own, None, ChosenBy::Operator).await);
    assert!(!is_answered(&client, &own, None, token(&TokenTls::default())).await);
}

#[tokio::test]
async fn files_that_cannot_be_had_are_not_told() {
    let place = tempfile::tempdir().unwrap();
    let client = Client::new(&config(Some(place.path()), &[])).unwrap();
    let (listener, port) = listen();
    let tls = TokenTls { ca_cert: Some("none.pem".to_owned()), ..TokenTls::default() };
    let mut refused = client.send(&query(Scheme::Https, "localhost", port, by_token(true, tls)));
    assert_eq!(refused.next().await, broken("TLS cannot be had as the token wants it"));
    assert!(!refused.may_run());
    listener.set_nonblocking(true).unwrap();
    assert_eq!(listener.accept().unwrap_err().kind(), io::ErrorKind::WouldBlock);
}
