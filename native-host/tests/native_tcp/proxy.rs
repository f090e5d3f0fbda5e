//! A network between Housekey and ClickHouse, which does what it is told.

use std::net::{IpAddr, Ipv4Addr};
use std::sync::{Arc, Mutex};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinHandle;

/// What happens to bytes in one direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Fault {
    None,
    /// The connection breaks in both directions.
    Kill(usize),
    /// Nothing more arrives, and nobody is told.
    Stall(usize),
    /// The sender seems to have said all. The other direction goes on.
    HalfClose(usize),
    /// What follows is something else.
    Garbage(usize),
    /// Each byte comes alone.
    ByteByByte,
}

impl Fault {
    fn after(self) -> usize {
        match self {
            Self::None | Self::ByteByByte => usize::MAX,
            Self::Kill(after) | Self::Stall(after) | Self::HalfClose(after) | Self::Garbage(after) => after,
        }
    }
}

/// What happens to a connection that is made from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Weather {
    pub(crate) to_server: Fault,
    pub(crate) to_client: Fault,
}

pub(crate) const FAIR: Weather = Weather { to_server: Fault::None, to_client: Fault::None };

/// How many connections there are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Count {
    pub(crate) made: usize,
    pub(crate) open: usize,
    /// The most that were open at once.
    pub(crate) most: usize,
}

pub(crate) struct Proxy {
    pub(crate) port: u16,
    weather: Arc<Mutex<Weather>>,
    count: watch::Sender<Count>,
    /// Bytes that each direction of the last connection has carried: to the server, to the client.
    carried: Arc<Mutex<[usize; 2]>>,
    /// Changes when all connections are to be cut, or to fall silent.
    end: watch::Sender<End>,
    task: JoinHandle<()>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    None,
    Cut,
    Silent,
}

impl Proxy {
    pub(crate) async fn open(to: u16) -> Self {
        Self::open_at(Ipv4Addr::LOCALHOST.into(), to).await
    }

    pub(crate) async fn open_at(address: IpAddr, to: u16) -> Self {
        let listener = TcpListener::bind((address, 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (weather, count) = (Arc::new(Mutex::new(FAIR)), watch::Sender::new(Count::default()));
        let (carried, end) = (Arc::<Mutex<[usize; 2]>>::default(), watch::Sender::new(End::None));
        let link = Link { count: count.clone(), carried: Arc::clone(&carried), end: end.clone() };
        let seen = Arc::clone(&weather);
        let task = tokio::spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let weather = *seen.lock().unwrap();
                tokio::spawn(link.clone().carry(client, to, weather));
            }
        });
        Self { port, weather, count, carried, end, task }
    }

    pub(crate) fn set(&self, weather: Weather) {
        *self.weather.lock().unwrap() = weather;
    }

    pub(crate) fn count(&self) -> Count {
        *self.count.borrow()
    }

    /// Waits until so many connections are open.
    pub(crate) async fn until_open(&self, open: usize) {
        self.count.subscribe().wait_for(|count| count.open == open).await.unwrap();
    }

    /// Bytes to the server and to the client on the last connection.
    pub(crate) fn carried(&self) -> [usize; 2] {
        *self.carried.lock().unwrap()
    }

    /// Cuts all connections that there are.
    pub(crate) async fn cut(&self) {
        self.end.send_replace(End::Cut);
        self.until_open(0).await;
        self.end.send_replace(End::None);
    }

    /// Carries nothing any more on the connections that there are.
    pub(crate) fn silence(&self) {
        self.end.send_replace(End::Silent);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

#[derive(Clone)]
struct Link {
    count: watch::Sender<Count>,
    carried: Arc<Mutex<[usize; 2]>>,
    end: watch::Sender<End>,
}

impl Link {
    async fn carry(self, client: TcpStream, to: u16, weather: Weather) {
        self.count.send_modify(|count| {
            count.made += 1;
            count.open += 1;
            count.most = count.most.max(count.open);
        });
        *self.carried.lock().unwrap() = [0; 2];
        let server = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await.unwrap();
        client.set_nodelay(true).unwrap();
        server.set_nodelay(true).unwrap();
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        let mut end = self.end.subscribe();
        end.mark_unchanged();
        let counted = |side: usize| {
            let carried = Arc::clone(&self.carried);
            move |bytes| carried.lock().unwrap()[side] += bytes
        };
        // What is dropped is closed: both directions are kept until one of them says that all is over.
        let both = async {
            tokio::select! {
                () = pass(from_client, to_server, weather.to_server, counted(0)) => {}
                () = pass(from_server, to_client, weather.to_client, counted(1)) => {}
            }
        };
        tokio::pin!(both);
        loop {
            tokio::select! {
                () = &mut both => break,
                _ = end.changed() => {
                    let told = *end.borrow_and_update();
                    match told {
                        End::None => {}
                        End::Cut => break,
                        End::Silent => {
                            // Held open, for as long as the proxy is there.
                            let _ = end.wait_for(|end| *end == End::Cut).await;
                            break;
                        }
                    }
                }
            }
        }
        self.count.send_modify(|count| count.open -= 1);
    }
}

/// Carries bytes in one direction until the connection is over.
async fn pass(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, fault: Fault, counted: impl Fn(usize)) {
    let mut buffer = vec![0; 16 << 10];
    let mut carried = 0_usize;
    let after = fault.after();
    loop {
        let most = buffer.len().min(after.saturating_sub(carried)).max(1);
        let read = match from.read(&mut buffer[..most]).await {
            Ok(0) | Err(_) => return,
            Ok(read) => read,
        };
        if carried >= after {
            match fault {
                Fault::Kill(_) => return,
                Fault::Stall(_) => std::future::pending::<()>().await,
                Fault::HalfClose(_) => {
                    let _ = to.shutdown().await;
                    std::future::pending::<()>().await;
                }
                Fault::Garbage(_) => buffer[..read].fill(0xfe),
                Fault::None | Fault::ByteByByte => {}
            }
        }
        let piece = if fault == Fault::ByteByByte { 1 } else { read };
        for piece in buffer[..read].chunks(piece) {
            if to.write_all(piece).await.is_err() || to.flush().await.is_err() {
                return;
            }
        }
        carried = carried.saturating_add(read);
        counted(read);
    }
}
