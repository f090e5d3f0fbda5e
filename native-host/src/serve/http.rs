//! The HTTP server: connections in, requests to an [`App`], and an orderly end.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use hyper_util::server::graceful::GracefulShutdown;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tracing::{debug, warn};

use super::App;
use super::shutdown::Shutdown;

/// A head that takes longer to arrive is not read on; a connection that is idle for as long is closed.
const HEAD_TIMEOUT: Duration = Duration::from_secs(60);
/// A pause after the system refused a connection, for lack of descriptors most likely.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);
/// How long work that outlives its request may hold up the end.
const BACKGROUND_TIMEOUT: Duration = Duration::from_secs(3);

/// How a server ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Every request got its answer.
    Drained,
    /// Requests ran longer than the grace, or the server was told twice.
    BrokenOff,
}

/// A server that is bound and not yet running.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

impl Server {
    /// Listens at an address; port 0 takes any free one.
    ///
    /// # Errors
    /// The address is not one of this computer, or the port is taken.
    pub async fn bind(address: &str, port: u16) -> io::Result<Self> {
        let address = address.trim_start_matches('[').trim_end_matches(']');
        let listener = TcpListener::bind((address, port)).await?;
        let address = listener.local_addr()?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub const fn local_addr(&self) -> SocketAddr {
        self.address
    }

    /// Serves until told to stop; then requests that run get `grace` to end.
    pub async fn run<A: App>(self, app: Arc<A>, grace: Duration, shutdown: &Shutdown) -> End {
        let mut builder = Builder::new(TokioExecutor::new());
        builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD_TIMEOUT);
        builder.http2().timer(TokioTimer::new()).keep_alive_interval(HEAD_TIMEOUT);
        let graceful = GracefulShutdown::new();
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                () = shutdown.draining() => break,
                Some(_) = connections.join_next() => {}
                accepted = self.listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        connections.spawn(connection(&builder, &graceful, stream, Arc::clone(&app)));
                    }
                    Err(error) => {
                        warn!("a connection could not be accepted: {error}");
                        sleep(ACCEPT_PAUSE).await;
                    }
                },
            }
        }
        drop(self.listener);
        app.drain();
        let end = tokio::select! {
            ended = timeout(grace, graceful.shutdown()) => match ended {
                Ok(()) => End::Drained,
                Err(_) => {
                    warn!("requests that did not end within {} seconds are broken off", grace.as_secs());
                    End::BrokenOff
                }
            },
            () = shutdown.stopping() => End::BrokenOff,
        };
        // What is dropped here cancels its queries, and that is waited for.
        connections.shutdown().await;
        let _ = timeout(BACKGROUND_TIMEOUT, app.finished()).await;
        end
    }
}

/// Serves one connection, HTTP/1.1 or HTTP/2 as the client begins it.
fn connection<A: App>(
    builder: &Builder<TokioExecutor>,
    graceful: &GracefulShutdown,
    stream: TcpStream,
    app: Arc<A>,
) -> impl Future<Output = ()> + Send + 'static {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| {
        let app = Arc::clone(&app);
        async move { Ok::<_, io::Error>(app.handle(request).await) }
    });
    let serving = graceful.watch(builder.serve_connection(TokioIo::new(stream), service).into_owned());
    async move {
        if let Err(error) = serving.await {
            debug!("a connection ended: {error}");
        }
    }
}

#[cfg(test)]
mod tests {
    use http_body_util::{BodyExt, Empty};
    use hyper::body::Incoming;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::sync::Semaphore;

    use super::super::{Body, shutdown};
    use super::*;

    /// Answers when it is let.
    struct Slow {
        begun: Semaphore,
        may_end: Semaphore,
    }

    impl App for Slow {
        async fn handle(&self, _: http::Request<Incoming>) -> http::Response<Body> {
            self.begun.add_permits(1);
            let _permit = self.may_end.acquire().await;
            http::Response::new(Empty::new().map_err(|never| match never {}).boxed())
        }
    }

    struct Rig {
        app: Arc<Slow>,
        trigger: shutdown::Trigger,
        address: SocketAddr,
        end: tokio::task::JoinHandle<End>,
    }

    /// A server with one request on its way, and the connection of that request.
    async fn busy() -> (Rig, TcpStream) {
        let server = Server::bind("127.0.0.1", 0).await.unwrap();
        let address = server.local_addr();
        let (trigger, shutdown) = shutdown::channel();
        let app = Arc::new(Slow { begun: Semaphore::new(0), may_end: Semaphore::new(0) });
        let running = Arc::clone(&app);
        let end = tokio::spawn(async move { server.run(running, Duration::from_secs(60), &shutdown).await });
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await.unwrap();
        app.begun.acquire().await.unwrap().forget();
        (Rig { app, trigger, address, end }, stream)
    }

    #[tokio::test]
    async fn a_request_that_runs_may_end() {
        let (rig, mut stream) = busy().await;
        rig.trigger.drain();
        while TcpStream::connect(rig.address).await.is_ok() {
            tokio::task::yield_now().await;
        }
        rig.app.may_end.add_permits(1);
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
        assert_eq!(rig.end.await.unwrap(), End::Drained);
    }

    #[tokio::test]
    async fn a_second_word_breaks_off() {
        let (rig, mut stream) = busy().await;
        rig.trigger.drain();
        rig.trigger.stop();
        assert_eq!(rig.end.await.unwrap(), End::BrokenOff);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        assert!(answer.is_empty());
    }
}
