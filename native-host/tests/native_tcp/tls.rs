//! TLS below the native protocol, before a ClickHouse that speaks none.

use std::net::Ipv4Addr;
use std::sync::Arc;

use housekey::clickhouse::Client;
use housekey::host::install_cryptography;
use housekey_core::clickhouse::{ChosenBy, ClientFiles, Endpoint, QueryRequest, Reach, Scheme, TokenTls};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::WebPkiClientVerifier;
use rustls::{RootCertStore, ServerConfig};
use tempfile::TempDir;
use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;

use crate::world::{Told, ask, chosen_by_token, clickhouse, config, login, query};

/// A front for ClickHouse whose certificate is for `db.example.com`, and files: `ca.pem`, `client.pem` with
/// `client.key`, and `other.pem`, an authority that vouches for nothing here.
struct Front {
    port: u16,
    files: TempDir,
}

impl Front {
    async fn open(demands_certificate: bool) -> Self {
        install_cryptography();
        let files = tempfile::tempdir().unwrap();
        let authority = Authority::new();
        let (cert, key) = authority.certify("db.example.com");
        let (client_cert, client_key) = authority.certify("client");
        for (name, pem) in [
            ("ca.pem", &authority.pem),
            ("client.pem", &client_cert),
            ("client.key", &client_key),
            ("other.pem", &Authority::new().pem),
        ] {
            std::fs::write(files.path().join(name), pem).unwrap();
        }
        let builder = ServerConfig::builder();
        let builder = if demands_certificate {
            let mut roots = RootCertStore::empty();
            roots.add(CertificateDer::from_pem_slice(authority.pem.as_bytes()).unwrap()).unwrap();
            builder.with_client_cert_verifier(WebPkiClientVerifier::builder(roots.into()).build().unwrap())
        } else {
            builder.with_no_client_auth()
        };
        let chain = vec![CertificateDer::from_pem_slice(cert.as_bytes()).unwrap()];
        let key = PrivateKeyDer::from_pem_slice(key.as_bytes()).unwrap();
        let acceptor = TlsAcceptor::from(Arc::new(builder.with_single_cert(chain, key).unwrap()));
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let to = clickhouse().await.tcp_port();
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    let mut client = acceptor.accept(stream).await?;
                    let mut server = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await?;
                    copy_bidirectional(&mut client, &mut server).await
                });
            }
        });
        Self { port, files }
    }

    fn path(&self, name: &str) -> String {
        self.files.path().join(name).to_str().unwrap().to_owned()
    }

    async fn query(&self, host: &str, chosen_by: ChosenBy) -> QueryRequest {
        QueryRequest {
            endpoint: Endpoint { scheme: Scheme::Tcps, host: host.to_owned(), port: self.port },
            chosen_by,
            ..query(self.port, login("alice").await, "SELECT currentUser()")
        }
    }
}

struct Authority {
    pem: String,
    issuer: Issuer<'static, KeyPair>,
}

impl Authority {
    fn new() -> Self {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let pem = params.self_signed(&key).unwrap().pem();
        Self { pem, issuer: Issuer::new(params, key) }
    }

    fn certify(&self, name: &str) -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let cert = CertificateParams::new(vec![name.to_owned()]).unwrap();
        (cert.signed_by(&key, &self.issuer).unwrap().pem(), key.serialize_pem())
    }
}

fn is_answered(told: Told) -> bool {
    if told.rows == [r#"["alice"]"#] {
        return true;
    }
    assert_eq!(told.broken(), "ClickHouse could not be reached");
    false
}

#[tokio::test]
async fn the_operators_server_is_reached_as_configured() {
    let (open, demanding) = (Front::open(false).await, Front::open(true).await);
    let to = |name: &'static str| ("CLICKHOUSE_CONNECT_HOST", name.to_owned());
    let named = |name: &'static str| ("CLICKHOUSE_TLS_SERVER_NAME", name.to_owned());
    let trusting = |front: &Front, file| ("CLICKHOUSE_TLS_CA_CERT", front.path(file));
    let skipping = ("CLICKHOUSE_TLS_INSECURE_SKIP_VERIFY", "true".to_owned());
    let presenting = [
        ("CLICKHOUSE_TLS_CLIENT_CERT", demanding.path("client.pem")),
        ("CLICKHOUSE_TLS_CLIENT_KEY", demanding.path("client.key")),
    ];
    let [cert, key] = presenting;
    for (front, host, variables, wanted) in [
        // The name is that of the host, wherever the bytes go.
        (&open, "db.example.com", vec![to("127.0.0.1"), trusting(&open, "ca.pem")], true),
        (&open, "127.0.0.1", vec![trusting(&open, "ca.pem")], false),
        (&open, "127.0.0.1", vec![trusting(&open, "ca.pem"), named("db.example.com")], true),
        (
            &open,
            "db.example.com",
            vec![to("127.0.0.1"), trusting(&open, "ca.pem"), named("x.example")],
            false,
        ),
        // The system's authorities do not know it, nor does another one.
        (&open, "db.example.com", vec![to("127.0.0.1")], false),
        (&open, "db.example.com", vec![to("127.0.0.1"), trusting(&open, "other.pem")], false),
        (&open, "127.0.0.1", vec![skipping.clone()], true),
        (&demanding, "127.0.0.1", vec![skipping.clone()], false),
        (&demanding, "127.0.0.1", vec![skipping, cert.clone(), key.clone()], true),
        (
            &demanding,
            "db.example.com",
            vec![to("127.0.0.1"), trusting(&demanding, "ca.pem"), cert, key],
            true,
        ),
    ] {
        let mut all = vec![("CLICKHOUSE_TLS", "true")];
        all.extend(variables.iter().map(|(name, value)| (*name, value.as_str())));
        let client = Client::new(&config(&all)).unwrap();
        let mut answer = client.send(&front.query(host, ChosenBy::Operator).await);
        let told = crate::world::hear(&mut answer).await;
        assert!(!answer.may_run(), "{variables:?}");
        // A server that demands a certificate says so after the handshake of TLS 1.3.
        let refused_late = matches!(&told.last, housekey_core::clickhouse::QueryEvent::Broken(text)
            if text == "ClickHouse closed the connection without an answer");
        assert_eq!(!refused_late && is_answered(told), wanted, "{host} {variables:?}");
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_are_noticed_at_the_start() {
    let front = Front::open(false).await;
    std::fs::write(front.path("text"), "no certificate").unwrap();
    for (variables, named) in [
        (vec![("CLICKHOUSE_TLS_CA_CERT", front.path("none"))], "none"),
        (vec![("CLICKHOUSE_TLS_CA_CERT", front.path("text"))], "holds no certificate"),
        (
            vec![
                ("CLICKHOUSE_TLS_CLIENT_CERT", front.path("ca.pem")),
                ("CLICKHOUSE_TLS_CLIENT_KEY", front.path("client.key")),
            ],
            "clickhouse.tls.client_cert with client_key",
        ),
    ] {
        let mut all = vec![("CLICKHOUSE_TLS", "true")];
        all.extend(variables.iter().map(|(name, value)| (*name, value.as_str())));
        let refused = Client::new(&config(&all)).err().unwrap().to_string();
        assert!(refused.contains(named), "{refused}");
    }
}

#[tokio::test]
async fn a_tokens_server_gets_nothing_of_the_operators() {
    let (open, demanding) = (Front::open(false).await, Front::open(true).await);
    for name in ["ca.pem", "client.pem", "client.key"] {
        std::fs::copy(demanding.path(name), open.path(&format!("demanding-{name}"))).unwrap();
    }
    let directory = open.files.path().to_str().unwrap().to_owned();
    let variables = [
        ("CLICKHOUSE_TLS", "true"),
        ("MCP_JWE_TLS_DIRECTORY", &directory),
        ("CLICKHOUSE_TLS_CA_CERT", &demanding.path("ca.pem")),
        ("CLICKHOUSE_TLS_CLIENT_CERT", &demanding.path("client.pem")),
        ("CLICKHOUSE_TLS_CLIENT_KEY", &demanding.path("client.key")),
        ("CLICKHOUSE_TLS_SERVER_NAME", "db.example.com"),
        // Where nobody answers: it is for the operator's server only.
        ("CLICKHOUSE_CONNECT_HOST", "127.0.0.1"),
    ];
    let client = Client::new(&config(&variables)).unwrap();
    assert!(is_answered(ask(&client, &demanding.query("127.0.0.1", ChosenBy::Operator).await).await));
    let skipping = TokenTls { insecure_skip_verify: true, ..TokenTls::default() };
    let trusting = TokenTls { ca_cert: Some("ca.pem".to_owned()), ..TokenTls::default() };
    let files = ClientFiles { cert: "demanding-client.pem".into(), key: "demanding-client.key".into() };
    let presenting = TokenTls { client: Some(files), ..skipping.clone() };
    let refused = ["ClickHouse could not be reached", "ClickHouse closed the connection without an answer"];
    for (front, tls, wanted) in [
        (&open, TokenTls::default(), false),
        // The name that the operator gave is not for it.
        (&open, trusting, false),
        (&open, skipping.clone(), true),
        (&demanding, skipping, false),
        (&demanding, presenting, true),
    ] {
        let told =
            ask(&client, &front.query("127.0.0.1", chosen_by_token(Reach::Any, tls.clone())).await).await;
        if wanted {
            assert_eq!(told.rows(), [r#"["alice"]"#], "{tls:?}");
        } else {
            let text = told.broken();
            assert!(refused.contains(&text.as_str()), "{tls:?}: {text}");
        }
    }
    let elsewhere = open.query("db.invalid", chosen_by_token(Reach::Any, TokenTls::default())).await;
    assert_eq!(ask(&client, &elsewhere).await.broken(), "ClickHouse could not be reached");
    let missing = TokenTls { ca_cert: Some("none.pem".to_owned()), ..TokenTls::default() };
    let told = ask(&client, &open.query("127.0.0.1", chosen_by_token(Reach::Any, missing)).await).await;
    assert_eq!(told.broken(), "TLS cannot be had as the token wants it");
}

#[tokio::test]
async fn a_token_reaches_this_machine_only_where_the_operator_named_it() {
    let client = crate::world::client();
    let port = clickhouse().await.tcp_port();
    for host in ["localhost", "127.0.0.1", "127.1", "2130706433", "0x7f.1", "::ffff:127.0.0.1"] {
        let own = query(port, login("alice").await, "SELECT currentUser()");
        let endpoint = Endpoint { host: host.to_owned(), ..own.endpoint.clone() };
        let named =
            QueryRequest { endpoint, chosen_by: chosen_by_token(Reach::Any, TokenTls::default()), ..own };
        assert!(is_answered(ask(&client, &named).await), "{host}");
        // A connection is kept to it now, which is no way round the judgement.
        let forbidden =
            QueryRequest { chosen_by: chosen_by_token(Reach::Unnamed, TokenTls::default()), ..named };
        let mut answer = client.send(&forbidden);
        assert!(!is_answered(crate::world::hear(&mut answer).await), "{host}");
        assert!(!answer.may_run(), "{host}");
    }
}
