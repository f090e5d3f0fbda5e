//! Revisions of the protocol, and the one table of what came with which.
//!
//! A server answers in the dialect of the smaller of two numbers: what we announced and what it announced. Numbers
//! are those of ClickHouse's `ProtocolDefines.h`; each was checked against 26.9 by announcing both sides of it.

use std::fmt;

/// A revision of the native protocol.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Revision(u64);

impl Revision {
    /// The oldest that is spoken here: ClickHouse 1.1 of 2016, the first that names its time zone.
    pub const OLDEST: Self = Self(54_058);
    /// The newest that is spoken here: ClickHouse 26.8 and 26.9.
    pub const NEWEST: Self = Self(54_492);
    /// The newest that means the same everywhere: up to [`Self::NEWEST`] builds that were never released give the
    /// numbers between to other things.
    pub const UNDISPUTED: Self = Self(54_485);

    /// A revision by its number.
    pub const fn new(number: u64) -> Self {
        Self(number)
    }

    /// Its number.
    pub const fn number(self) -> u64 {
        self.0
    }

    /// The dialect of two peers.
    #[must_use]
    pub fn common(self, other: Self) -> Self {
        self.min(other)
    }

    /// Whether the dialect has a feature.
    pub const fn has(self, feature: Feature) -> bool {
        self.0 >= feature as u64
    }

    /// Whether released builds and others disagree on what this number means.
    pub const fn is_disputed(self) -> bool {
        self.0 > Self::UNDISPUTED.0 && self.0 < Self::NEWEST.0
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// What a revision brought, in the order of their numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Feature {
    /// A query carries the client's description.
    ClientInfo = 54_032,
    /// The server's hello names its time zone.
    ServerTimeZone = 54_058,
    /// The client's description has a quota key.
    QuotaKey = 54_060,
    /// The state of tables can be asked for.
    TablesStatus = 54_226,
    /// `DateTime` names its time zone; before, it is sent as plain `DateTime`.
    TimeZoneInDateTime = 54_337,
    /// The server's hello has a display name.
    ServerDisplayName = 54_372,
    /// The server's hello and the client's description have the patch of a version.
    VersionPatch = 54_401,
    /// `LowCardinality` arrives as itself; before, as what is in it.
    LowCardinality = 54_405,
    /// Log packets, if they are asked for.
    ServerLogs = 54_406,
    /// A packet describes the columns of a table before its header.
    ColumnDefaultsMetadata = 54_410,
    /// Progress counts what was written.
    WrittenInProgress = 54_420,
    /// Settings are texts with flags; before, each is binary in a form of its own.
    SettingsAsText = 54_429,
    /// A query carries a hash made with the cluster's secret.
    InterserverSecret = 54_441,
    /// The client's description has a trace context.
    OpenTelemetry = 54_442,
    /// The client's description has `X-Forwarded-For`, for the HTTP interface.
    ForwardedFor = 54_443,
    /// The client's description has `Referer`, for the HTTP interface.
    Referer = 54_447,
    /// The client's description has the depth of a distributed query.
    DistributedDepth = 54_448,
    /// The client's description says when the first query began.
    InitialQueryStartTime = 54_449,
    /// Packets of profile events.
    ProfileEvents = 54_451,
    /// States of aggregate functions have a version.
    AggregateFunctionVersions = 54_452,
    /// The client's description has three numbers for parallel replicas.
    ParallelReplicas = 54_453,
    /// A column says in which form it comes.
    CustomSerialization = 54_454,
    /// Profile events during an INSERT too.
    ProfileEventsInInsert = 54_456,
    /// Views that show what is permitted; no byte of its own.
    ViewIfPermitted = 54_457,
    /// The client adds to its hello after it has seen the server's.
    Addendum = 54_458,
    /// A query carries parameters.
    Parameters = 54_459,
    /// Progress says how long the query has run.
    ElapsedInProgress = 54_460,
    /// The server's hello has its rules for passwords.
    PasswordComplexityRules = 54_461,
    /// The server's hello has a number that goes into the interserver hash.
    InterserverNonce = 54_462,
    /// Progress says how many bytes there are in all.
    TotalBytesInProgress = 54_463,
    /// The server may say that the time zone has changed.
    TimeZoneUpdates = 54_464,
    /// Columns may come without their default values.
    SparseSerialization = 54_465,
    /// Login by an SSH key.
    SshAuthentication = 54_466,
    /// The state of tables says whether one is read-only.
    TableReadOnlyCheck = 54_467,
    /// A table of keywords; no byte of its own.
    SystemKeywordsTable = 54_468,
    /// The profile of a query has the rows before aggregation.
    RowsBeforeAggregation = 54_469,
    /// Packets may be framed.
    ChunkedPackets = 54_470,
    /// The hello and the addendum have a version of the protocol of parallel replicas.
    VersionedParallelReplicas = 54_471,
    /// An interserver query carries roles that were granted elsewhere.
    ExternalRoles = 54_472,
    /// `Dynamic` and `JSON` in their second form.
    DynamicAndJsonV2 = 54_473,
    /// The server's hello has the user's changed settings.
    ServerSettings = 54_474,
    /// The client's description has the number of the query in its script and of its line.
    QueryAndLineNumbers = 54_475,
    /// The client's description may carry a JWT.
    JwtInInterserver = 54_476,
    /// The server's hello has a version of query plans.
    QueryPlans = 54_477,
    /// Columns may be compressed on their own, in queries that stop half way.
    ParallelBlockMarshalling = 54_478,
    /// The server's hello has a version of the protocol of cluster functions.
    ClusterFunctions = 54_479,
    /// A block lists buckets that are out of order.
    OutOfOrderBuckets = 54_480,
    /// Logs, profile events and descriptions of columns are compressed when data is.
    CompressedLogs = 54_481,
    /// Columns may come as an index into their distinct values.
    ReplicatedSerialization = 54_482,
    /// Sparse columns of `Nullable`.
    NullableSparse = 54_483,
    /// Progress of an asynchronous INSERT.
    ProgressInAsyncInsert = 54_484,
    /// The client's description names the agent behind it.
    ClientAgent = 54_485,
    /// The client's description says whether the query is internal.
    InternalQueryFlag = 54_486,
    /// The interserver hash covers questions about tables.
    InterserverTablesStatus = 54_487,
    /// The client's description has the roles in force.
    CurrentRoles = 54_488,
    /// A choice between ways to aggregate; no byte of its own.
    AggregationVariants = 54_489,
    /// The client's description has the handler and the URL, for the HTTP interface.
    HttpHandler = 54_490,
    /// The state of one aggregate function has another form.
    QuantileDeterministicDegree = 54_491,
    /// Strings come as their ends, then all their bytes.
    StringsWithOffsets = 54_492,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_feature_begins_with_its_number() {
        for (feature, number) in [
            (Feature::ServerTimeZone, 54_058),
            (Feature::SettingsAsText, 54_429),
            (Feature::InterserverNonce, 54_462),
            (Feature::StringsWithOffsets, 54_492),
        ] {
            assert!(Revision::new(number).has(feature));
            assert!(!Revision::new(number - 1).has(feature));
        }
    }

    #[test]
    fn the_smaller_number_is_spoken() {
        assert_eq!(Revision::NEWEST.common(Revision::new(60_000)), Revision::NEWEST);
        assert_eq!(Revision::NEWEST.common(Revision::new(54_412)), Revision::new(54_412));
        assert!(!Revision::new(54_485).is_disputed());
        assert!(Revision::new(54_486).is_disputed());
        assert!(!Revision::NEWEST.is_disputed());
    }
}
