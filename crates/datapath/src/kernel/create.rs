//! Makes the links of an attachment, each marked before any other process can run: the requests are in one system call.

use std::os::fd::AsFd;

use super::execute::Executor;
use super::message::{self, Pair};
use super::observe;
use super::socket::Request;
use super::uapi::{NLM_F_CREATE, NLM_F_EXCL};
use crate::error::{Error, ErrorCode, Result};
use crate::link::{Form, PairKind};
use crate::object::{Device, Mac};

impl Executor<'_> {
    /// Makes a missing link; its index and MAC are among the parts from now on.
    pub(super) fn create(&mut self, device: Device) -> Result<()> {
        match (self.desired.form, device) {
            (Form::Pair(kind), Device::HostEnd) => self.create_pair(kind),
            // The pair beside a moved ENI.
            (Form::Moved, Device::HostEnd) => self.create_pair(PairKind::Veth),
            (form, device) => {
                let message = format!("form {form:?} makes no {device:?}");
                Err(Error::new(ErrorCode::Unsupported, message))
            }
        }
    }

    fn create_pair(&mut self, kind: PairKind) -> Result<()> {
        let names = &self.desired.names;
        let object = format!("link {}", names.host_end);
        let pod = self
            .pod
            .as_ref()
            .ok_or_else(|| Error::new(ErrorCode::Kernel, "the pair is gone").about(object.clone()))?;
        let macs = match kind {
            PairKind::Veth => Some((random_mac()?, random_mac()?)),
            PairKind::Netkit => None,
        };
        let create = message::create_pair(&Pair {
            host_name: &names.host_end,
            macs,
            pod_name: &names.pod_end,
            pod_netns: pod.netns.as_fd(),
            mtu: self.desired.mtu,
        });
        let mut answers = self
            .host
            .batch(vec![
                Request {
                    message: create,
                    flags: NLM_F_CREATE | NLM_F_EXCL,
                },
                Request {
                    message: message::mark_by_name(&names.host_end, &self.desired.alias),
                    flags: 0,
                },
                Request {
                    message: message::get_link_by_name(&names.host_end),
                    flags: 0,
                },
            ])?
            .into_iter();
        for request in [format!("RTM_NEWLINK {}", kind.as_str()), "RTM_SETLINK alias".to_owned()] {
            if let Some(Err(refusal)) = answers.next().map(|answer| answer.result) {
                return Err(refusal.error(&request).about(object));
            }
        }
        let link = answers
            .next()
            .map(|answer| observe::one_link(answer, &names.host_end))
            .transpose()?
            .flatten();
        let made = link.and_then(|link| Some((link.index, link.peer_index?)));
        let (host_index, pod_index) = made.ok_or_else(|| Error::new(ErrorCode::Kernel, "vanished at once").about(object))?;
        let (host_mac, pod_mac) = macs.unwrap_or((Mac([0; 6]), Mac([0; 6])));
        self.parts.put(Device::HostEnd, (host_index, host_mac));
        self.parts.put(Device::PodEnd, (pod_index, pod_mac));
        self.done += 1;
        Ok(())
    }
}

/// A locally administered unicast address.
fn random_mac() -> Result<Mac> {
    let mut bytes = [0u8; 6];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::system("getrandom", &errno.into()))?;
    bytes[0] = (bytes[0] & 0xfc) | 0x02;
    Ok(Mac(bytes))
}
