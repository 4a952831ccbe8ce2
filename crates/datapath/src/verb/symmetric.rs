//! Makes and removes what symmetric routing needs, and keeps it so: the same walk for a new configuration, for repair and for the end.

use netlink_packet_route::RouteNetlinkMessage;

use crate::error::{Error, ErrorCode, Result};
use crate::kernel::socket::Socket;
use crate::kernel::uapi::{NLM_F_CREATE, NLM_F_EXCL, NLM_F_REPLACE};
use crate::kernel::{message, observe, program};
use crate::mode::objects::rule;
use crate::object::{Device, Family, METRIC_IPV6, Mark, PROTOCOL, Prefix, Route, RouteKind, Rule, Scope, TABLE_MAIN};
use crate::shared::Context;
use crate::symmetric::{Backend, Config, NFT_TABLE, Symmetric, nft_family, own_lines, restore_script};

const FAMILIES: [Family; 2] = [Family::V4, Family::V6];

/// Where connections come in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entrance {
    /// Name of the interface.
    pub interface: String,
    /// Families with a default route through it.
    pub families: Vec<Family>,
}

/// Switches symmetric routing on with this configuration, or off, and removes what an earlier one left.
pub fn configure(context: &mut Context<'_>, config: Option<Config>) -> Result<Option<Entrance>> {
    let mut symmetric = context.shared.symmetric();
    if let Some(config) = &config {
        config.check()?;
    }
    symmetric.shown.clear();
    symmetric.config = config;
    ensure(&mut context.worker.socket, &mut symmetric)
}

/// Makes everything as configured again.
pub fn repair(context: &mut Context<'_>) -> Result<()> {
    let mut symmetric = context.shared.symmetric();
    if symmetric.config.is_some() {
        ensure(&mut context.worker.socket, &mut symmetric)?;
    }
    Ok(())
}

fn ensure(socket: &mut Socket, symmetric: &mut Symmetric) -> Result<Option<Entrance>> {
    let Some(config) = symmetric.config.clone() else {
        for family in FAMILIES {
            let stale = own_rules(socket, family)?;
            remove(socket, &stale)?;
            clear_nftables(family)?;
            clear_iptables(family)?;
        }
        return Ok(None);
    };
    let (interface, gateways) = entrance(socket, config.interface.as_deref())?;
    for family in FAMILIES {
        let gateway = gateways.iter().find(|route| route.destination.family() == family);
        let wanted = gateway.map(|_| Rule {
            mark: Some(Mark {
                value: config.mark,
                mask: config.mask,
            }),
            ..rule(family, config.priority, None, None, config.table)
        });
        // The way is there before the mark that leads to it, and goes after it.
        if let Some(route) = gateway {
            put_route(socket, route, config.table)?;
        }
        let (kept, stale): (Vec<Rule>, Vec<Rule>) =
            own_rules(socket, family)?.into_iter().partition(|rule| Some(*rule) == wanted);
        if let Some(wanted) = wanted.filter(|_| kept.is_empty()) {
            put_rule(socket, &wanted)?;
        }
        mark(&config, family, gateway.map(|_| interface.as_str()), &mut symmetric.shown)?;
        remove(socket, &stale)?;
    }
    let families = gateways.iter().map(|route| route.destination.family()).collect();
    Ok(Some(Entrance { interface, families }))
}

/// The interface and its default routes.
fn entrance(socket: &mut Socket, named: Option<&str>) -> Result<(String, Vec<Route>)> {
    let mut defaults = Vec::new();
    for family in FAMILIES {
        let routes = observe::routes(socket, family, Some(TABLE_MAIN), None)?;
        let defaults_of = routes
            .into_iter()
            .filter(|route| route.destination.is_default() && route.kind == RouteKind::Unicast);
        defaults.extend(defaults_of.filter(|route| route.gateway.is_some()));
    }
    defaults.sort_by_key(|route| (route.destination.family(), route.metric));
    let index = |route: &Route| match route.device {
        Some(Device::Index(index)) => Some(index),
        _ => None,
    };
    let link = match named {
        Some(name) => observe::link_by_name(socket, name)?,
        None => match defaults.first().and_then(index) {
            Some(index) => observe::link_by_index(socket, index)?,
            None => None,
        },
    };
    let missing = |what: String| Error::new(ErrorCode::Unsupported, format!("symmetric routing: {what}"));
    let link = link.ok_or_else(|| missing(format!("there is no interface {}", named.unwrap_or("with a default route"))))?;
    defaults.retain(|route| index(route) == Some(link.index));
    defaults.dedup_by_key(|route| route.destination.family());
    if defaults.is_empty() {
        return Err(missing(format!(
            "{} has no default gateway; name another interface in symmetric_routing_config",
            link.name
        )));
    }
    Ok((link.name, defaults))
}

fn own_rules(socket: &mut Socket, family: Family) -> Result<Vec<Rule>> {
    let rules = observe::rules(socket, family)?;
    Ok(rules.into_iter().filter(Rule::is_of_symmetric_routing).collect())
}

fn put_rule(socket: &mut Socket, rule: &Rule) -> Result<()> {
    let answer = socket.request(RouteNetlinkMessage::NewRule(message::rule(rule)), NLM_F_CREATE | NLM_F_EXCL)?;
    match answer.result {
        // Somebody else's does the same.
        Err(refusal) if refusal.errno != EEXIST => Err(refusal.error("RTM_NEWRULE").about(format!("rule {}", rule.priority))),
        _ => Ok(()),
    }
}

/// Rules of ours, and the routes of ours that they led to.
fn remove(socket: &mut Socket, rules: &[Rule]) -> Result<()> {
    for rule in rules {
        drop(socket.request(RouteNetlinkMessage::DelRule(message::rule(rule)), 0)?);
        if own_rules(socket, rule.family)?
            .iter()
            .any(|other| other.action == rule.action)
        {
            continue;
        }
        for route in observe::routes(socket, rule.family, rule.action.table(), None)? {
            if let (PROTOCOL, Some(Device::Index(index))) = (route.protocol, route.device) {
                drop(socket.request(RouteNetlinkMessage::DelRoute(message::route(&route, Some(index))), 0)?);
            }
        }
    }
    Ok(())
}

fn put_route(socket: &mut Socket, default: &Route, table: u32) -> Result<()> {
    let family = default.destination.family();
    let wanted = Route {
        table,
        destination: Prefix {
            length: 0,
            ..family.default_prefix()
        },
        kind: RouteKind::Unicast,
        onlink: true,
        preferred: None,
        scope: Scope::Universe,
        metric: if family == Family::V6 { METRIC_IPV6 } else { 0 },
        protocol: PROTOCOL,
        ..*default
    };
    if observe::routes(socket, family, Some(table), None)?.contains(&wanted) {
        return Ok(());
    }
    let Some(Device::Index(index)) = default.device else {
        return Ok(());
    };
    let put = RouteNetlinkMessage::NewRoute(message::route(&wanted, Some(index)));
    let answer = socket.request(put, NLM_F_CREATE | NLM_F_REPLACE)?;
    answer
        .result
        .map_err(|refusal| refusal.error("RTM_NEWROUTE").about(format!("route default table {table}")))
}

/// The netfilter rules of one family as configured, or away if it has no gateway.
fn mark(config: &Config, family: Family, interface: Option<&str>, shown: &mut Vec<(Family, String)>) -> Result<()> {
    let Some(interface) = interface else {
        clear_nftables(family)?;
        return clear_iptables(family);
    };
    let show = || match config.backend {
        Backend::Nftables => show_nftables(family),
        Backend::Iptables => show_iptables(family).map(|lines| lines.join("\n")),
    };
    let now = show()?;
    if shown.iter().any(|known| *known == (family, now.clone())) {
        return Ok(());
    }
    match config.backend {
        Backend::Nftables => {
            program::run("nft", &["-f", "-"], &config.nft_script(family, interface))?;
            clear_iptables(family)?;
        }
        Backend::Iptables => {
            let there = config.iptables_rules(interface);
            restore(family, &restore_script(&show_iptables(family)?, &there))?;
            clear_nftables(family)?;
        }
    }
    shown.retain(|(known, _)| *known != family);
    shown.push((family, show()?));
    Ok(())
}

/// The table in nft's words, nothing if it is not there.
fn show_nftables(family: Family) -> Result<String> {
    match program::run("nft", &["list", "table", nft_family(family), NFT_TABLE], "") {
        Err(error) if error.message.contains("No such file") => Ok(String::new()),
        other => other,
    }
}

fn clear_nftables(family: Family) -> Result<()> {
    match show_nftables(family) {
        Ok(table) if table.is_empty() => Ok(()),
        Ok(_) => program::run("nft", &["delete", "table", nft_family(family), NFT_TABLE], "").map(drop),
        // Where there is no nft, we never made anything with it.
        Err(error) if error.code == ErrorCode::Unsupported => Ok(()),
        Err(error) => Err(error),
    }
}

fn iptables(family: Family) -> &'static str {
    match family {
        Family::V4 => "iptables",
        Family::V6 => "ip6tables",
    }
}

fn show_iptables(family: Family) -> Result<Vec<String>> {
    let listing = program::run(iptables(family), &["-w", "5", "-t", "mangle", "-S", "PREROUTING"], "")?;
    Ok(own_lines(&listing))
}

fn clear_iptables(family: Family) -> Result<()> {
    match show_iptables(family) {
        Ok(lines) if lines.is_empty() => Ok(()),
        Ok(lines) => restore(family, &restore_script(&lines, &[])),
        Err(error) if error.code == ErrorCode::Unsupported => Ok(()),
        Err(error) => Err(error),
    }
}

fn restore(family: Family, script: &str) -> Result<()> {
    let program = format!("{}-restore", iptables(family));
    program::run(&program, &["--noflush", "-w", "5"], script).map(drop)
}

const EEXIST: i32 = 17;
