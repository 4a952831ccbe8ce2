//! The programs of a node: `eni_in` and `eni_out`, tc classifiers on its ENIs.
//!
//! Both are keyed by interface index and address, so that one loaded program serves every ENI, and an interface without a record is left alone.
#![no_std]
#![no_main]
#![expect(missing_docs, reason = "the entry functions that the macro makes carry none")]

use aya_ebpf::{macros::classifier, programs::TcContext};

mod eni_in;
mod eni_out;
mod maps;
mod pace;

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

terway_ebpf::object!();
