//! Settings that contradict each other. What one setting alone may be is its kind, in `directives.rs`.

use std::net::IpAddr;

use crate::Config;

/// Two settings that cannot both hold.
pub(crate) struct Contradiction {
    /// The paths of the two directives, the one that the problem begins with first.
    pub(crate) paths: [&'static str; 2],
    /// What is wrong, after the name of the first.
    pub(crate) problem: String,
}

/// The first contradiction in `config`.
pub(crate) fn contradiction(config: &Config) -> Option<Contradiction> {
    same_port(config).or_else(|| same_port_of_clients(config)).or_else(|| bounds_in_order(config))
}

/// Both listen on the same addresses.
fn same_port_of_clients(config: &Config) -> Option<Contradiction> {
    let port = config.tls.port;
    let problem = || format!("port {port} is already that of server.port; choose another");
    (port != 0 && port == config.server.port)
        .then(|| Contradiction { paths: ["tls.port", "server.port"], problem: problem() })
}

fn same_port(config: &Config) -> Option<Contradiction> {
    let (server, metrics) = (&config.server, &config.metrics);
    let clients = [("server.port", server.port), ("tls.port", config.tls.port)];
    let is_same = |port: u16| metrics.enabled && metrics.port != 0 && metrics.port == port;
    let (taken, port) = clients.into_iter().find(|(_, port)| is_same(*port))?;
    let address = server.bind.iter().find(|address| overlap(**address, metrics.bind))?;
    let problem = format!("port {port} at {address} is already that of {taken}; choose another");
    Some(Contradiction { paths: ["metrics.port", taken], problem })
}

/// Whether listening on both addresses meets: they are equal, or one of them stands for every interface.
fn overlap(left: IpAddr, right: IpAddr) -> bool {
    let covers = |all: IpAddr, one: IpAddr| all.is_unspecified() && (all.is_ipv6() || one.is_ipv4());
    left == right || covers(left, right) || covers(right, left)
}

fn bounds_in_order(config: &Config) -> Option<Contradiction> {
    let limits = &config.limits;
    let pairs = [
        (
            "limits.bulk_bytes_max",
            limits.bulk_bytes_max,
            "limits.request_bytes_max",
            limits.request_bytes_max,
        ),
        (
            "limits.inline_bytes_max",
            limits.inline_bytes_max,
            "limits.request_bytes_max",
            limits.request_bytes_max,
        ),
        (
            "limits.output_bytes_pause",
            limits.output_bytes_pause,
            "limits.output_bytes_max",
            limits.output_bytes_max,
        ),
    ];
    let (small, small_bytes, large, large_bytes) =
        pairs.into_iter().find(|(_, small, _, large)| small > large)?;
    let shown = |bytes: usize| crate::size::format(bytes as u64);
    let problem = format!("{} is more than {large} allows ({})", shown(small_bytes), shown(large_bytes));
    Some(Contradiction { paths: [small, large], problem })
}
