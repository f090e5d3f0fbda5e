//! A listener in ClickHouse's place that answers nobody and counts who comes.

use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Result;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

use crate::poll;

/// The listener; dropping it closes it.
#[derive(Debug)]
pub struct Gate {
    port: u16,
    /// The ports of those who came, in order.
    seen: Arc<Mutex<Vec<u16>>>,
    task: JoinHandle<()>,
}

impl Gate {
    /// Listens on a free port of 127.0.0.1.
    pub async fn open() -> Result<Self> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await?;
        let port = listener.local_addr()?.port();
        let seen = Arc::new(Mutex::new(Vec::new()));
        let noted = Arc::clone(&seen);
        let task = tokio::spawn(async move {
            while let Ok((_, visitor)) = listener.accept().await {
                noted.lock().unwrap_or_else(PoisonError::into_inner).push(visitor.port());
            }
        });
        Ok(Self { port, seen, task })
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// How many connections have come before this call: it makes one itself, and they are accepted in their order.
    pub async fn visitors(&self) -> Result<usize> {
        let own = TcpStream::connect((Ipv4Addr::LOCALHOST, self.port)).await?.local_addr()?.port();
        poll::until("the gate's own connection", async || {
            let mut seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
            let Some(at) = seen.iter().position(|port| *port == own) else { return Ok(None) };
            seen.remove(at);
            Ok(Some(at))
        })
        .await
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.task.abort();
    }
}
