import type { Attachment, AttachResult } from "@terway/model";

/** One interface, as it was wanted and as the kernel made it. */
export interface Attached {
  readonly attachment: Attachment;
  readonly kernel: AttachResult;
  /** Milliseconds until it had an address, and then until the kernel had it; absent where the pool was not asked. */
  readonly spent?: { readonly poolMs: number; readonly kernelMs: number };
}
