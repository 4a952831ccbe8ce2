import type { Attachment, AttachResult } from "@terway/model";
import type { Node } from "./node.ts";
import type { PodOfAttachment } from "./policy/enforcement.ts";
import { datapathRefusal } from "./refusal.ts";

/** Makes the kernel equal to the attachment, once what judges its packets stands. Throws a CniError. */
export async function connect(node: Node, attachment: Attachment, sandbox: PodOfAttachment, deadlineMs: number): Promise<AttachResult> {
  const { hostIfName, id } = attachment;
  await node.policy.admit(attachment, sandbox);
  const outcome = await node.hostNames.run(hostIfName, id, () => node.datapath.attach(node.policy.judged(attachment), deadlineMs));
  if (!outcome.ok) throw datapathRefusal(outcome.error);
  return outcome.value;
}
