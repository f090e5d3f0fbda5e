//! One connection: core's protocol, pumped over a socket.
//!
//! Every await is a poll that moves what it can and remembers what it has not, so a future that is dropped between
//! two of them loses no byte, and the session can go on, to cancel its query above all.

use std::future::poll_fn;
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use housekey_core::clickhouse::QueryEvent;
use housekey_core::clickhouse::native::{Connection, Ending, Query, StartError, State};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, timeout};
use tracing::debug;
use zeroize::Zeroizing;

/// Bytes that are read at once.
const READ: usize = 64 << 10;
/// How long a server has to answer a ping. Nothing is lost by giving up: a new connection takes the place.
const PING: Duration = Duration::from_secs(2);

/// A socket, with or without TLS.
pub(super) trait Wire: AsyncRead + AsyncWrite + Send + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Unpin> Wire for T {}

/// A connection with its socket.
pub(super) struct Session {
    connection: Box<Connection>,
    wire: Box<dyn Wire>,
    outgoing: Zeroizing<Vec<u8>>,
    sent: usize,
    unflushed: bool,
    /// The server takes no more bytes. What it said before may still be on its way.
    deaf: bool,
    /// The server says nothing more.
    ended: bool,
    received: usize,
    opened: Instant,
}

impl Session {
    pub(super) fn new(connection: Connection, wire: Box<dyn Wire>) -> Self {
        Self {
            connection: Box::new(connection),
            wire,
            outgoing: Zeroizing::default(),
            sent: 0,
            unflushed: false,
            deaf: false,
            ended: false,
            received: 0,
            opened: Instant::now(),
        }
    }

    pub(super) fn age(&self) -> Duration {
        self.opened.elapsed()
    }

    pub(super) fn state(&self) -> State {
        self.connection.state()
    }

    pub(super) fn ending(&self) -> Option<&Ending> {
        self.connection.ending()
    }

    pub(super) fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Begins a query; its first byte leaves with the next [`Session::pump`].
    pub(super) fn start(&mut self, query: &Query) -> Result<(), StartError> {
        self.connection.start_query(query)
    }

    /// The next event that needs no more bytes.
    pub(super) fn poll_event(&mut self) -> Option<QueryEvent> {
        self.connection.poll_event()
    }

    /// Asks the server to stop the query. The question leaves with the next [`Session::pump`].
    pub(super) fn cancel(&mut self) {
        self.connection.cancel();
    }

    /// Sends what there is to send until something arrives, or until it is certain that nothing will.
    pub(super) async fn pump(&mut self) {
        poll_fn(|context| self.poll_pump(context)).await;
    }

    /// Waits for the server's greeting.
    pub(super) async fn greet(&mut self) {
        while self.state() == State::Greeting {
            self.pump().await;
        }
    }

    /// Reads a query to its end unless that takes more than `most` bytes. `true` if it has ended.
    pub(super) async fn run_out(&mut self, most: usize) -> bool {
        let until = self.received.saturating_add(most);
        loop {
            while self.poll_event().is_some() {}
            match self.state() {
                State::Ready | State::Closed => return true,
                State::Greeting | State::Running | State::Cancelling | State::Pinging => {}
            }
            if self.received > until {
                return false;
            }
            self.pump().await;
        }
    }

    /// Whether a kept connection is still good; after some time of idleness the server is asked.
    pub(super) async fn lives(&mut self, idle: Duration, ping_after: Duration) -> bool {
        // A good-bye that has arrived already is seen without waiting.
        let _ = self.poll_pump(&mut Context::from_waker(Waker::noop()));
        if idle >= ping_after && self.is_reusable() {
            self.connection.ping();
            let answered = async {
                while self.state() == State::Pinging {
                    self.pump().await;
                }
            };
            let _ = timeout(PING, answered).await;
        }
        self.is_reusable()
    }

    /// Whether another query may follow: nothing of the last one is left, in either direction.
    pub(super) fn is_reusable(&mut self) -> bool {
        self.state() == State::Ready
            && !self.deaf
            && !self.ended
            && self.sent == self.outgoing.len()
            && self.connection.poll_transmit().is_none()
    }

    fn poll_pump(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if self.ended {
            return Poll::Ready(());
        }
        self.poll_send(context);
        self.poll_receive(context)
    }

    fn poll_send(&mut self, context: &mut Context<'_>) {
        while !self.deaf {
            let Some(rest) = self.outgoing.get(self.sent..).filter(|rest| !rest.is_empty()) else {
                self.outgoing = self.connection.poll_transmit().unwrap_or_default();
                self.sent = 0;
                if self.outgoing.is_empty() {
                    break;
                }
                continue;
            };
            match Pin::new(&mut self.wire).poll_write(context, rest) {
                Poll::Ready(Ok(written @ 1..)) => {
                    self.sent += written;
                    self.unflushed = true;
                }
                Poll::Ready(Ok(0) | Err(_)) => self.deaf = true,
                Poll::Pending => return,
            }
        }
        if self.unflushed && !self.deaf {
            match Pin::new(&mut self.wire).poll_flush(context) {
                Poll::Ready(Ok(())) => self.unflushed = false,
                Poll::Ready(Err(_)) => self.deaf = true,
                Poll::Pending => {}
            }
        }
    }

    fn poll_receive(&mut self, context: &mut Context<'_>) -> Poll<()> {
        let mut bytes = [MaybeUninit::<u8>::uninit(); READ];
        let mut buffer = ReadBuf::uninit(&mut bytes);
        let read = ready!(Pin::new(&mut self.wire).poll_read(context, &mut buffer));
        let filled = buffer.filled();
        match read {
            Ok(()) if !filled.is_empty() => {
                self.received = self.received.saturating_add(filled.len());
                self.connection.receive(filled);
                return Poll::Ready(());
            }
            Ok(()) => {}
            Err(error) => debug!("a connection to ClickHouse broke: {error}"),
        }
        self.ended = true;
        self.connection.receive_end();
        Poll::Ready(())
    }
}
