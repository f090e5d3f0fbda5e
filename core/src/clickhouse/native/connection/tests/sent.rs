//! What is sent, byte for byte as 26.9 has taken it: it answered each of these queries with the name of its user.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use super::*;
use crate::clickhouse::Parameter;
use crate::clickhouse::data::{Data, Table};
use crate::clickhouse::native::compress::Compression;
use crate::clickhouse::native::data::DataError;
use crate::clickhouse::native::query::EncodeError;
use crate::clickhouse::query::{
    ChosenBy, Credential, Endpoint, QueryRequest, RunAs, Scheme, Setting, Statement,
};
use crate::sql::{Inner, ReadOnlySql, Rules, WritableSql};
use crate::trace::TraceContext;

fn request(is_interserver: bool) -> QueryRequest {
    let rules = Rules::internal();
    let alice = ImpersonatedUser::parse("alice", &DenyList::new("", &[], &[])).unwrap();
    let (credential, run_as) = if is_interserver {
        let name = "housekey".to_owned();
        (Credential::Cluster { name, secret: Secret::from(SECRET) }, RunAs::Interserver(alice))
    } else {
        let username = "admin".to_owned();
        (Credential::Password { username, password: Secret::from("adm") }, RunAs::Login)
    };
    QueryRequest {
        endpoint: Endpoint { scheme: Scheme::Http, host: "localhost".to_owned(), port: 9000 },
        chosen_by: ChosenBy::Operator,
        credential,
        run_as,
        roles: Vec::new(),
        database: None,
        statement: Statement::ReadOnly(ReadOnlySql::parse("SELECT currentUser() AS u", &rules).unwrap()),
        parameters: Vec::new(),
        data: None,
        inner: Inner { readonly: true, limit: None },
        settings: vec![
            Setting::new("readonly", "1"),
            Setting::new("max_result_rows", "5"),
            Setting::new("log_comment", "c"),
        ],
        headers: Vec::new(),
        trace: Some(trace()),
        query_id: "recorded".to_owned(),
        deadline_seconds: 60,
        progress: false,
        refused: Vec::new(),
        limits: ReadLimits { row_bytes: 1 << 20 },
    }
}

fn trace() -> TraceContext {
    TraceContext {
        trace_id: 0x0af7_6519_16cd_43dd_8448_eb21_1c80_319c,
        span_id: 0xb7ad_6b71_6920_3331,
        state: "a=b".to_owned(),
        flags: 1,
    }
}

#[test]
fn queries_are_written_as_a_server_took_them() {
    let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/data/native/queries");
    let mut checked = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let name = path.file_stem().unwrap().to_str().unwrap();
        let [revision, login, compression] = name.split('-').collect::<Vec<_>>()[..] else {
            panic!("{name}")
        };
        let (revision, is_interserver) = (revision.parse().unwrap(), login == "interserver");
        let mut options = options(if is_interserver { interserver() } else { password() }, revision);
        options.compression = if compression == "lz4" { Compression::Lz4 } else { Compression::Off };
        options.database = Some("default".to_owned());
        options.client.address = "127.0.0.1:50000".parse().unwrap();
        options.client.hostname = "host".to_owned();
        let mut query = Query::new(&request(is_interserver)).unwrap();
        query.quota_key = "k".to_owned();
        query.agent = "agent".to_owned();
        query.started = 1_800_000_000_000_000;
        if is_interserver && revision >= 54_472 {
            query.external_roles = vec!["r1".to_owned(), "r2".to_owned()];
        }
        if is_interserver && revision >= 54_488 {
            query.current_roles = Some(Vec::new());
        }
        if revision >= 54_459 {
            query.parameters = vec![Parameter::text("p", "it's\n").unwrap()];
        }
        let bytes = fs::read(&path).unwrap();
        let (length, bytes) = bytes.split_first_chunk::<4>().unwrap();
        let (hello, sent) = bytes.split_at(u32::from_le_bytes(*length) as usize);
        let mut connection = Connection::new(options).unwrap();
        connection.receive(hello);
        while connection.poll_transmit().is_some() {}
        connection.start_query(&query).unwrap();
        let transmitted: Vec<_> = std::iter::from_fn(|| connection.poll_transmit()).collect();
        let transmitted: Vec<u8> = transmitted.iter().flat_map(|packet| packet.iter().copied()).collect();
        assert_eq!(transmitted, sent, "{name}");
        checked += 1;
    }
    assert!(checked > 30);
}

#[test]
fn what_execute_as_cannot_carry_is_refused() {
    let user = ImpersonatedUser::parse("alice", &DenyList::new("", &[], &[])).unwrap();
    let acted = QueryRequest { run_as: RunAs::ExecuteAs(user), ..request(false) };
    let rules = Rules { impersonated: false, ..Rules::internal() };
    let writing = |sql: &str| QueryRequest {
        statement: Statement::Writable(WritableSql::parse(sql, &rules).unwrap()),
        ..acted.clone()
    };
    let insert = Query::new(&writing("INSERT INTO t (a) VALUES")).unwrap();
    assert_eq!(
        (insert.text.as_str(), insert.takes_data),
        ("EXECUTE AS 'alice' INSERT INTO t (a) VALUES", true)
    );
    let refused = Query::new(&writing("INSERT INTO t (a) VALUES (1)"));
    assert_eq!(refused, Err(EncodeError::WritableImpersonation));
    let table = Table { name: "t".to_owned(), columns: Vec::new(), rows: Vec::new() };
    let data = Some(Arc::new(Data { tables: vec![table], rows: None }));
    let lent = QueryRequest { data: data.clone(), ..acted };
    assert_eq!(Query::new(&lent), Err(EncodeError::Data(DataError::TablesOutside)));
    assert!(Query::new(&QueryRequest { data, ..request(false) }).is_ok());
}
