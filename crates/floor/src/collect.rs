//! Deletes dying pairs by their group: waiting for one deletion costs 16 ms, 50 in one call 25 ms.

use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

use crate::message::link_message;
use crate::netlink::{Batch, Socket};
use crate::pair::DYING_GROUP;

/// Time for other DELs to join a batch.
const GATHER: Duration = Duration::from_millis(50);

/// Wakes the thread that deletes.
pub struct Collector(SyncSender<()>);

impl Collector {
    /// # Errors
    /// No netlink socket.
    pub fn start() -> Result<Self, String> {
        let socket = Socket::open().map_err(|error| format!("netlink: {error}"))?;
        // One pending wake-up stands for any number of them.
        let (sender, receiver) = mpsc::sync_channel(1);
        thread::spawn(move || collect(socket, &receiver));
        Ok(Self(sender))
    }

    /// There is something to delete.
    pub fn wake(&self) {
        self.0.try_send(()).ok();
    }
}

fn collect(mut socket: Socket, receiver: &Receiver<()>) {
    while receiver.recv().is_ok() {
        thread::sleep(GATHER);
        let mut batch = Batch::default();
        batch.push("dying group", libc::RTM_DELLINK, 0, |message| {
            link_message(message, 0, None);
            message.number(libc::IFLA_GROUP, DYING_GROUP);
        });
        // ENODEV: an earlier batch took them along.
        if let Err(error) = socket.send(&batch, &[libc::ENODEV]) {
            eprintln!("floor: {error}");
        }
    }
}
