//! Leave for aya to copy the types as bytes.
#![expect(
    unsafe_code,
    reason = "aya asks for it: each type is repr(C), without padding, and any bytes are a value of it"
)]

use aya::Pod;

use crate::{Address, Count, Endpoint, Eni, FabricMember, FabricTrunkKey, Prefix, VlanLink, VlanLinkKey};

// SAFETY (all): integers and arrays of them only, laid out without padding; the size assertions beside the types would not hold otherwise.
unsafe impl Pod for Address {}
// SAFETY: as above.
unsafe impl Pod for Count {}
// SAFETY: as above.
unsafe impl Pod for Endpoint {}
// SAFETY: as above.
unsafe impl Pod for Eni {}
// SAFETY: as above.
unsafe impl Pod for FabricMember {}
// SAFETY: as above.
unsafe impl Pod for FabricTrunkKey {}
// SAFETY: as above.
unsafe impl Pod for Prefix {}
// SAFETY: as above.
unsafe impl Pod for VlanLink {}
// SAFETY: as above.
unsafe impl Pod for VlanLinkKey {}
