use std::fmt;
use std::fs;

/// What most likely forbids the use of BPF to this process, looked up after the kernel said `EPERM`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Denial {
    /// The process lacks capabilities.
    Capabilities,
    /// The kernel is locked down.
    Lockdown,
    /// A security module, a seccomp filter, or, below Linux 5.11, the limit on locked memory.
    Policy,
}

const CAP_NET_ADMIN: u32 = 12;
const CAP_SYS_ADMIN: u32 = 21;
const CAP_PERFMON: u32 = 38;
const CAP_BPF: u32 = 39;

impl Denial {
    pub(crate) fn find() -> Self {
        Self::judge(
            &fs::read_to_string("/proc/thread-self/status").unwrap_or_default(),
            &fs::read_to_string("/sys/kernel/security/lockdown").unwrap_or_default(),
        )
    }

    fn judge(status: &str, lockdown: &str) -> Self {
        let effective = status
            .lines()
            .find_map(|line| line.strip_prefix("CapEff:"))
            .and_then(|text| u64::from_str_radix(text.trim(), 16).ok());
        let has = |capability: u32| effective.is_none_or(|set| set & (1 << capability) != 0);
        if !has(CAP_NET_ADMIN) || !(has(CAP_SYS_ADMIN) || (has(CAP_BPF) && has(CAP_PERFMON))) {
            return Self::Capabilities;
        }
        if lockdown.contains("[integrity]") || lockdown.contains("[confidentiality]") {
            return Self::Lockdown;
        }
        Self::Policy
    }
}

impl fmt::Display for Denial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Capabilities => "the process needs CAP_NET_ADMIN, CAP_BPF and CAP_PERFMON (or CAP_SYS_ADMIN); add them to its security context",
            Self::Lockdown => "the kernel is locked down (/sys/kernel/security/lockdown); start it without lockdown, or go without programs",
            Self::Policy => {
                "a security module, a seccomp filter or, below Linux 5.11, the limit on locked memory forbids it; look into the kernel's log and at `ulimit -l`"
            }
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn missing_capabilities_come_first() {
        let lockdown = "none [integrity] confidentiality";
        assert_eq!(Denial::judge("CapEff:\t0000000000000000\n", lockdown), Denial::Capabilities);
        // NET_ADMIN with BPF, without PERFMON
        assert_eq!(Denial::judge("CapEff:\t0000008000001000\n", ""), Denial::Capabilities);
    }

    #[test]
    fn with_all_capabilities_it_is_the_kernel() {
        for status in ["CapEff:\t000000c000001000\n", "CapEff:\t0000000000201000\n"] {
            assert_eq!(Denial::judge(status, "none [integrity] confidentiality"), Denial::Lockdown);
            assert_eq!(Denial::judge(status, "[none] integrity confidentiality"), Denial::Policy);
        }
    }
}
