//! The lab's trunk ports, where the kernel has no 802.1Q: `trunk_in` on the ingress of a trunk port takes the tag off and hands the frame to
//! the ingress of the member's port; `member_out` on the egress of that port puts the tag on and hands it to the trunk port.
#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry functions that the macro makes carry none")]

use aya_ebpf::{
    helpers::{bpf_redirect, bpf_skb_vlan_pop, bpf_skb_vlan_push},
    macros::{classifier, map},
    maps::{HashMap, PerCpuArray},
    programs::TcContext,
};
use terway_abi::{Count, FabricMember, FabricReason as Reason, FabricTrunkKey};
use terway_ebpf::{
    frame::{Frame, Tag},
    skb::{self, CONTINUE, DROP},
};

/// `BPF_F_INGRESS`.
const INGRESS: u64 = 1;

#[map]
static TRUNK_VLANS: HashMap<FabricTrunkKey, FabricMember> = HashMap::with_max_entries(1024, 0);
#[map]
static MEMBER_PORTS: HashMap<u32, FabricMember> = HashMap::with_max_entries(1024, 0);
#[map]
static FABRIC_COUNTS: PerCpuArray<Count> = PerCpuArray::with_max_entries(16, 0);

/// Ingress of a trunk port.
#[classifier]
pub fn trunk_in(ctx: TcContext) -> i32 {
    let trunk = skb::ifindex(&ctx);
    let vlan = match Frame::parse(&ctx) {
        Ok(Frame { tag: Tag::None, .. }) | Err(_) => return end(&ctx, Reason::Untagged, CONTINUE),
        Ok(Frame {
            tag: Tag::Vlan(vlan), ..
        }) => vlan,
        Ok(Frame { tag: Tag::Nested, .. }) => return end(&ctx, Reason::UnknownTag, DROP),
    };
    // SAFETY: records are freed only after every running program has ended (RCU).
    let Some(member) = (unsafe {
        TRUNK_VLANS.get(FabricTrunkKey {
            trunk,
            vlan,
            reserved: 0,
        })
    }) else {
        return end(&ctx, Reason::UnknownTag, DROP);
    };
    // SAFETY: the context is the kernel's, and no pointer into the packet is kept.
    if unsafe { bpf_skb_vlan_pop(ctx.skb.skb) } != 0 {
        return end(&ctx, Reason::Failed, DROP);
    }
    let mac = member.port_mac;
    if ctx.store(0, &mac, 0).is_err() {
        return end(&ctx, Reason::Failed, DROP);
    }
    // SAFETY: a plain call.
    end(&ctx, Reason::ToMember, unsafe { bpf_redirect(member.port, INGRESS) } as i32)
}

/// Egress of a member's port.
#[classifier]
pub fn member_out(ctx: TcContext) -> i32 {
    // SAFETY: as in `trunk_in`.
    let Some(member) = (unsafe { MEMBER_PORTS.get(skb::ifindex(&ctx)) }) else {
        return end(&ctx, Reason::UnknownPort, DROP);
    };
    let mac = member.trunk_mac;
    let multicast = matches!(ctx.load::<u8>(0), Ok(first) if first & 1 != 0);
    if !multicast && ctx.store(0, &mac, 0).is_err() {
        return end(&ctx, Reason::Failed, DROP);
    }
    // SAFETY: the context is the kernel's, and no pointer into the packet is kept.
    if unsafe { bpf_skb_vlan_push(ctx.skb.skb, 0x8100u16.to_be(), member.vlan) } != 0 {
        return end(&ctx, Reason::Failed, DROP);
    }
    // SAFETY: a plain call.
    end(&ctx, Reason::ToTrunk, unsafe { bpf_redirect(member.trunk, 0) } as i32)
}

#[inline(always)]
fn end(ctx: &TcContext, reason: Reason, verdict: i32) -> i32 {
    if let Some(count) = FABRIC_COUNTS.get_ptr_mut(reason as u32) {
        // SAFETY: the slot is this processor's, and programs on a hook do not interrupt one another on one processor.
        unsafe {
            (*count).packets += 1;
            (*count).bytes += u64::from(ctx.len());
        }
    }
    verdict
}

terway_ebpf::object!();
