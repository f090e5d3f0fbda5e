//! Which addresses may be connected to where somebody else than the operator chose the host.
//!
//! Names are resolved here and every address is judged before it is connected to: the judgement and the connection
//! see the same answer of the DNS. A host that is an address never passes a resolver, so [`AddressRule::check_url`]
//! judges that.

use std::io;
use std::net::{IpAddr, SocketAddr};

use housekey_core::address::{is_global, needs_naming};
use housekey_core::clickhouse::Reach;
use reqwest::Url;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// What is asked of every address of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum AddressRule {
    /// It is of the public internet.
    Public,
    /// It is none that the operator would have had to name.
    NeedsNoNaming,
}

/// A host leads to an address that may not be connected to. The text is for the operator.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum ForbiddenAddress {
    #[error("{host} leads to {address}, which is not an address of the public internet")]
    NotPublic { host: String, address: IpAddr },
    #[error(
        "{host} leads to {address}, a loopback, link-local or metadata address, and `server.jwe.allowed_hosts` does \
         not list {host} by name"
    )]
    NotNamed { host: String, address: IpAddr },
}

impl AddressRule {
    /// The rule for a server of a token's own; none where any address will do.
    pub(crate) fn of(reach: Reach) -> Option<Self> {
        match reach {
            Reach::Any => None,
            Reach::Unnamed => Some(Self::NeedsNoNaming),
            Reach::Public => Some(Self::Public),
        }
    }

    /// A resolver that refuses names with any address that breaks the rule.
    pub(crate) fn resolver(self) -> Checked {
        Checked(self)
    }

    /// Judges a URL whose host is an address; names are left to the resolver.
    pub(crate) fn check_url(self, url: &Url) -> Result<(), ForbiddenAddress> {
        let host = url.host_str().unwrap_or_default();
        let bare = host.trim_start_matches('[').trim_end_matches(']');
        bare.parse().map_or(Ok(()), |address| self.check(host, address))
    }

    fn check(self, host: &str, address: IpAddr) -> Result<(), ForbiddenAddress> {
        let host = || host.to_owned();
        match self {
            Self::Public if !is_global(address) => Err(ForbiddenAddress::NotPublic { host: host(), address }),
            Self::NeedsNoNaming if needs_naming(address) => {
                Err(ForbiddenAddress::NotNamed { host: host(), address })
            }
            Self::Public | Self::NeedsNoNaming => Ok(()),
        }
    }
}

impl ForbiddenAddress {
    /// The refusal that made a request fail, if one did.
    pub(crate) fn behind(error: &reqwest::Error) -> Option<&Self> {
        let mut cause = std::error::Error::source(error);
        while let Some(error) = cause {
            if let Some(refusal) = error.downcast_ref() {
                return Some(refusal);
            }
            cause = error.source();
        }
        None
    }
}

/// Why a host cannot be connected to. The texts are for the operator.
#[derive(Debug, thiserror::Error)]
pub(crate) enum NoAddress {
    #[error("{0}")]
    Forbidden(#[from] ForbiddenAddress),
    #[error("{host} has no address: {error}")]
    Unknown { host: String, error: io::Error },
}

/// The addresses of a host, each of which keeps the rule, if there is one. Hosts that are addresses, in whatever
/// spelling the system knows, come out as such and are judged with the rest.
pub(crate) async fn addresses(
    rule: Option<AddressRule>,
    host: &str,
    port: u16,
) -> Result<Vec<SocketAddr>, NoAddress> {
    let unknown = |error| NoAddress::Unknown { host: host.to_owned(), error };
    let addresses: Vec<SocketAddr> = tokio::net::lookup_host((host, port)).await.map_err(unknown)?.collect();
    if addresses.is_empty() {
        return Err(unknown(io::ErrorKind::NotFound.into()));
    }
    // One bad address spoils the name, as it does over HTTP.
    for address in &addresses {
        rule.map_or(Ok(()), |rule| rule.check(host, address.ip()))?;
    }
    Ok(addresses)
}

/// Resolves names as the system does, and holds every answer to a rule.
pub(crate) struct Checked(AddressRule);

impl Resolve for Checked {
    fn resolve(&self, name: Name) -> Resolving {
        let rule = self.0;
        Box::pin(async move {
            let found = addresses(Some(rule), name.as_str(), 0).await;
            let addresses = found.map_err(|error| match error {
                // Whoever asked looks for this one behind the failure of the request.
                NoAddress::Forbidden(error) => Box::<dyn std::error::Error + Send + Sync>::from(error),
                NoAddress::Unknown { error, .. } => error.into(),
            })?;
            Ok(Box::new(addresses.into_iter()) as Addrs)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_that_are_addresses_are_judged_as_the_connection_will_read_them() {
        for (url, public, needs_no_naming) in [
            ("http://1.1.1.1:8123/", true, true),
            ("http://10.0.0.7:8123/", false, true),
            ("http://[fd00::7]:8123/", false, true),
            ("http://127.0.0.1:8123/", false, false),
            ("http://127.1/", false, false),
            ("http://2130706433/", false, false),
            ("http://0x7f.0.0.1/", false, false),
            ("http://0177.0.0.1/", false, false),
            ("http://127.0.0.1./", false, false),
            ("http://%31%32%37.0.0.1/", false, false),
            ("http://\u{ff11}\u{ff12}\u{ff17}.0.0.1/", false, false),
            ("http://0.0.0.0/", false, false),
            ("http://169.254.169.254/latest/", false, false),
            ("http://[::1]/", false, false),
            ("http://[::ffff:127.0.0.1]/", false, false),
            ("http://[64:ff9b::a9fe:a9fe]/", false, false),
            ("http://db.example.com/", true, true),
            ("http://localhost/", true, true),
        ] {
            let parsed = Url::parse(url).unwrap();
            assert_eq!(AddressRule::Public.check_url(&parsed).is_ok(), public, "{url}");
            assert_eq!(AddressRule::NeedsNoNaming.check_url(&parsed).is_ok(), needs_no_naming, "{url}");
        }
    }

    #[tokio::test]
    async fn addresses_in_every_spelling_are_judged_after_they_were_read() {
        for host in
            ["127.0.0.1", "127.1", "2130706433", "0x7f.0.0.1", "0177.0.0.1", "::1", "::ffff:127.0.0.1"]
        {
            let refused = addresses(Some(AddressRule::NeedsNoNaming), host, 9000).await;
            assert!(matches!(refused, Err(NoAddress::Forbidden(_))), "{host}: {refused:?}");
            assert!(addresses(None, host, 9000).await.is_ok(), "{host}");
        }
        let unknown = addresses(None, "no such host", 9000).await;
        assert!(matches!(unknown, Err(NoAddress::Unknown { .. })), "{unknown:?}");
    }

    #[tokio::test]
    async fn names_that_lead_home_are_refused() {
        for (rule, text) in [
            (AddressRule::Public, "is not an address of the public internet"),
            (AddressRule::NeedsNoNaming, "`server.jwe.allowed_hosts` does not list localhost by name"),
        ] {
            let refused = rule.resolver().resolve("localhost".parse().unwrap()).await.err().unwrap();
            assert!(refused.is::<ForbiddenAddress>() && refused.to_string().contains(text), "{refused}");
        }
    }
}
