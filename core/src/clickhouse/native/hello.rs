//! The handshake: our hello, the server's, and what we add once we know the dialect.

use zeroize::Zeroizing;

use super::error::{Malformed, NativeError};
use super::interserver;
use super::login::{Login, Options};
use super::revision::{Feature, Revision};
use super::wire::{Reader, WireError, Writer};

/// The number of this packet, in both directions.
const HELLO: u64 = 0;

/// Bytes of a name in the server's hello.
const LONGEST_NAME: usize = 4096;
/// Bytes of a value of a setting in the server's hello.
const LONGEST_VALUE: usize = 1 << 20;
/// Settings in the server's hello; 26.9 has 1400 in all.
const MOST_SETTINGS: usize = 16_384;
/// Rules for passwords in the server's hello.
const MOST_RULES: usize = 256;

/// The setting that changes the time zone of a session.
pub(super) const SESSION_TIME_ZONE: &str = "session_timezone";

/// The version of the protocol between parallel replicas that is claimed. Its packets never come, because no query
/// asks for them.
const PARALLEL_REPLICAS: u64 = 8;

/// The client's hello. With the interserver secret its place is taken by the cluster's name and a salt; the secret
/// itself is never sent.
pub(super) fn encode(options: &Options) -> Zeroizing<Vec<u8>> {
    let client = &options.client;
    let (user, password, cluster) = match &options.login {
        Login::Password { user, password } => (user.as_str(), password.expose().as_str(), None),
        Login::Interserver { cluster, salt, .. } => (interserver::USER, "", Some((cluster, salt))),
    };
    let database = options.database.as_deref().unwrap_or_default();
    let texts = client.name.len() + database.len() + user.len() + password.len();
    // Lengths and numbers take ten bytes at most each.
    let mut packet = Writer::with_capacity(texts + 10 * 8 + cluster.map_or(0, |(name, _)| name.len() + 64));
    let [major, minor, _] = client.version;
    packet.varuint(HELLO).text(&client.name).varuint(major).varuint(minor);
    packet.varuint(options.announce.number()).text(database).text(user).text(password);
    if let Some((name, salt)) = cluster {
        packet.text(name).bytes(salt);
    }
    packet.into_bytes()
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerHello {
    /// `ClickHouse`.
    pub name: String,
    /// Major, minor, patch; the patch is 0 where the dialect has none.
    pub version: [u64; 3],
    /// The dialect: the smaller of the server's revision and ours.
    pub revision: Revision,
    /// The time zone in which the server shows times to this user: its own, or that of the user's profile. A member
    /// of a cluster is told the server's own, whoever asks.
    pub time_zone: String,
    /// What the operator calls the server; empty where the dialect has none.
    pub display_name: String,
    /// How it sends and receives packets, in its own words.
    pub(super) framing: Option<(String, String)>,
    /// Goes into the interserver hash.
    pub(super) nonce: Option<u64>,
}

impl ServerHello {
    /// Reads a hello behind its packet number.
    pub(super) fn read(reader: &mut Reader<'_>, announced: Revision) -> Result<Self, HelloError> {
        let name = text(reader, "the server's name")?;
        let (major, minor) = (reader.varuint()?, reader.varuint()?);
        let theirs = Revision::new(reader.varuint()?);
        let revision = theirs.common(announced);
        if revision < Revision::OLDEST {
            return Err(NativeError::TooOld(theirs).into());
        }
        if revision.is_disputed() && theirs.is_disputed() {
            return Err(NativeError::Disputed(theirs).into());
        }
        if revision.has(Feature::VersionedParallelReplicas) {
            reader.varuint()?;
        }
        let time_zone = text(reader, "the server's time zone")?;
        let mut hello = Self {
            name,
            version: [major, minor, 0],
            revision,
            time_zone,
            display_name: String::new(),
            framing: None,
            nonce: None,
        };
        if revision.has(Feature::ServerDisplayName) {
            hello.display_name = text(reader, "the server's display name")?;
        }
        if revision.has(Feature::VersionPatch) {
            hello.version = [major, minor, reader.varuint()?];
        }
        if revision.has(Feature::ChunkedPackets) {
            hello.framing = Some((text(reader, "the framing")?, text(reader, "the framing")?));
        }
        if revision.has(Feature::PasswordComplexityRules) {
            for _ in 0..reader.count("rules for passwords", MOST_RULES)? {
                reader.bytes("a rule for passwords", LONGEST_NAME)?;
                reader.bytes("a rule for passwords", LONGEST_NAME)?;
            }
        }
        if revision.has(Feature::InterserverNonce) {
            hello.nonce = Some(reader.u64()?);
        }
        if revision.has(Feature::ServerSettings)
            && let Some(zone) = session_time_zone(reader)?
        {
            hello.time_zone = zone;
        }
        if revision.has(Feature::QueryPlans) {
            reader.varuint()?;
        }
        if revision.has(Feature::ClusterFunctions) {
            reader.varuint()?;
        }
        Ok(hello)
    }
}

/// Why a hello was not read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum HelloError {
    Wire(WireError),
    Native(NativeError),
}

impl From<WireError> for HelloError {
    fn from(error: WireError) -> Self {
        Self::Wire(error)
    }
}

impl From<NativeError> for HelloError {
    fn from(error: NativeError) -> Self {
        Self::Native(error)
    }
}

fn text(reader: &mut Reader<'_>, what: &'static str) -> Result<String, WireError> {
    reader.text(what, LONGEST_NAME).map(std::borrow::Cow::into_owned)
}

/// Of the settings that the user's profile changes, the only one that says how an answer is to be read.
fn session_time_zone(reader: &mut Reader<'_>) -> Result<Option<String>, WireError> {
    let mut zone = None;
    for _ in 0..=MOST_SETTINGS {
        let name = reader.bytes("the name of a setting", LONGEST_NAME)?;
        if name.is_empty() {
            return Ok(zone);
        }
        reader.varuint()?;
        let value = reader.text("the value of a setting", LONGEST_VALUE)?;
        if name == SESSION_TIME_ZONE.as_bytes() && !value.is_empty() {
            zone = Some(value.into_owned());
        }
    }
    let count = u64::try_from(MOST_SETTINGS).unwrap_or(u64::MAX).saturating_add(1);
    Err(Malformed::TooMany { what: "settings", count, most: MOST_SETTINGS }.into())
}

/// Which directions are framed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Framing {
    pub(super) outgoing: bool,
    pub(super) incoming: bool,
}

/// What we add to our hello once the server has said what it speaks, if the dialect has it. Packets are framed only
/// where the server insists.
pub(super) fn addendum(hello: &ServerHello) -> Result<(Writer, Framing), NativeError> {
    let mut added = Writer::new();
    let mut framing = Framing::default();
    if hello.revision.has(Feature::Addendum) {
        // The quota key of this place has no effect (measured on 26.9): each query brings its own.
        added.text("");
    }
    if let Some((sends, receives)) = &hello.framing {
        framing = Framing { outgoing: insists(receives)?, incoming: insists(sends)? };
        let word = |framed: bool| if framed { "chunked" } else { "notchunked" };
        added.text(word(framing.outgoing)).text(word(framing.incoming));
    }
    if hello.revision.has(Feature::VersionedParallelReplicas) {
        added.varuint(PARALLEL_REPLICAS);
    }
    Ok((added, framing))
}

fn insists(word: &str) -> Result<bool, NativeError> {
    match word {
        "chunked" => Ok(true),
        "notchunked" | "chunked_optional" | "notchunked_optional" => Ok(false),
        other => Err(NativeError::Framing(other.chars().take(40).collect())),
    }
}
