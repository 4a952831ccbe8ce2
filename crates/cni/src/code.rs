//! Error codes of the CNI specification 1.1.0 and of libcni; `ts/model/src/cni.ts` holds the same numbers for the daemon.

/// The configuration's `cniVersion` is not supported, or is too old for the verb.
pub const INCOMPATIBLE_VERSION: u32 = 1;
/// The environment does not describe a possible call; the message names every variable at fault.
pub const INVALID_ENVIRONMENT: u32 = 4;
/// Reading standard input or writing a tombstone failed.
pub const IO_FAILURE: u32 = 5;
/// Standard input is not the JSON that it must be.
pub const DECODE_FAILURE: u32 = 6;
/// The network configuration lacks a field or holds an impossible value.
pub const INVALID_CONFIG: u32 = 7;
/// libcni's `ErrInvalidNetNS`: `CNI_NETNS` is the namespace that the executable itself runs in.
pub const INVALID_NETNS: u32 = 8;
/// A transient condition: the daemon gave no answer in time; the runtime should try again.
pub const TRY_AGAIN_LATER: u32 = 11;
/// STATUS: the plugin cannot serve ADD requests.
pub const CANNOT_SERVE_ADD: u32 = 50;
/// libcni's `ErrInternal`: a bug in this executable.
pub const INTERNAL: u32 = 999;
