//! Notifications of the kernel about changes, from whomever.

use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::{Socket as RawSocket, SocketAddr, protocols::NETLINK_ROUTE};

use super::wire::{Frame, frames};
use crate::error::{Error, Result};

const RECEIVE_BUFFER: usize = 64 * 1024;
/// Room for the notifications of some hundred attaches that come while the reader is busy.
const KERNEL_BUFFER: u32 = 8 << 20;
const MSG_DONTWAIT: i32 = 0x40;
const ENOBUFS: i32 = 105;

/// What a look at the socket found.
pub enum News {
    /// Notifications were handed out.
    Read,
    /// Nothing more now.
    Empty,
    /// Some were lost; everything has to be looked at.
    Lost,
}

/// A socket that listens to groups of notifications in the namespace where it was opened.
pub struct Monitor {
    inner: RawSocket,
    receive: Vec<u8>,
}

impl Monitor {
    /// Listens to `groups` (`RTNLGRP_*`).
    pub fn open(groups: &[u32]) -> Result<Self> {
        let open = || -> io::Result<RawSocket> {
            let mut inner = RawSocket::new(NETLINK_ROUTE)?;
            inner.bind(&SocketAddr::new(0, 0))?;
            inner.set_non_blocking(true)?;
            inner.set_rx_buf_sz(KERNEL_BUFFER)?;
            for group in groups {
                inner.add_membership(*group)?;
            }
            Ok(inner)
        };
        let inner = open().map_err(|cause| Error::system("socket(AF_NETLINK) for notifications", &cause))?;
        Ok(Self {
            inner,
            receive: Vec::with_capacity(RECEIVE_BUFFER),
        })
    }

    /// Reads one datagram without waiting.
    pub fn read(&mut self, mut each: impl FnMut(&Frame<'_>)) -> Result<News> {
        self.receive.clear();
        match self.inner.recv(&mut self.receive, MSG_DONTWAIT) {
            Ok(_) => {
                frames(&self.receive).for_each(|frame| each(&frame));
                Ok(News::Read)
            }
            Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => Ok(News::Empty),
            Err(cause) if cause.kind() == io::ErrorKind::Interrupted => Ok(News::Read),
            Err(cause) if cause.raw_os_error() == Some(ENOBUFS) => Ok(News::Lost),
            Err(cause) => Err(Error::system("recv(AF_NETLINK) of notifications", &cause)),
        }
    }
}

impl AsFd for Monitor {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.inner.as_fd()
    }
}
