//! Ports, and what transport headers say about a connection.

use aya_ebpf::programs::TcContext;

use super::{
    Cursor, Fault, Signal, Tuple, load,
    protocol::{ICMP, ICMPV6, SCTP, TCP, UDP},
};

/// Ports, and what the packet says about its connection.
#[inline(always)]
pub fn transport(ctx: &TcContext, cursor: &Cursor, tuple: &mut Tuple) -> Result<(), Fault> {
    let needed = match cursor.protocol {
        TCP => 20,
        SCTP => 12,
        UDP | ICMPV6 | ICMP => 8,
        _ => 0,
    };
    if cursor.at + needed > cursor.end {
        return Err(Fault::Truncated);
    }
    ports(ctx, cursor, tuple)?;
    match cursor.protocol {
        TCP => {
            let flags = load::<u8>(ctx, cursor.at + 13)?;
            tuple.tcp_flags = flags;
            tuple.signal = tcp_signal(flags);
        }
        // A packet with no chunk says nothing.
        SCTP if cursor.at + 13 <= cursor.end => tuple.signal = sctp_signal(load(ctx, cursor.at + 12)?),
        _ => {}
    }
    Ok(())
}

#[inline(always)]
pub fn ports(ctx: &TcContext, cursor: &Cursor, tuple: &mut Tuple) -> Result<(), Fault> {
    match cursor.protocol {
        TCP | UDP | SCTP => {
            let [s0, s1, d0, d1] = load::<[u8; 4]>(ctx, cursor.at)?;
            tuple.source_port = u16::from_be_bytes([s0, s1]);
            tuple.destination_port = u16::from_be_bytes([d0, d1]);
        }
        ICMP | ICMPV6 => {
            let [icmp, _, _, _, id_a, id_b] = load::<[u8; 6]>(ctx, cursor.at)?;
            tuple.icmp = icmp;
            tuple.signal = echo_signal(cursor.protocol, icmp);
            if tuple.signal != 0 {
                tuple.source_port = u16::from_be_bytes([id_a, id_b]);
            }
        }
        _ => {}
    }
    Ok(())
}

/// 0: it is no echo.
#[inline(always)]
fn echo_signal(protocol: u8, icmp: u8) -> u8 {
    match (protocol, icmp) {
        (ICMP, 8) | (ICMPV6, 128) => Signal::OPEN,
        (ICMP, 0) | (ICMPV6, 129) => Signal::ACCEPT,
        _ => 0,
    }
}

#[inline(always)]
pub fn tcp_signal(flags: u8) -> u8 {
    const FIN: u8 = 1;
    const SYN: u8 = 2;
    const RST: u8 = 4;
    const ACK: u8 = 16;
    if flags & RST != 0 {
        return Signal::RESET;
    }
    match flags & (SYN | ACK) {
        SYN => Signal::OPEN,
        both if both == SYN | ACK => Signal::ACCEPT,
        _ if flags & FIN != 0 => Signal::FINISH,
        _ => 0,
    }
}

#[inline(always)]
fn sctp_signal(chunk: u8) -> u8 {
    match chunk {
        1 => Signal::OPEN,
        2 => Signal::ACCEPT,
        7 | 8 => Signal::FINISH,
        6 | 14 => Signal::RESET,
        _ => 0,
    }
}
