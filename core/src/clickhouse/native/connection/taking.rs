//! What a connection makes of each packet.

use super::{After, Connection, Ending, NativeError, Stage};
use crate::clickhouse::exception::Exception;
use crate::clickhouse::native::block::{Context, Limits};
use crate::clickhouse::native::body::{Body, Content};
use crate::clickhouse::native::compress::Compression;
use crate::clickhouse::native::connection::running::Reply;
use crate::clickhouse::native::packet::{BlockOf, Packet};
use crate::clickhouse::native::revision::{Feature, Revision};
use crate::clickhouse::query::{Column, QueryEvent};

impl Connection {
    pub(super) fn take_packet(&mut self, packet: Packet, revision: Revision) -> Result<(), NativeError> {
        if !matches!(self.stage, Stage::Running(_)) {
            return self.take_between_queries(packet);
        }
        // An exception may be the refusal of the login itself.
        self.accepted |= !matches!(packet, Packet::Exception(_));
        let first = self.is_first();
        match packet {
            Packet::Block(of) => self.body = Some(self.block(of, revision)),
            Packet::TableColumns => {
                let compressed = self.is_compressed() && revision.has(Feature::CompressedLogs);
                self.body = Some(Body::table_columns(compressed, self.options.packet_bytes));
            }
            Packet::Exception(exception) => self.end_by_exception(exception, first),
            Packet::EndOfStream => self.end(),
            Packet::Progress(progress) => {
                if let Stage::Running(running) = &mut self.stage {
                    running.take_progress(progress);
                }
            }
            Packet::TimeZone(name) => self.time_zone = name,
            Packet::ProfileInfo => {}
            Packet::Pong => return Err(unexpected("the answer to a ping")),
            Packet::Foreign(packet) => return Err(unexpected(packet)),
            Packet::Unknown(number) => return Err(NativeError::UnknownPacket(number)),
        }
        Ok(())
    }

    pub(super) fn take_content(&mut self, content: Content) -> Result<(), NativeError> {
        let Stage::Running(running) = &mut self.stage else { return Ok(()) };
        let reply = match content {
            // The header that follows says enough.
            Content::TableColumns => Reply::Nothing,
            Content::Block(of, block) => running.take_block(of, block),
        };
        match reply {
            Reply::Nothing => {}
            Reply::Rows(header) => self.send_rows(&header),
        }
        Ok(())
    }

    /// Sends the rows that the server waits for, or none of them and the end.
    fn send_rows(&mut self, header: &[Column]) {
        let dialect = self.dialect();
        let Stage::Running(running) = &mut self.stage else { return };
        let rows = running.data.as_ref().and_then(|data| data.rows.as_ref());
        let packets = match rows.map(|rows| dialect.rows(rows, header)) {
            None => Vec::new(),
            Some(Ok(packets)) => packets,
            Some(Err(misfit)) => {
                running.misfit = Some(misfit);
                Vec::new()
            }
        };
        for packet in packets {
            self.transmit(packet);
        }
        self.transmit(dialect.end());
    }

    fn take_between_queries(&mut self, packet: Packet) -> Result<(), NativeError> {
        match (packet, &self.stage) {
            (Packet::Pong, Stage::Pinging) => self.stage = Stage::Ready,
            // What a query left behind.
            (Packet::Progress(_), Stage::Pinging) => {}
            (Packet::Exception(exception), _) => self.close(Ending::Refused(exception)),
            (Packet::Unknown(number), _) => return Err(NativeError::UnknownPacket(number)),
            (Packet::Foreign(packet), _) => return Err(unasked(packet)),
            (
                Packet::Block(_)
                | Packet::Progress(_)
                | Packet::Pong
                | Packet::EndOfStream
                | Packet::ProfileInfo
                | Packet::TableColumns
                | Packet::TimeZone(_),
                _,
            ) => return Err(unasked("a part of an answer")),
        }
        Ok(())
    }

    /// Whether nothing of the answer had come yet.
    fn is_first(&mut self) -> bool {
        match &mut self.stage {
            Stage::Running(running) => !std::mem::replace(&mut running.seen.anything, true),
            Stage::Greeting | Stage::Ready | Stage::Pinging | Stage::Ended(..) | Stage::Closed(_) => false,
        }
    }

    /// A server that fails while it reads a query, above all because of a setting, says so and closes the connection;
    /// one that fails later listens on (measured on 26.9). The packet does not tell which it was, so the server is
    /// asked.
    fn end_by_exception(&mut self, exception: Exception, first: bool) {
        let Stage::Running(running) = &self.stage else { return };
        // Whether it has read the rows to their end does not show either.
        let after = if first || running.takes_data { After::Ping } else { After::Ready };
        if running.cancelled {
            self.go_on(after);
        } else {
            self.stage = Stage::Ended(QueryEvent::Exception(exception), after);
        }
    }

    fn end(&mut self) {
        let Stage::Running(running) = &self.stage else { return };
        // Without a result the statement may have been one that changes the session: who runs it, their settings,
        // temporary tables. Nobody else shall inherit that.
        let after = if running.seen.header { After::Ready } else { After::Close(Ending::SessionUncertain) };
        let event = running.end().unwrap_or_else(QueryEvent::Broken);
        if running.cancelled {
            self.go_on(after);
        } else {
            self.stage = Stage::Ended(event, after);
        }
    }

    fn block(&self, of: BlockOf, revision: Revision) -> Body {
        let limits = Limits { bytes: self.options.packet_bytes, ..Limits::default() };
        let context = Context::new(revision, limits, &self.time_zone);
        let compressed = self.is_compressed() && of.is_compressed(revision);
        Body::block(of, context, compressed, self.options.packet_bytes)
    }

    fn is_compressed(&self) -> bool {
        self.options.compression == Compression::Lz4
    }
}

fn unexpected(packet: &'static str) -> NativeError {
    NativeError::UnexpectedPacket { packet, instead: "the answer to a query was due" }
}

fn unasked(packet: &'static str) -> NativeError {
    NativeError::UnexpectedPacket { packet, instead: "nothing was due" }
}
