import type { Attachment, AttachResult } from "@terway/model";

/** One interface, as it was wanted and as the kernel made it. */
export interface Attached {
  readonly attachment: Attachment;
  readonly kernel: AttachResult;
}
