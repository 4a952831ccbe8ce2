//! Makes the links of an attachment. A pair is marked before any other process can run, by requests of one system call; a link that hangs
//! on the ENI is known by its name of birth until the next call, in the pod, has marked it.

use std::os::fd::AsFd;

use netlink_packet_route::RouteNetlinkMessage;

use super::execute::Executor;
use super::message::{self, Hanging, LinkChange, Pair};
use super::observe;
use super::parts::end_of;
use super::socket::Request;
use super::uapi::{NLM_F_CREATE, NLM_F_EXCL};
use crate::error::{Error, ErrorCode, Result};
use crate::form::{Form, PairKind};
use crate::mark;
use crate::object::{Device, Mac};

const EEXIST: i32 = 17;

impl Executor<'_> {
    /// Makes a missing link; its index and MAC are among the parts from now on.
    pub(super) fn create(&mut self, device: Device) -> Result<()> {
        match (self.desired.form, device) {
            (Form::Pair(kind), Device::HostEnd) => self.create_pair(kind),
            // The pair beside a moved ENI.
            (Form::Moved, Device::HostEnd) => self.create_pair(PairKind::Veth),
            (Form::Slave, Device::PodEnd) => self.create_in_pod(None),
            (Form::Vlan(id), Device::PodEnd) => self.create_in_pod(Some(id)),
            (Form::Slave, Device::HostSlave) => self.create_host_slave(),
            (Form::Slave | Form::Vlan(_) | Form::Moved, Device::Shaper) => self.create_shaper(),
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

impl Executor<'_> {
    /// A link that hangs on the ENI and is born in the pod. First the namespace gets its id, so that whoever finds neither journal nor
    /// path of the pod still finds the link. It is born under a name of its own: the kernel looks the name up in the host namespace as
    /// well, and there the node has its `eth0`.
    fn create_in_pod(&mut self, vlan_id: Option<u16>) -> Result<()> {
        let name = &self.desired.names.pod_end;
        let birth_name = mark::birth_name(&self.desired.alias);
        let object = format!("link {name}");
        let lower = self.parts.index(Device::Eni)?;
        let pod = self.pod.as_mut().ok_or_else(|| {
            let message = "making it needs a look into the pod";
            Error::new(ErrorCode::Unsupported, message).about(object.clone())
        })?;
        let create = message::create_hanging(&Hanging {
            name: &birth_name,
            lower,
            mtu: self.desired.mtu,
            vlan_id,
            netns: Some(pod.netns.as_fd()),
        });
        let mut answers = self
            .host
            .batch(vec![
                plain(message::name_netns(pod.netns.as_fd())),
                Request {
                    message: create,
                    flags: NLM_F_CREATE | NLM_F_EXCL,
                },
            ])?
            .into_iter();
        if let Some(Err(refusal)) = answers.next().map(|answer| answer.result)
            && refusal.errno != EEXIST
        {
            return Err(refusal.error("RTM_NEWNSID").about(object));
        }
        if let Some(Err(refusal)) = answers.next().map(|answer| answer.result) {
            return Err(refusal.error("RTM_NEWLINK").about(object));
        }
        let link = observe::link_by_name(&mut pod.socket, &birth_name)?
            .ok_or_else(|| Error::new(ErrorCode::Kernel, "vanished at once").about(object.clone()))?;
        let change = LinkChange {
            name: Some(name.clone()),
            alias: Some(self.desired.alias.clone()),
            ..LinkChange::default()
        };
        let renamed = pod.socket.request(message::set_link(link.index, change), 0)?;
        renamed
            .result
            .map_err(|refusal| refusal.error("RTM_SETLINK name").about(object))?;
        self.parts.put(Device::PodEnd, end_of(&link));
        self.done += 1;
        Ok(())
    }

    /// One that is there already has lost its race against nobody: an attach that was stopped has made it.
    fn create_shaper(&mut self) -> Result<()> {
        let name = &self.desired.names.shaper;
        let object = format!("link {name}");
        let pod = self.pod.as_mut().ok_or_else(|| {
            let message = "making it needs a look into the pod";
            Error::new(ErrorCode::Unsupported, message).about(object.clone())
        })?;
        let mut answers = pod
            .socket
            .batch(vec![
                Request {
                    message: message::create_shaper(name, self.desired.mtu),
                    flags: NLM_F_CREATE | NLM_F_EXCL,
                },
                plain(message::mark_by_name(name, &self.desired.alias)),
                plain(message::get_link_by_name(name)),
            ])?
            .into_iter();
        let mut done = || answers.next().map_or(Ok(()), |answer| answer.result);
        match done() {
            Err(refusal) if refusal.errno != EEXIST => return Err(refusal.error("RTM_NEWLINK ifb").about(object)),
            _ => {}
        }
        done().map_err(|refusal| refusal.error("RTM_SETLINK alias").about(object.clone()))?;
        let link = answers
            .next()
            .map(|answer| observe::one_link(answer, name))
            .transpose()?
            .flatten();
        match link.filter(|link| link.kind.as_deref() == Some("ifb")) {
            Some(link) => self.parts.put(Device::Shaper, end_of(&link)),
            None => return Err(Error::new(ErrorCode::InterfaceExists, "is in the way and no ifb").about(object)),
        }
        self.done += 1;
        Ok(())
    }

    /// Pods of one ENI are made side by side: another may have been quicker.
    fn create_host_slave(&mut self) -> Result<()> {
        let wanted = self.desired.host.links.iter().find(|link| link.device == Device::HostSlave);
        let alias = wanted.and_then(|link| link.alias.clone()).unwrap_or_default();
        let name = &self.desired.names.host_end;
        let object = format!("link {name}");
        let lower = self.parts.index(Device::Eni)?;
        let create = message::create_hanging(&Hanging {
            name,
            lower,
            mtu: self.desired.mtu,
            vlan_id: None,
            netns: None,
        });
        let mut answers = self
            .host
            .batch(vec![
                Request {
                    message: create,
                    flags: NLM_F_CREATE | NLM_F_EXCL,
                },
                plain(message::get_link_by_name(name)),
            ])?
            .into_iter();
        let made = answers.next().map_or(Ok(()), |answer| answer.result);
        let link = answers
            .next()
            .map(|answer| observe::one_link(answer, name))
            .transpose()?
            .flatten();
        let link = match (made, link) {
            (Err(refusal), _) if refusal.errno != EEXIST => return Err(refusal.error("RTM_NEWLINK").about(object)),
            (_, Some(link)) if link.kind.as_deref() == Some("ipvlan") && link.peer_index == Some(lower) => link,
            (_, link) => {
                let message = if link.is_some() {
                    "is in the way and not ours"
                } else {
                    "vanished at once"
                };
                return Err(Error::new(ErrorCode::InterfaceExists, message).about(object));
            }
        };
        self.host.batch(vec![plain(message::mark(link.index, &alias))])?;
        self.parts.put(Device::HostSlave, end_of(&link));
        self.done += 1;
        Ok(())
    }
}

fn plain(message: RouteNetlinkMessage) -> Request {
    Request { message, flags: 0 }
}

/// A locally administered unicast address.
fn random_mac() -> Result<Mac> {
    let mut bytes = [0u8; 6];
    rustix::rand::getrandom(&mut bytes, rustix::rand::GetRandomFlags::empty())
        .map_err(|errno| Error::system("getrandom", &errno.into()))?;
    bytes[0] = (bytes[0] & 0xfc) | 0x02;
    Ok(Mac(bytes))
}
