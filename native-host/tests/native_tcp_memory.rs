//! A large answer over the native protocol is never held as a whole.

// Whatever else comes is a failure of the test.
#![allow(clippy::wildcard_enum_match_arm)]

#[path = "native_tcp/world.rs"]
#[allow(dead_code)]
mod world;

use housekey_core::clickhouse::QueryEvent;

use world::{clickhouse, client, login, query};

/// Bytes that this process has in memory.
fn resident() -> usize {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse::<usize>().unwrap() << 10
}

/// It is alone in its program, so that what is measured is its own.
#[tokio::test]
async fn a_million_rows_pass_through_a_few_blocks_of_memory() {
    let sql = "SELECT number, toString(number), repeat('x', 100) FROM numbers(1000000)";
    let mut answer = client().send(&query(clickhouse().await.tcp_port(), login("alice").await, sql));
    let (mut rows, mut bytes, mut begun, mut most) = (0_usize, 0, 0, 0);
    loop {
        match answer.next().await {
            QueryEvent::Header(_) | QueryEvent::Progress { .. } => {}
            QueryEvent::Rows(more) => {
                rows += more.len();
                bytes += more.text().len();
                if rows >= 200_000 {
                    let now = resident();
                    begun = if begun == 0 { now } else { begun };
                    most = most.max(now);
                }
            }
            QueryEvent::End => break,
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(rows, 1_000_000);
    let grown = most.saturating_sub(begun) >> 20;
    assert!(grown < 16, "{grown} MiB more for {} MiB of rows", bytes >> 20);
    println!(
        "{} MiB of rows; {} MiB resident, {grown} MiB more than at the first blocks",
        bytes >> 20,
        most >> 20
    );
}
