import type { Datapath } from "@terway/model";
import { adapt } from "./adapt.ts";
import { loadAddon } from "./load.ts";

/**
 * Opens the datapath of the network namespace the process is in. `bpffs` is the BPF file system, or a folder of it, in which kernel programs are
 * pinned once an attachment needs them; whoever opens another namespace's datapath gives it another one. The addon is loaded by the first call, so that importing this package costs nothing
 * and needs no build. Throws when the addon is not built, or when netlink cannot be had (no `CAP_NET_ADMIN`).
 */
export function openDatapath({ bpffs = "/sys/fs/bpf" }: { readonly bpffs?: string } = {}): Datapath {
  return adapt(loadAddon().NativeDatapath.open(bpffs));
}
