//! What the programs share: reading a frame.
#![no_std]

pub mod frame;
pub mod skb;
