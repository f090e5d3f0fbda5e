//! A listener in ClickHouse's place that answers nobody and counts who comes.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;

/// The listener; dropping it closes it.
#[derive(Debug)]
pub struct Gate {
    port: u16,
    visitors: Arc<AtomicUsize>,
    task: JoinHandle<()>,
}

impl Gate {
    /// Listens on a free port of 127.0.0.1.
    pub async fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let visitors = Arc::new(AtomicUsize::new(0));
        let count = Arc::clone(&visitors);
        let task = tokio::spawn(async move {
            while listener.accept().await.is_ok() {
                count.fetch_add(1, Ordering::SeqCst);
            }
        });
        Ok(Self { port, visitors, task })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections have been accepted.
    pub fn visitors(&self) -> usize {
        self.visitors.load(Ordering::SeqCst)
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}
