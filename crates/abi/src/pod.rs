//! Leave for aya to copy the types as bytes.
#![expect(
    unsafe_code,
    reason = "aya asks for it: each type is repr(C), without padding, and any bytes are a value of it"
)]

use aya::Pod;

use crate::{
    Address, Count, Endpoint, Eni, FabricFloor, FabricMember, FabricTrunkKey, Flow, FlowKey, Fragment, FragmentKey, PolicyKey,
    Prefix, Set, Settings, VerdictKey, VlanLink, VlanLinkKey,
};

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
unsafe impl Pod for FabricFloor {}
// SAFETY: as above.
unsafe impl Pod for FabricTrunkKey {}
// SAFETY: as above.
unsafe impl Pod for Prefix {}
// SAFETY: as above.
unsafe impl Pod for VlanLink {}
// SAFETY: as above.
unsafe impl Pod for VlanLinkKey {}
// SAFETY: as above.
unsafe impl Pod for Flow {}
// SAFETY: as above.
unsafe impl Pod for FlowKey {}
// SAFETY: as above.
unsafe impl Pod for Fragment {}
// SAFETY: as above.
unsafe impl Pod for FragmentKey {}
// SAFETY: as above.
unsafe impl Pod for crate::Pod {}
// SAFETY: as above.
unsafe impl Pod for PolicyKey {}
// SAFETY: as above.
unsafe impl Pod for Set {}
// SAFETY: as above.
unsafe impl Pod for Settings {}
// SAFETY: as above.
unsafe impl Pod for VerdictKey {}
