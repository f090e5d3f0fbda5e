//! A query over a blocking socket, by core's codecs alone or by nothing at all.

use std::fs;
use std::io::{ErrorKind, Read as _, Write as _};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use housekey_core::clickhouse::http::{Response, encode};
use housekey_core::clickhouse::native::{Client, Compression, Connection, Login, Options, Query, State};
use housekey_core::clickhouse::{Credential, QueryEvent, QueryRequest};

/// Silence after which an answer that nobody understands is over.
const SILENCE: Duration = Duration::from_millis(300);

/// What has come of a query.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Taken {
    pub(crate) rows: usize,
    /// Bytes of the rows as JSON; 0 where nothing was decoded.
    pub(crate) json: usize,
    /// Bytes that came out of the socket; 0 where nobody counts them.
    pub(crate) wire: usize,
    pub(crate) elapsed: Duration,
    /// Processor time of this thread.
    pub(crate) processor: Duration,
}

impl Taken {
    /// The same with the least times of both.
    pub(crate) fn or_less(self, other: Self) -> Self {
        let (elapsed, processor) = (self.elapsed.min(other.elapsed), self.processor.min(other.processor));
        Self { elapsed, processor, ..other }
    }
}

/// A clock of both kinds.
pub(crate) struct Clock(Instant, Duration);

impl Clock {
    pub(crate) fn start() -> Result<Self> {
        Ok(Self(Instant::now(), processor()?))
    }

    pub(crate) fn taken(&self, rows: usize, json: usize, wire: usize) -> Result<Taken> {
        Ok(Taken { rows, json, wire, elapsed: self.0.elapsed(), processor: processor()? - self.1 })
    }
}

/// Asks over the native protocol and makes rows of the answer.
pub(crate) fn native(request: &QueryRequest, compression: Compression) -> Result<Taken> {
    let (mut socket, mut connection) = started(request, compression)?;
    let clock = Clock::start()?;
    send(&mut socket, &mut connection)?;
    let (mut rows, mut json, mut wire) = (0, 0, 0);
    let mut bytes = vec![0; 64 << 10];
    loop {
        while let Some(event) = connection.poll_event() {
            match event {
                QueryEvent::Rows(more) => {
                    rows += more.len();
                    json += more.text().len();
                }
                QueryEvent::Header(_) | QueryEvent::Progress { .. } => {}
                QueryEvent::End => return clock.taken(rows, json, wire),
                other @ (QueryEvent::Exception(_) | QueryEvent::Broken(_) | QueryEvent::RowTooLong) => {
                    bail!("{other:?}")
                }
            }
        }
        let length = socket.read(&mut bytes)?;
        wire += length;
        connection.receive(bytes.get(..length).context("a read beyond the buffer")?);
    }
}

/// Asks over HTTP and makes rows of the answer.
pub(crate) fn http(request: &QueryRequest) -> Result<Taken> {
    let clock = Clock::start()?;
    let mut socket = posted(request)?;
    let mut bytes = vec![0; 64 << 10];
    let (mut response, mut wire) = answered(&mut socket, &mut bytes, request)?;
    let (mut rows, mut json) = (0, 0);
    loop {
        while let Some(event) = response.poll_event() {
            match event {
                QueryEvent::Rows(more) => {
                    rows += more.len();
                    json += more.text().len();
                }
                QueryEvent::Header(_) | QueryEvent::Progress { .. } => {}
                QueryEvent::End => return clock.taken(rows, json, wire),
                other @ (QueryEvent::Exception(_) | QueryEvent::Broken(_) | QueryEvent::RowTooLong) => {
                    bail!("{other:?}")
                }
            }
        }
        let length = socket.read(&mut bytes)?;
        wire += length;
        match bytes.get(..length) {
            None | Some([]) => response.finish(true),
            Some(piece) => response.receive(piece),
        }
    }
}

/// The decoder of an answer whose head has come, and how many bytes that took.
fn answered(socket: &mut TcpStream, bytes: &mut [u8], request: &QueryRequest) -> Result<(Response, usize)> {
    let mut come = Vec::new();
    loop {
        let length = socket.read(bytes)?;
        if length == 0 {
            bail!("no answer");
        }
        come.extend_from_slice(bytes.get(..length).context("a read beyond the buffer")?);
        if let Some(at) = come.windows(4).position(|window| window == b"\r\n\r\n") {
            let (head, body) = come.split_at(at + 4);
            let mut response = Response::new(&parts(head)?, request.limits);
            response.receive(body);
            return Ok((response, come.len()));
        }
    }
}

/// Asks over the native protocol and throws the answer away: what the server alone takes.
pub(crate) fn drained_native(request: &QueryRequest, compression: Compression) -> Result<Taken> {
    let (mut socket, mut connection) = started(request, compression)?;
    let clock = Clock::start()?;
    send(&mut socket, &mut connection)?;
    drain(&mut socket, &clock)
}

/// Asks over HTTP and throws the answer away.
pub(crate) fn drained_http(request: &QueryRequest) -> Result<Taken> {
    let clock = Clock::start()?;
    drain(&mut posted(request)?, &clock)
}

/// Reads until nothing more comes; the time is that of the last byte.
fn drain(socket: &mut TcpStream, clock: &Clock) -> Result<Taken> {
    socket.set_read_timeout(Some(SILENCE))?;
    let mut bytes = vec![0; 64 << 10];
    let mut wire = 0;
    let mut last = clock.taken(0, 0, 0)?;
    loop {
        match socket.read(&mut bytes) {
            Ok(0) => return Ok(last),
            Ok(length) => {
                wire += length;
                last = clock.taken(0, 0, wire)?;
            }
            // The query itself may take its time.
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                if wire > 0 {
                    return Ok(last);
                }
            }
            Err(error) => return Err(error.into()),
        }
    }
}

/// A connection with a query that has not been sent yet.
fn started(request: &QueryRequest, compression: Compression) -> Result<(TcpStream, Connection)> {
    let Credential::Password { username, password } = &request.credential else { bail!("no password") };
    let login = Login::Password { user: username.clone(), password: password.clone() };
    let mut options = Options::new(login, Client::named("bench", [0; 3]));
    options.compression = compression;
    let mut connection = Connection::new(options)?;
    let mut socket = connected(request)?;
    let mut bytes = vec![0; 64 << 10];
    send(&mut socket, &mut connection)?;
    while connection.state() == State::Greeting {
        let length = socket.read(&mut bytes)?;
        connection.receive(bytes.get(..length).context("a read beyond the buffer")?);
    }
    connection.start_query(&Query::new(request)?)?;
    Ok((socket, connection))
}

fn send(socket: &mut TcpStream, connection: &mut Connection) -> Result<()> {
    while let Some(packet) = connection.poll_transmit() {
        socket.write_all(&packet)?;
    }
    Ok(())
}

/// A request of HTTP/1.0, whose answer comes as it is and ends with the connection.
fn posted(request: &QueryRequest) -> Result<TcpStream> {
    let encoded = encode(request)?;
    let path = encoded.uri().path_and_query().context("no path")?.as_str();
    let mut head = format!("POST {path} HTTP/1.0\r\nContent-Length: {}\r\n", encoded.body().len());
    for (name, value) in encoded.headers() {
        head.push_str(&format!("{name}: {}\r\n", value.to_str()?));
    }
    let mut socket = connected(request)?;
    socket.write_all(format!("{head}\r\n").as_bytes())?;
    socket.write_all(encoded.body())?;
    Ok(socket)
}

fn parts(head: &[u8]) -> Result<http::response::Parts> {
    let head = std::str::from_utf8(head)?;
    let mut lines = head.lines();
    let status = lines.next().and_then(|line| line.split(' ').nth(1)).context("no status")?;
    let mut response = ::http::Response::builder().status(status);
    for (name, value) in lines.filter_map(|line| line.split_once(": ")) {
        response = response.header(name, value);
    }
    Ok(response.body(())?.into_parts().0)
}

fn connected(request: &QueryRequest) -> Result<TcpStream> {
    let socket = TcpStream::connect((request.endpoint.host.as_str(), request.endpoint.port))?;
    socket.set_nodelay(true)?;
    Ok(socket)
}

/// What this thread has had of a processor.
fn processor() -> Result<Duration> {
    let stat = fs::read_to_string("/proc/thread-self/schedstat")?;
    Ok(Duration::from_nanos(stat.split(' ').next().context("no time")?.parse()?))
}
