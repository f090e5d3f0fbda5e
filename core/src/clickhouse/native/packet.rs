//! What a server sends once it is greeted, packet by packet.

use super::exception;
use super::revision::{Feature, Revision};
use super::wire::{Reader, WireError};
use crate::clickhouse::exception::Exception;

/// Bytes of a name in front of a block; servers leave it empty.
const LONGEST_NAME: usize = 4096;
/// Bytes of the text that describes a table's columns.
const LONGEST_DESCRIPTION: usize = 4 << 20;

/// A packet, or the head of one that ends in a block.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Packet {
    /// A block follows.
    Block(BlockOf),
    Exception(Exception),
    Progress(Progress),
    Pong,
    EndOfStream,
    /// How the query went; rows and their limits are known from elsewhere.
    ProfileInfo,
    /// The columns of the table of an INSERT, as text.
    TableColumns,
    TimeZone(String),
    /// A packet that is in the protocol and that no query of ours asks for.
    Foreign(&'static str),
    Unknown(u64),
}

/// What a block is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockOf {
    Data,
    Totals,
    Extremes,
    Log,
    ProfileEvents,
}

impl BlockOf {
    /// Whether it is compressed when the query asks for compressed data.
    pub(super) fn is_compressed(self, revision: Revision) -> bool {
        match self {
            Self::Data | Self::Totals | Self::Extremes => true,
            Self::Log | Self::ProfileEvents => revision.has(Feature::CompressedLogs),
        }
    }
}

/// What was done since the packet before.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Progress {
    pub(super) read_rows: u64,
    pub(super) read_bytes: u64,
    /// By how much the estimate of all rows has grown.
    pub(super) total_rows: u64,
}

/// Reads the number of a packet and what follows up to a block. `before_execution` says whether nothing of the answer
/// has come yet.
pub(super) fn read(
    reader: &mut Reader<'_>,
    revision: Revision,
    before_execution: bool,
) -> Result<Packet, WireError> {
    Ok(match reader.varuint()? {
        1 => block(reader, BlockOf::Data)?,
        2 => Packet::Exception(exception::read(reader, before_execution)?),
        3 => Packet::Progress(progress(reader, revision)?),
        4 => Packet::Pong,
        5 => Packet::EndOfStream,
        6 => profile_info(reader, revision)?,
        7 => block(reader, BlockOf::Totals)?,
        8 => block(reader, BlockOf::Extremes)?,
        10 => block(reader, BlockOf::Log)?,
        // Its texts may be compressed, so the connection reads them.
        11 => Packet::TableColumns,
        14 => block(reader, BlockOf::ProfileEvents)?,
        17 => Packet::TimeZone(reader.text("a time zone", LONGEST_NAME)?.into_owned()),
        0 => Packet::Foreign("a hello"),
        9 => Packet::Foreign("the state of tables"),
        12 => Packet::Foreign("ids of parts"),
        13 => Packet::Foreign("a request for a task"),
        15 | 16 => Packet::Foreign("a request for ranges"),
        18 => Packet::Foreign("an SSH challenge"),
        unknown => Packet::Unknown(unknown),
    })
}

fn block(reader: &mut Reader<'_>, of: BlockOf) -> Result<Packet, WireError> {
    reader.bytes("the name of a block", LONGEST_NAME)?;
    Ok(Packet::Block(of))
}

fn progress(reader: &mut Reader<'_>, revision: Revision) -> Result<Progress, WireError> {
    let progress = Progress {
        read_rows: reader.varuint()?,
        read_bytes: reader.varuint()?,
        total_rows: reader.varuint()?,
    };
    let others = [
        (Feature::TotalBytesInProgress, 1),
        (Feature::WrittenInProgress, 2),
        (Feature::ElapsedInProgress, 1),
    ];
    for (feature, numbers) in others {
        for _ in 0..if revision.has(feature) { numbers } else { 0 } {
            reader.varuint()?;
        }
    }
    Ok(progress)
}

fn profile_info(reader: &mut Reader<'_>, revision: Revision) -> Result<Packet, WireError> {
    for _ in ["rows", "blocks", "bytes"] {
        reader.varuint()?;
    }
    reader.bool("whether a limit was applied")?;
    reader.varuint()?;
    reader.bool("whether rows before the limit were counted")?;
    if revision.has(Feature::RowsBeforeAggregation) {
        reader.bool("whether rows were aggregated")?;
        reader.varuint()?;
    }
    Ok(Packet::ProfileInfo)
}

/// Reads the texts of [`Packet::TableColumns`].
pub(super) fn table_columns(reader: &mut Reader<'_>) -> Result<(), WireError> {
    reader.bytes("the name of a table", LONGEST_NAME)?;
    reader.bytes("the description of a table", LONGEST_DESCRIPTION)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clickhouse::native::wire::Writer;

    #[test]
    fn progress_grows_with_the_revision() {
        for (revision, numbers) in
            [(54_058, 3), (54_419, 3), (54_420, 5), (54_459, 5), (54_460, 6), (54_463, 7), (54_492, 7)]
        {
            let mut bytes = Writer::new();
            bytes.varuint(3);
            for number in 1..=numbers {
                bytes.varuint(number * 1000);
            }
            let mut reader = Reader::new(bytes.as_slice());
            let expected = Progress { read_rows: 1000, read_bytes: 2000, total_rows: 3000 };
            let packet = read(&mut reader, Revision::new(revision), true);
            assert_eq!(packet, Ok(Packet::Progress(expected)), "{revision}");
            assert_eq!(reader.remaining(), 0, "{revision}");
        }
    }

    #[test]
    fn numbers_without_a_meaning_are_told() {
        assert_eq!(read(&mut Reader::new(&[19]), Revision::NEWEST, true), Ok(Packet::Unknown(19)));
        let foreign = read(&mut Reader::new(&[13]), Revision::NEWEST, true);
        assert_eq!(foreign, Ok(Packet::Foreign("a request for a task")));
    }
}
