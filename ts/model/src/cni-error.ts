import type { DatapathErrorCode } from "./attachment.ts";
import { cniCode } from "./cni.ts";
import type { PoolProblem } from "./lease.ts";

/**
 * CNI error codes of this plugin. The specification leaves 100 and above to plugins; runtimes only pass them on, people and tests tell causes apart by
 * them. What a repetition alone may cure is answered with the specification's 11.
 */
export const ownCniErrors = {
  cloudDenied: { code: 100, meaning: "The cloud refuses the account, key, signature or permission; somebody has to change something." },
  cloudInvalid: { code: 101, meaning: "The cloud does not know what the configuration names, such as a security group or vSwitch." },
  addressesExhausted: { code: 102, meaning: "The vSwitches have no free address." },
  quotaReached: { code: 103, meaning: "A quota of the ENI, the instance or the account is reached." },
  nodeFull: { code: 104, meaning: "Every address that this node can hold is in use." },
  journalFailed: { code: 105, meaning: "The disk does not take what must be durable before an address is given out." },
  kernelRefused: { code: 110, meaning: "The kernel refused to make, change or read a network object." },
  drifted: { code: 111, meaning: "CHECK: the kernel differs from what the attachment wants." },
  eniMissing: { code: 112, meaning: "The ENI of the pod's address is not among the node's interfaces." },
  kernelUnsupported: { code: 113, meaning: "This kernel lacks what the attachment needs." },
} as const satisfies Readonly<Record<string, { code: number; meaning: string }>>;

/** The code for an ADD that gets no address because of this problem. */
export function cniCodeOfProblem(problem: Pick<PoolProblem, "class">): number {
  switch (problem.class) {
    case "denied":
      return ownCniErrors.cloudDenied.code;
    case "invalid":
    case "gone":
      return ownCniErrors.cloudInvalid.code;
    case "exhausted":
      return ownCniErrors.addressesExhausted.code;
    case "quota":
      return ownCniErrors.quotaReached.code;
    case "full":
      return ownCniErrors.nodeFull.code;
    case "journal":
      return ownCniErrors.journalFailed.code;
    case "throttled":
    case "conflict":
    case "transient":
    case "unknown":
    case "degraded":
      return cniCode.tryAgainLater;
  }
}

/** The code for a kernel-side failure. */
export function cniCodeOfDatapath(code: DatapathErrorCode): number {
  switch (code) {
    // The caller's namespace or interface name cannot be used.
    case "netns_gone":
    case "interface_exists":
      return cniCode.invalidEnvironment;
    case "invalid_attachment":
      return cniCode.invalidConfig;
    case "deadline":
    case "full":
      return cniCode.tryAgainLater;
    case "eni_not_found":
      return ownCniErrors.eniMissing.code;
    case "unsupported":
      return ownCniErrors.kernelUnsupported.code;
    case "kernel":
      return ownCniErrors.kernelRefused.code;
  }
}
