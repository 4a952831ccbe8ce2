//! One file for each thing that can be asked of the datapath; all run on the threads of `pool`.

pub mod attach;
pub mod check;
pub mod collect;
pub mod detach;
pub mod displace;
pub mod eni;
pub mod host;
pub mod release;
pub mod repair;
pub mod rule_form;
pub mod scan;
pub mod survey;
pub mod symmetric;
pub mod takeover;
pub mod target;
pub mod tree;
pub mod view;
