//! What the forms tell of an attachment's links, and how far an attach has come with them.

use std::collections::HashMap;

use crate::failpoint::Failpoint;
use crate::object::Device;
use crate::observed::ObservedLink;

/// The links of one attachment as they are now, by part.
#[derive(Clone, Debug, Default)]
pub struct Found {
    /// In the host namespace. Without the ENI nothing can be said of the attachment.
    pub host: HashMap<Device, ObservedLink>,
    /// In the pod.
    pub pod: HashMap<Device, ObservedLink>,
}

impl Found {
    /// The ENI, wherever it is.
    pub fn eni(&self) -> Option<&ObservedLink> {
        self.host.get(&Device::Eni).or_else(|| self.pod.get(&Device::Eni))
    }
}

/// How far an attach has come.
#[derive(Debug, Default)]
pub struct Progress {
    /// For tests.
    pub failpoint: Failpoint,
    /// New name of the link that held the host name.
    pub renamed_holder: Option<String>,
    /// Kernel changes.
    pub steps: u32,
    /// This call has moved the ENI.
    pub moved_eni: bool,
}
