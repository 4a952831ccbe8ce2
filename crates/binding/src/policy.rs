//! The tables of NetworkPolicy as objects of JavaScript; the fields are those of `ts/model/src/policy-tables.ts`.

use std::collections::HashSet;
use std::net::IpAddr;

use napi_derive::napi;
use terway_datapath::error::{Error, ErrorCode, Result};
use terway_datapath::object::Prefix;
use terway_datapath::policy::{self, parse_prefix};
use terway_datapath::policy::{Count, Direction, Reason, Sample};

use crate::output::DatapathError;

/// Something that a set allows.
#[napi(object, object_to_js = false)]
pub struct PolicyEntry {
    pub class: String,
    pub protocol: u8,
    pub from: u16,
    pub to: u16,
    pub rule: u32,
}

/// Entries of a set.
#[napi(object, object_to_js = false)]
pub struct PolicySetPart {
    pub set: String,
    pub entries: Vec<PolicyEntry>,
}

/// An address block with its class.
#[napi(object)]
pub struct PolicyBlock {
    pub prefix: String,
    pub class: String,
}

/// A pod's address with its class.
#[napi(object)]
pub struct PolicyPeer {
    pub address: String,
    pub class: String,
}

/// What decides over a pod's packets.
#[napi(object)]
pub struct PolicyRecord {
    pub endpoint: u32,
    pub ingress: String,
    pub egress: String,
    #[napi(ts_type = "'enforced' | 'tracked' | 'held'")]
    pub state: String,
}

/// One change.
#[napi(object, object_to_js = false)]
pub struct PolicyStep {
    pub sets: Vec<PolicySetPart>,
    pub blocks: Vec<PolicyBlock>,
    pub gone_blocks: Vec<String>,
    pub peers: Vec<PolicyPeer>,
    pub gone_peers: Vec<String>,
    pub pods: Vec<PolicyRecord>,
    pub gone_pods: Vec<u32>,
    pub bump: bool,
}

/// What may stay.
#[napi(object, object_to_js = false)]
pub struct PolicyReferences {
    pub sets: Vec<String>,
    pub classes: Vec<String>,
}

/// What the tables hold.
#[napi(object, object_from_js = false)]
pub struct PolicyListing {
    pub blocks: Vec<PolicyBlock>,
    pub peers: Vec<PolicyPeer>,
    pub pods: Vec<PolicyRecord>,
}

/// Packets of one fate.
#[napi(object, object_from_js = false)]
pub struct PolicyCount {
    pub reason: String,
    pub packets: f64,
    pub bytes: f64,
}

/// First packets or denials of a pod by one rule.
#[napi(object, object_from_js = false)]
pub struct PolicyVerdict {
    pub endpoint: u32,
    #[napi(ts_type = "'ingress' | 'egress'")]
    pub direction: String,
    pub rule: u32,
    pub packets: f64,
    pub bytes: f64,
}

/// All counters.
#[napi(object, object_from_js = false)]
pub struct PolicyCounts {
    pub reasons: Vec<PolicyCount>,
    pub verdicts: Vec<PolicyVerdict>,
}

/// A packet that was dropped.
#[napi(object, object_from_js = false)]
pub struct PolicySample {
    pub time_ns: f64,
    pub endpoint: u32,
    pub reason: String,
    #[napi(ts_type = "'ingress' | 'egress'")]
    pub direction: String,
    pub source: String,
    pub destination: String,
    pub protocol: u8,
    pub source_port: u16,
    pub destination_port: u16,
    pub length: u32,
}

/// Nothing, or the failure.
#[napi(object, object_from_js = false)]
pub struct PolicyOutcome {
    pub error: Option<DatapathError>,
}

/// Either the listing or the failure.
#[napi(object, object_from_js = false)]
pub struct PolicyListingOutcome {
    pub value: Option<PolicyListing>,
    pub error: Option<DatapathError>,
}

/// Either how many records went, or the failure.
#[napi(object, object_from_js = false)]
pub struct PolicySweepOutcome {
    pub value: Option<u32>,
    pub error: Option<DatapathError>,
}

/// Either the counters or the failure.
#[napi(object, object_from_js = false)]
pub struct PolicyCountsOutcome {
    pub value: Option<PolicyCounts>,
    pub error: Option<DatapathError>,
}

/// Either the samples or the failure.
#[napi(object, object_from_js = false)]
pub struct PolicySamplesOutcome {
    pub value: Option<Vec<PolicySample>>,
    pub error: Option<DatapathError>,
}

impl From<Result<()>> for PolicyOutcome {
    fn from(from: Result<()>) -> Self {
        Self {
            error: from.err().map(DatapathError::from),
        }
    }
}

macro_rules! outcome {
    ($outcome:ty, $inner:ty, $convert:expr) => {
        impl From<Result<$inner>> for $outcome {
            fn from(from: Result<$inner>) -> Self {
                match from {
                    Ok(value) => Self {
                        value: Some($convert(value)),
                        error: None,
                    },
                    Err(error) => Self {
                        value: None,
                        error: Some(error.into()),
                    },
                }
            }
        }
    };
}

outcome!(PolicyListingOutcome, policy::PolicyListing, listing);
outcome!(PolicySweepOutcome, usize, |swept| u32::try_from(swept).unwrap_or(u32::MAX));
outcome!(PolicyCountsOutcome, policy::PolicyCounts, counts);
outcome!(PolicySamplesOutcome, Vec<Sample>, samples);

fn invalid(text: &str, why: &str) -> Error {
    Error::new(ErrorCode::InvalidAttachment, format!("{text:?} must be {why}"))
}

fn number(text: &str) -> Result<u64> {
    u64::from_str_radix(text, 16).map_err(|_| invalid(text, "a hexadecimal number of 64 bits"))
}

fn address(text: &str) -> Result<IpAddr> {
    text.parse().map_err(|_| invalid(text, "an address"))
}

fn all<F, T>(from: Vec<F>, convert: impl FnMut(F) -> Result<T>) -> Result<Vec<T>> {
    from.into_iter().map(convert).collect()
}

fn set_part(part: PolicySetPart) -> Result<policy::SetPart> {
    let entry = |entry: PolicyEntry| {
        Ok(policy::PolicyEntry {
            class: number(&entry.class)?,
            protocol: entry.protocol,
            from: entry.from,
            to: entry.to,
            rule: entry.rule,
        })
    };
    Ok(policy::SetPart {
        set: number(&part.set)?,
        entries: all(part.entries, entry)?,
    })
}

fn record(record: PolicyRecord) -> Result<policy::PodRecord> {
    Ok(policy::PodRecord {
        endpoint: record.endpoint,
        ingress: number(&record.ingress)?,
        egress: number(&record.egress)?,
        state: match record.state.as_str() {
            "enforced" => policy::PodState::Enforced,
            "tracked" => policy::PodState::Tracked,
            "held" => policy::PodState::Held,
            other => return Err(invalid(other, "enforced, tracked or held")),
        },
    })
}

/// A checked change.
pub fn step(from: PolicyStep) -> Result<policy::PolicyStep> {
    Ok(policy::PolicyStep {
        sets: all(from.sets, set_part)?,
        blocks: all(from.blocks, |block| Ok((parse_prefix(&block.prefix)?, number(&block.class)?)))?,
        gone_blocks: prefixes(&from.gone_blocks)?,
        peers: all(from.peers, |peer| Ok((address(&peer.address)?, number(&peer.class)?)))?,
        gone_peers: all(from.gone_peers, |gone| address(&gone))?,
        pods: all(from.pods, record)?,
        gone_pods: from.gone_pods,
        bump: from.bump,
    })
}

/// Checked CIDRs.
pub fn prefixes(from: &[String]) -> Result<Vec<Prefix>> {
    from.iter().map(|text| parse_prefix(text)).collect()
}

/// Checked numbers of sets or classes.
pub fn numbers(from: &[String]) -> Result<HashSet<u64>> {
    from.iter().map(|text| number(text)).collect()
}

fn listing(from: policy::PolicyListing) -> PolicyListing {
    PolicyListing {
        blocks: (from.blocks.iter())
            .map(|(prefix, class)| PolicyBlock {
                prefix: format!("{}/{}", prefix.address, prefix.length),
                class: format!("{class:x}"),
            })
            .collect(),
        peers: (from.peers.iter())
            .map(|(address, class)| PolicyPeer {
                address: address.to_string(),
                class: format!("{class:x}"),
            })
            .collect(),
        pods: (from.pods.iter())
            .map(|pod| PolicyRecord {
                endpoint: pod.endpoint,
                ingress: format!("{:x}", pod.ingress),
                egress: format!("{:x}", pod.egress),
                state: match pod.state {
                    policy::PodState::Enforced => "enforced",
                    policy::PodState::Tracked => "tracked",
                    policy::PodState::Held => "held",
                }
                .to_owned(),
            })
            .collect(),
    }
}

fn direction(number: u8) -> String {
    let ingress = number == Direction::Ingress as u8;
    if ingress { "ingress" } else { "egress" }.to_owned()
}

fn counts(from: policy::PolicyCounts) -> PolicyCounts {
    let (packets, bytes) = (|count: Count| count.packets as f64, |count: Count| count.bytes as f64);
    PolicyCounts {
        reasons: (from.reasons.into_iter())
            .map(|(reason, count)| PolicyCount {
                reason: reason.name().to_owned(),
                packets: packets(count),
                bytes: bytes(count),
            })
            .collect(),
        verdicts: (from.verdicts.into_iter())
            .map(|(key, count)| PolicyVerdict {
                endpoint: key.endpoint,
                direction: direction(key.direction),
                rule: key.rule,
                packets: packets(count),
                bytes: bytes(count),
            })
            .collect(),
    }
}

/// The number itself for a reason of a later version's programs.
fn reason_name(number: u32) -> String {
    let known = Reason::ALL.into_iter().find(|reason| *reason as u32 == number);
    known.map_or_else(|| number.to_string(), |reason| reason.name().to_owned())
}

fn samples(from: Vec<Sample>) -> Vec<PolicySample> {
    let sample = |sample: Sample| PolicySample {
        time_ns: sample.time as f64,
        endpoint: sample.endpoint,
        reason: reason_name(sample.reason),
        direction: direction(sample.direction),
        source: IpAddr::from(sample.source).to_string(),
        destination: IpAddr::from(sample.destination).to_string(),
        protocol: sample.protocol,
        source_port: sample.source_port,
        destination_port: sample.destination_port,
        length: sample.length,
    };
    from.into_iter().map(sample).collect()
}
