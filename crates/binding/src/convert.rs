//! Conversion between the objects of JavaScript and those of the datapath.

use terway_datapath::attachment::{self, Draft, DraftFamily};
use terway_datapath::capability::KernelCapabilities;
use terway_datapath::diff;
use terway_datapath::error::{Error, ErrorCode, Result};
use terway_datapath::symmetric;
use terway_datapath::{Attached, Collected, Detached, Entrance, HostAddresses, SurveyedLink, TakenOver, Target};

use crate::input;
use crate::output;

impl From<input::FamilyAddress> for DraftFamily {
    fn from(from: input::FamilyAddress) -> Self {
        Self {
            address: from.address,
            prefix_length: from.prefix_length,
            gateway: from.gateway,
        }
    }
}

impl From<input::Attachment> for Draft {
    fn from(from: input::Attachment) -> Self {
        Self {
            id: from.id,
            generation: from.generation,
            mode: from.mode,
            netns: from.netns,
            if_name: from.if_name,
            host_if_name: from.host_if_name,
            mtu: from.mtu,
            ipv4: from.ipv4.map(DraftFamily::from),
            ipv6: from.ipv6.map(DraftFamily::from),
            eni_mac: from.eni_mac,
            host_ipv4: from.host_ipv4,
            host_ipv6: from.host_ipv6,
            default_route: from.default_route,
            extra_routes: from.extra_routes,
            rule_form: from.rule_form,
            vlan_id: from.vlan_id,
            trunk_gateway_ipv4: from.trunk_gateway_ipv4,
            trunk_gateway_ipv6: from.trunk_gateway_ipv6,
            multi_network: from.multi_network.unwrap_or(false),
            own_groups: from.own_groups.unwrap_or(false),
            host_stack: from.host_stack_cidrs.unwrap_or_default(),
            host_peer: from.host_peer,
            ingress: from.bandwidth.as_ref().and_then(|limit| limit.ingress),
            egress: from.bandwidth.as_ref().and_then(|limit| limit.egress),
            bandwidth_mode: from.bandwidth_mode,
            priority: from.priority,
            network_policy: from.network_policy.unwrap_or(false),
            fast_path: from.fast_path.unwrap_or(false),
        }
    }
}

/// The good ones and the reasons against the others.
pub fn check_all(attachments: Vec<input::Attachment>) -> (Vec<attachment::Attachment>, Vec<Error>) {
    let (mut good, mut refused) = (Vec::new(), Vec::new());
    for attachment in attachments {
        match attachment::Attachment::try_from(Draft::from(attachment)) {
            Ok(attachment) => good.push(attachment),
            Err(error) => refused.push(error),
        }
    }
    (good, refused)
}

impl From<input::DetachTarget> for Target {
    /// Addresses that do not parse name nothing that could be removed.
    fn from(from: input::DetachTarget) -> Self {
        let addresses = from.addresses.iter().filter_map(|address| address.parse().ok()).collect();
        Self {
            id: from.id,
            netns: from.netns,
            host_if_name: from.host_if_name,
            addresses,
        }
    }
}

impl From<Error> for output::DatapathError {
    fn from(from: Error) -> Self {
        Self {
            code: from.code.as_str().to_owned(),
            message: from.message,
            object: from.object,
            errno: from.errno,
        }
    }
}

fn errors(from: Vec<Error>) -> Vec<output::DatapathError> {
    from.into_iter().map(output::DatapathError::from).collect()
}

impl From<Attached> for output::AttachResult {
    fn from(from: Attached) -> Self {
        Self {
            host_if_name: from.host_if_name,
            host_if_index: from.host_if_index,
            host_mac: from.host_mac.to_string(),
            pod_mac: from.pod_mac.to_string(),
            pod_if_index: from.pod_if_index,
            renamed_holder: from.renamed_holder,
            unenforced: from.unenforced,
            steps: from.steps,
            duration_us: from.duration.as_micros() as f64,
        }
    }
}

impl From<Result<Attached>> for output::AttachOutcome {
    fn from(from: Result<Attached>) -> Self {
        match from {
            Ok(value) => Self {
                value: Some(value.into()),
                error: None,
            },
            Err(error) => Self {
                value: None,
                error: Some(error.into()),
            },
        }
    }
}

impl From<diff::Drift> for output::Drift {
    fn from(from: diff::Drift) -> Self {
        Self {
            place: from.place.to_string(),
            kind: from.kind.to_owned(),
            object: from.object,
            problem: from.problem.as_str().to_owned(),
            detail: from.detail,
        }
    }
}

impl From<Result<Vec<diff::Drift>>> for output::CheckOutcome {
    fn from(from: Result<Vec<diff::Drift>>) -> Self {
        match from {
            Ok(drifts) => Self {
                value: Some(drifts.into_iter().map(output::Drift::from).collect()),
                error: None,
            },
            Err(error) => Self {
                value: None,
                error: Some(error.into()),
            },
        }
    }
}

impl From<Detached> for output::DetachResult {
    fn from(from: Detached) -> Self {
        Self {
            already_gone: from.already_gone,
            failures: errors(from.failures),
        }
    }
}

impl From<Collected> for output::CollectResult {
    fn from(from: Collected) -> Self {
        Self {
            removed: from.removed,
            failures: errors(from.failures),
        }
    }
}

impl From<Result<Option<TakenOver>>> for output::TakeOverOutcome {
    fn from(from: Result<Option<TakenOver>>) -> Self {
        let convert = |taken: TakenOver| output::TakenOver {
            hooks: taken.hooks as u32,
            failures: taken.failures.into_iter().map(Into::into).collect(),
        };
        match from {
            Ok(taken) => Self {
                value: taken.map(convert),
                error: None,
            },
            Err(error) => Self {
                value: None,
                error: Some(error.into()),
            },
        }
    }
}

impl From<Result<Vec<SurveyedLink>>> for output::SurveyOutcome {
    fn from(from: Result<Vec<SurveyedLink>>) -> Self {
        let convert = |link: SurveyedLink| output::SurveyedLink {
            id: link.id,
            host_if_name: link.host_if_name,
            addresses: link.addresses.iter().map(ToString::to_string).collect(),
        };
        match from {
            Ok(links) => Self {
                value: Some(links.into_iter().map(convert).collect()),
                error: None,
            },
            Err(error) => Self {
                value: None,
                error: Some(error.into()),
            },
        }
    }
}

impl From<terway_datapath::Repair> for output::Repair {
    fn from(from: terway_datapath::Repair) -> Self {
        Self {
            attachment_id: from.attachment_id,
            trigger: from.trigger.as_str().to_owned(),
            drifts: from.drifts.into_iter().map(output::Drift::from).collect(),
            failures: errors(from.failures),
        }
    }
}

impl From<HostAddresses> for output::HostAddresses {
    fn from(from: HostAddresses) -> Self {
        Self {
            ipv4: from.ipv4.map(|address| address.to_string()),
            ipv6: from.ipv6.map(|address| address.to_string()),
            mtu: from.mtu,
            if_name: from.if_name,
        }
    }
}

impl From<terway_datapath::Status> for output::DatapathStatus {
    fn from(from: terway_datapath::Status) -> Self {
        Self {
            attachments: u32::try_from(from.attachments).unwrap_or(u32::MAX),
            delete_backlog: u32::try_from(from.delete_backlog).unwrap_or(u32::MAX),
            kernel_release: from.kernel_release,
        }
    }
}

impl From<KernelCapabilities> for output::KernelCapabilities {
    fn from(from: KernelCapabilities) -> Self {
        let features = from.features.into_iter().map(|(feature, state)| output::KernelFeature {
            name: feature.as_str().to_owned(),
            available: state.is_ok(),
            reason: state.err(),
        });
        Self {
            release: from.release,
            features: features.collect(),
        }
    }
}

impl From<Result<Option<Entrance>>> for output::SymmetricRoutingOutcome {
    fn from(from: Result<Option<Entrance>>) -> Self {
        let entrance = |from: Entrance| output::Entrance {
            interface: from.interface,
            families: from.families.iter().map(|family| family.name().to_owned()).collect(),
        };
        match from {
            Ok(found) => Self {
                value: found.map(entrance),
                error: None,
            },
            Err(error) => Self {
                value: None,
                error: Some(error.into()),
            },
        }
    }
}

/// What is absent, and a zero, has the default. The rest of the check is the datapath's.
pub fn symmetric_config(from: input::SymmetricRouting) -> Result<symmetric::Config> {
    let number = |field: &str, number: Option<f64>, default: u32| match number {
        None | Some(0.0) => Ok(default),
        Some(number) if number.fract() == 0.0 && (0.0..=f64::from(u32::MAX)).contains(&number) => Ok(number as u32),
        Some(number) => Err(Error {
            object: Some(field.to_owned()),
            ..Error::new(
                ErrorCode::InvalidAttachment,
                format!("symmetric routing: {field} {number} must be a whole number of 32 bits"),
            )
        }),
    };
    let default = symmetric::Config::default();
    Ok(symmetric::Config {
        mark: number("mark", from.mark, default.mark)?,
        mask: number("mask", from.mask, default.mask)?,
        table: number("table_id", from.table_id, default.table)?,
        priority: number("rule_priority", from.rule_priority, default.priority)?,
        interface: from.interface.filter(|name| !name.is_empty()),
        comment: from.comment.filter(|comment| !comment.is_empty()).unwrap_or(default.comment),
        backend: match from.backend.as_deref() {
            None | Some("iptables") => symmetric::Backend::Iptables,
            Some("nftables") => symmetric::Backend::Nftables,
            Some(other) => {
                return Err(Error {
                    object: Some("backend".into()),
                    ..Error::new(
                        ErrorCode::InvalidAttachment,
                        format!("symmetric routing: backend {other:?} must be iptables or nftables"),
                    )
                });
            }
        },
    })
}
