//! Tries each [`Feature`] in a network namespace of its own, which goes away with the thread that made it.

use std::io;
use std::os::fd::AsRawFd;
use std::sync::OnceLock;

use netlink_sys::protocols::{NETLINK_NETFILTER, NETLINK_ROUTE};
use rustix::thread::UnshareFlags;

use super::bpf;
use super::raw::{Attributes, Message, RawSocket};
use super::redirect;
use super::uapi::*;
use super::wire::{attributes, u32_at};
use crate::capability::{Feature, KernelCapabilities};
use crate::error::{Error, ErrorCode, Result};

/// The device that everything is tried on, with two queues so that `mq` takes it.
const BASE: &[u8] = b"base\0";
const TRIED: &[u8] = b"tried\0";

/// What the running kernel can do. Takes some milliseconds, more when modules are loaded; fails only if no namespace can be made.
pub fn probe() -> Result<KernelCapabilities> {
    let tried = std::thread::Builder::new()
        .name("terway-probe".into())
        .spawn(|| {
            leave_namespace()?;
            let mut bench = Bench::open()?;
            Ok(Feature::ALL.map(|feature| (feature, bench.tried(feature).map_err(|cause| cause.to_string()))))
        })
        .map_err(|cause| Error::system("spawn", &cause))?
        .join()
        .unwrap_or_else(|_| Err(io::Error::other("the probe panicked")));
    Ok(KernelCapabilities {
        release: rustix::system::uname().release().to_string_lossy().into_owned(),
        features: tried
            .map_err(|cause| Error::new(ErrorCode::Kernel, format!("probe of the kernel: {cause}")))?
            .into(),
    })
}

/// True if the kernel has IPv6 routes by source. Asked of it once for each process.
pub fn has_source_routes() -> bool {
    static ANSWER: OnceLock<Answer> = OnceLock::new();
    ANSWER.get_or_init(|| ask(Feature::Ipv6SourceRoutes)).is_ok()
}

/// Whether the kernel can let wait what a device receives, or why not. Asked of it once for each process.
pub fn ingress_queues() -> &'static Answer {
    static ANSWER: OnceLock<Answer> = OnceLock::new();
    ANSWER.get_or_init(|| ask(Feature::Ifb))
}

/// What the kernel said to one feature.
pub type Answer = std::result::Result<(), String>;

fn ask(feature: Feature) -> Answer {
    let run = || leave_namespace().and_then(|()| Bench::open()?.tried(feature));
    let asked = std::thread::scope(|scope| scope.spawn(run).join());
    let answer = asked.unwrap_or_else(|_| Err(io::Error::other("the probe panicked")));
    answer.map_err(|cause| cause.to_string())
}

#[expect(unsafe_code, reason = "unshare")]
fn leave_namespace() -> io::Result<()> {
    // SAFETY: only the network namespace of this short-lived thread changes; no file table is unshared.
    Ok(unsafe { rustix::thread::unshare_unsafe(UnshareFlags::NEWNET) }?)
}

struct Bench {
    socket: RawSocket,
    base: io::Result<u32>,
}

impl Bench {
    fn open() -> io::Result<Self> {
        let mut socket = RawSocket::open(NETLINK_ROUTE)?;
        let base = make_base(&mut socket);
        Ok(Self { socket, base })
    }

    /// Index of the base device, or why there is none.
    fn base(&self) -> io::Result<u32> {
        self.base
            .as_ref()
            .copied()
            .map_err(|cause| io::Error::other(format!("no veth to try it on: {cause}")))
    }

    fn tried(&mut self, feature: Feature) -> io::Result<()> {
        match feature {
            Feature::Veth => self.base().map(drop),
            Feature::Ipvlan => self.stacked("ipvlan", Attributes::default().with(IFLA_IPVLAN_MODE, &0u16.to_ne_bytes())),
            Feature::Vlan => self.stacked("vlan", Attributes::default().with(IFLA_VLAN_ID, &1u16.to_ne_bytes())),
            Feature::Netkit => self.netkit(false),
            Feature::NetkitScrub => self.netkit(true),
            Feature::Clsact => self.qdisc("clsact", TC_H_CLSACT, None),
            Feature::Bpf => bpf::load_classifier().map(drop).map_err(explain_bpf),
            Feature::ClsBpf => self.classifier(),
            Feature::Tbf => self.qdisc("tbf", TC_H_ROOT, Some(token_bucket())),
            Feature::Ifb => self.ingress_queue(),
            Feature::Fq => self.qdisc("fq", TC_H_ROOT, None),
            Feature::Prio => {
                let bands = [&3i32.to_ne_bytes()[..], &[1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1]].concat();
                self.qdisc("prio", TC_H_ROOT, Some(Options::Plain(bands)))
            }
            Feature::Mq => self.qdisc("mq", TC_H_ROOT, None),
            Feature::Ipv6 => self.route(&[]),
            Feature::Ipv6SourceRoutes => self.route(&[0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
            Feature::RuleSuppressPrefixLength => self.rule(FR_ACT_TO_TBL, FRA_SUPPRESS_PREFIXLEN, 31),
            Feature::RuleGoto => self.rule(FR_ACT_GOTO, FRA_GOTO, 20_000),
            Feature::Nftables => nftables(),
        }
    }

    fn make(&mut self, message: Message) -> io::Result<()> {
        self.socket.call([message]).map(drop)
    }

    /// A link on top of the base.
    fn stacked(&mut self, kind: &str, data: Attributes) -> io::Result<()> {
        let message = new_link(TRIED)
            .with(IFLA_LINK, &self.base()?.to_ne_bytes())
            .with_nested(IFLA_LINKINFO, link_info(kind, data));
        self.make(message)?;
        self.make(Message::new(RTM_DELLINK, 0, &[0; 16]).with(IFLA_IFNAME, TRIED))
    }

    fn netkit(&mut self, scrub: bool) -> io::Result<()> {
        let mut data = Attributes::default().with(IFLA_NETKIT_MODE, &NETKIT_L3.to_ne_bytes());
        if scrub {
            data = data.with(IFLA_NETKIT_SCRUB, &NETKIT_SCRUB_NONE.to_ne_bytes());
        }
        self.make(new_link(TRIED).with_nested(IFLA_LINKINFO, link_info("netkit", data)))?;
        let seen = self
            .socket
            .call([Message::new(RTM_GETLINK, 0, &[0; 16]).with(IFLA_IFNAME, TRIED)]);
        self.make(Message::new(RTM_DELLINK, 0, &[0; 16]).with(IFLA_IFNAME, TRIED))?;
        // An older kernel ignores the attribute; one that knows it shows it.
        if !scrub
            || seen?
                .iter()
                .any(|link| link_data(link).any(|(kind, _)| kind == IFLA_NETKIT_SCRUB))
        {
            return Ok(());
        }
        Err(io::Error::other(
            "netkit here has no scrub attribute: it wipes mark and priority",
        ))
    }

    fn qdisc(&mut self, kind: &str, parent: u32, options: Option<Options>) -> io::Result<()> {
        let message = tc_message(RTM_NEWQDISC, self.base()?, parent, 0).with(TCA_KIND, &zero_ended(kind));
        let message = match options {
            None => message,
            Some(Options::Plain(bytes)) => message.with(TCA_OPTIONS, &bytes),
            Some(Options::Nested(inside)) => message.with_nested(TCA_OPTIONS, inside),
        };
        self.make(message)?;
        let base = self.base()?;
        self.make(tc_message(RTM_DELQDISC, base, parent, 0))
    }

    fn ingress_queue(&mut self) -> io::Result<()> {
        let base = self.base()?;
        self.make(new_link(TRIED).with_nested(IFLA_LINKINFO, link_info("ifb", Attributes::default())))?;
        let found = self
            .socket
            .call([Message::new(RTM_GETLINK, 0, &[0; 16]).with(IFLA_IFNAME, TRIED)]);
        let led = found.and_then(|found| {
            let to = found.first().and_then(|link| u32_at(link, 4)).unwrap_or(0);
            self.make(tc_message(RTM_NEWQDISC, base, TC_H_CLSACT, 0).with(TCA_KIND, b"clsact\0"))?;
            let info = 1 << 16 | u32::from(ETH_P_ALL.to_be());
            let filter = tc_message(RTM_NEWTFILTER, base, TC_H_INGRESS, info)
                .with(TCA_KIND, b"bpf\0")
                .with_nested(TCA_OPTIONS, redirect::options(to));
            let made = self.make(filter);
            self.make(tc_message(RTM_DELQDISC, base, TC_H_CLSACT, 0))?;
            made
        });
        self.make(Message::new(RTM_DELLINK, 0, &[0; 16]).with(IFLA_IFNAME, TRIED))?;
        led
    }

    fn classifier(&mut self) -> io::Result<()> {
        let program = bpf::load_classifier().map_err(explain_bpf)?;
        let base = self.base()?;
        self.make(tc_message(RTM_NEWQDISC, base, TC_H_CLSACT, 0).with(TCA_KIND, b"clsact\0"))?;
        let options = Attributes::default()
            .with(TCA_BPF_FD, &program.as_raw_fd().to_ne_bytes())
            .with(TCA_BPF_NAME, b"probe\0")
            .with(TCA_BPF_FLAGS, &TCA_BPF_FLAG_ACT_DIRECT.to_ne_bytes());
        let info = 1 << 16 | u32::from(ETH_P_ALL.to_be());
        let filter = tc_message(RTM_NEWTFILTER, base, TC_H_INGRESS, info)
            .with(TCA_KIND, b"bpf\0")
            .with_nested(TCA_OPTIONS, options);
        let made = self.make(filter);
        self.make(tc_message(RTM_DELQDISC, base, TC_H_CLSACT, 0))?;
        made
    }

    /// An IPv6 default route, from `source` alone if there is one.
    fn route(&mut self, source: &[u8]) -> io::Result<()> {
        let source_length = 8 * source.len() as u8;
        let fixed = [
            AF_INET6,
            0,
            source_length,
            0,
            100,
            4,
            RT_SCOPE_UNIVERSE,
            RTN_UNICAST,
            0,
            0,
            0,
            0,
        ];
        let base = self.base()?;
        for (kind, flags) in [(RTM_NEWROUTE, NLM_F_CREATE), (RTM_DELROUTE, 0)] {
            let mut message = Message::new(kind, flags, &fixed).with(RTA_OIF, &base.to_ne_bytes());
            if !source.is_empty() {
                message = message.with(RTA_SRC, source);
            }
            self.make(message)?;
        }
        Ok(())
    }

    fn rule(&mut self, action: u8, attribute: u16, value: u32) -> io::Result<()> {
        for (kind, flags) in [(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL), (RTM_DELRULE, 0)] {
            let message = Message::new(kind, flags, &[AF_INET, 0, 0, 0, 100, 0, 0, action, 0, 0, 0, 0])
                .with(FRA_PRIORITY, &10_000u32.to_ne_bytes())
                .with(attribute, &value.to_ne_bytes());
            self.make(message)?;
        }
        Ok(())
    }
}

enum Options {
    Plain(Vec<u8>),
    Nested(Attributes),
}

fn make_base(socket: &mut RawSocket) -> io::Result<u32> {
    let up = [&[0; 8][..], &IFF_UP.to_ne_bytes(), &IFF_UP.to_ne_bytes()].concat();
    let link = Message::new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &up)
        .with(IFLA_IFNAME, BASE)
        .with(IFLA_NUM_TX_QUEUES, &2u32.to_ne_bytes())
        .with_nested(IFLA_LINKINFO, link_info("veth", Attributes::default()));
    socket.call([link])?;
    let found = socket.call([Message::new(RTM_GETLINK, 0, &[0; 16]).with(IFLA_IFNAME, BASE)])?;
    let index = found.first().and_then(|link| u32_at(link, 4));
    index.ok_or_else(|| io::Error::other("the kernel made a veth and does not show it"))
}

fn new_link(name: &[u8]) -> Message {
    Message::new(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, &[0; 16]).with(IFLA_IFNAME, name)
}

fn link_info(kind: &str, data: Attributes) -> Attributes {
    let info = Attributes::default().with(IFLA_INFO_KIND, kind.as_bytes());
    info.with_nested(IFLA_INFO_DATA, data)
}

/// The attributes of a link that only its kind knows.
fn link_data(link: &[u8]) -> impl Iterator<Item = (u16, &[u8])> {
    let inside = |wanted| move |(kind, value)| (kind == wanted).then(|| attributes(value, 0)).into_iter().flatten();
    attributes(link, 16)
        .flat_map(inside(IFLA_LINKINFO))
        .flat_map(inside(IFLA_INFO_DATA))
}

/// `struct tcmsg`
fn tc_message(kind: u16, index: u32, parent: u32, info: u32) -> Message {
    let handle = if parent == TC_H_CLSACT { TC_H_CLSACT & 0xffff_0000 } else { 0 };
    let fields = [0, index, handle, parent, info].map(u32::to_ne_bytes).concat();
    let flags = if matches!(kind, RTM_NEWQDISC | RTM_NEWTFILTER) {
        NLM_F_CREATE | NLM_F_EXCL
    } else {
        0
    };
    Message::new(kind, flags, &fields)
}

/// 1 MB/s: `struct tc_tbf_qopt` of two rates, limit, buffer and mtu. The link layer (1, Ethernet) says that there is no table of times.
fn token_bucket() -> Options {
    let mut parameters = vec![0, 1, 0, 0, 0, 0, 0, 0];
    parameters.extend(1_000_000u32.to_ne_bytes());
    parameters.extend([0; 12]);
    for number in [100_000u32, 0, 0] {
        parameters.extend(number.to_ne_bytes());
    }
    let burst = 10_000u32.to_ne_bytes();
    Options::Nested(
        Attributes::default()
            .with(TCA_TBF_PARMS, &parameters)
            .with(TCA_TBF_BURST, &burst),
    )
}

/// A table of nftables, in the batch that its protocol wants.
fn nftables() -> io::Result<()> {
    let mut socket = RawSocket::open(NETLINK_NETFILTER)?;
    let edge = |kind| Message::unacknowledged(kind, 0, &[0, 0, 0, NFNL_SUBSYS_NFTABLES as u8]);
    let table = NFNL_SUBSYS_NFTABLES << 8 | NFT_MSG_NEWTABLE;
    let table = Message::new(table, NLM_F_CREATE, &[AF_INET, 0, 0, 0]).with(NFTA_TABLE_NAME, b"probe\0");
    socket
        .call([edge(NFNL_MSG_BATCH_BEGIN), table, edge(NFNL_MSG_BATCH_END)])
        .map(drop)
}

fn explain_bpf(cause: io::Error) -> io::Error {
    let why = match cause.raw_os_error() {
        Some(libc::EPERM | libc::EACCES) => "no CAP_BPF and CAP_NET_ADMIN, or kernel lockdown",
        Some(libc::ENOSYS) => "a kernel without bpf(), or a seccomp profile",
        _ => return cause,
    };
    io::Error::new(cause.kind(), format!("bpf(): {cause}: {why}"))
}

fn zero_ended(name: &str) -> Vec<u8> {
    [name.as_bytes(), &[0]].concat()
}
