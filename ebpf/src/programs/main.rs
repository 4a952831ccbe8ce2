//! The programs of a node, tc classifiers: `eni_in` and `eni_out` on its ENIs, `from_pod` and `to_pod` on its pods' links.
//!
//! They are keyed by interface index, address and the class id of their filter, so that one loaded program serves every ENI, and an interface without a record is left alone.
#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry functions that the macro makes carry none")]

use aya_ebpf::{macros::classifier, programs::TcContext};
use terway_ebpf::skb::CONTINUE;

mod eni_in;
mod eni_out;
mod maps;
mod pace;
mod path;
mod policy;
mod scratch;

/// Ingress of an ENI.
#[classifier]
pub fn eni_in(ctx: TcContext) -> i32 {
    eni_in::run(&ctx)
}

/// Egress of an ENI.
#[classifier]
pub fn eni_out(ctx: TcContext) -> i32 {
    eni_out::run(&ctx)
}

/// Where a pod's packets come out of it: ingress of the host's end of its link, or egress of a device that is the pod's own.
#[classifier]
pub fn from_pod(ctx: TcContext) -> i32 {
    policy::run::<true>(&ctx, path::send, path::send_error)
}

/// Where they go into it: the other hook of the same device.
#[classifier]
pub fn to_pod(ctx: TcContext) -> i32 {
    policy::run::<false>(&ctx, |_, _, _| CONTINUE, |_, _, _| CONTINUE)
}

terway_ebpf::object!();
