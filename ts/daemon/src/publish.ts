import { mkdir } from "node:fs/promises";
import { type ConflistSource, publishConflist, renderConflist } from "./conflist.ts";
import type { Node } from "./node.ts";
import { untilAborted } from "./until-aborted.ts";

export interface PublishOptions {
  readonly node: Node;
  /** The operator's `10-terway.conf` or conflist, read at every use. */
  readonly source: () => ConflistSource | undefined;
  readonly cniConfDir: string;
  /** What stands in the list as `eniip_virtual_type`. */
  readonly virtualType: string;
  /** The pool's bounds and the pods bound to the node are known, or will not be: before, it would call itself as warm as can be. */
  readonly settled: Promise<unknown>;
  readonly signal: AbortSignal;
}

/**
 * The runtime takes the node for ready when its conflist appears, so it appears when pods can be served, or when nothing more is to be had; then with
 * the event that says so. True when it stands there, false when the signal ended the wait. Throws when the operator's file cannot be used.
 */
export async function publishWhenWarm({ settled, signal, ...options }: PublishOptions): Promise<boolean> {
  const { node } = options;
  await Promise.race([settled, untilAborted(signal)]);
  const warmth = signal.aborted ? undefined : await node.pool.warm(signal).catch(() => undefined);
  if (warmth === undefined || signal.aborted) return false;
  const { limited } = warmth;
  if (limited !== undefined) {
    const message = `the node is made ready although no more addresses can be had: ${limited.message}`;
    node.log.warn({ code: limited.code, class: limited.class }, message);
    node.events.emit("AllocIPFailed", { kind: "Node" }, message);
  }
  await publish(options);
  node.log.info({ free: node.pool.view().free }, "the runtime may use the network");
  return true;
}

/** Writes what stands in force now, if the runtime has it otherwise. */
export async function publish({ node, source, cniConfDir, virtualType }: Omit<PublishOptions, "settled" | "signal">): Promise<void> {
  const rendered = renderConflist(source(), virtualType);
  if (!rendered.ok) throw new Error(rendered.problems.join("\n"));
  await mkdir(cniConfDir, { recursive: true });
  if (await publishConflist(cniConfDir, rendered.text)) node.log.info({ directory: cniConfDir }, "the conflist is written");
}
