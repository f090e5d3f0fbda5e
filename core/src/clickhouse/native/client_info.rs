//! What a query says of the client: who asked first, from where, with which program.

use super::login::Client;
use super::revision::{Feature, Revision};
use super::wire::Writer;
use crate::trace::TraceContext;

/// The query was asked by this client and not on behalf of another query: settings that a profile forbids are then
/// refused, where for a secondary query they would be bent without a word (measured on 26.9).
const INITIAL_QUERY: u8 = 1;
/// The interface through which the first query came.
const TCP: u8 = 1;

/// What differs from query to query.
pub(super) struct ClientInfo<'a> {
    pub(super) client: &'a Client,
    /// The revision that our hello announced; a server may compare the two.
    pub(super) announced: Revision,
    /// Whom the server shall take for the user: of any effect in an interserver login only.
    pub(super) initial_user: &'a str,
    pub(super) query_id: &'a str,
    /// When the query began, in microseconds since 1970.
    pub(super) started: i64,
    pub(super) quota_key: &'a str,
    pub(super) trace: Option<&'a TraceContext>,
    /// On whose behalf the client acts, for the log.
    pub(super) agent: &'a str,
    /// Roles instead of the user's own, as they are sent: count and names.
    pub(super) current_roles: Option<&'a [u8]>,
}

impl ClientInfo<'_> {
    pub(super) fn encode(&self, revision: Revision, packet: &mut Writer) {
        let client = self.client;
        let [major, minor, patch] = client.version;
        packet
            .u8(INITIAL_QUERY)
            .text(self.initial_user)
            .text(self.query_id)
            .text(&client.address.to_string());
        if revision.has(Feature::InitialQueryStartTime) {
            packet.i64(self.started);
        }
        // The name of the operating system's user is nobody's business.
        packet.u8(TCP).text("").text(&client.hostname).text(&client.name);
        packet.varuint(major).varuint(minor).varuint(self.announced.number());
        if revision.has(Feature::QuotaKey) {
            packet.text(self.quota_key);
        }
        if revision.has(Feature::DistributedDepth) {
            packet.varuint(0);
        }
        if revision.has(Feature::VersionPatch) {
            packet.varuint(patch);
        }
        if revision.has(Feature::OpenTelemetry) {
            self.encode_trace(packet);
        }
        if revision.has(Feature::ParallelReplicas) {
            packet.varuint(0).varuint(0).varuint(0);
        }
        if revision.has(Feature::QueryAndLineNumbers) {
            packet.varuint(0).varuint(0);
        }
        if revision.has(Feature::JwtInInterserver) {
            packet.bool(false);
        }
        if revision.has(Feature::ClientAgent) {
            packet.text(self.agent);
        }
        if revision.has(Feature::InternalQueryFlag) {
            packet.bool(false);
        }
        if revision.has(Feature::CurrentRoles) {
            packet.bool(self.current_roles.is_some()).raw(self.current_roles.unwrap_or_default());
        }
    }

    fn encode_trace(&self, packet: &mut Writer) {
        packet.bool(self.trace.is_some());
        if let Some(trace) = self.trace {
            // As ClickHouse writes a UUID: the high half first, each half least significant byte first.
            let [high, low] = [(trace.trace_id >> 64) as u64, trace.trace_id as u64];
            packet.u64(high).u64(low).u64(trace.span_id).text(&trace.state).u8(trace.flags);
        }
    }
}
