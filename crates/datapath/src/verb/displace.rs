//! Taking a name from a link that may still carry a living sandbox.

use crate::error::Result;
use crate::kernel::message::{self, LinkChange};
use crate::kernel::rename::rename_while_down;
use crate::kernel::socket::Socket;
use crate::object::displaced_name;
use crate::observed::ObservedLink;

const ENODEV: i32 = 19;
const EBUSY: i32 = 16;

/// Renames a link after its index. It keeps its routes, its neighbours and its traffic. Nothing if it has vanished meanwhile.
pub fn displace(socket: &mut Socket, holder: &ObservedLink) -> Result<Option<String>> {
    let name = displaced_name(holder.index);
    let rename = LinkChange {
        name: Some(name.clone()),
        ..LinkChange::default()
    };
    match socket.request(message::set_link(holder.index, rename.clone()), 0)?.result {
        Ok(()) => Ok(Some(name)),
        Err(refusal) if refusal.errno == ENODEV => Ok(None),
        // Before Linux 6.2 a link that is up cannot be renamed.
        Err(refusal) if refusal.errno == EBUSY => match rename_while_down(socket, holder, rename) {
            Ok(()) => Ok(Some(name)),
            Err(error) if error.errno == Some(ENODEV) => Ok(None),
            Err(error) => Err(error),
        },
        Err(refusal) => Err(refusal.error("RTM_SETLINK name").about(format!("link {}", holder.name))),
    }
}
