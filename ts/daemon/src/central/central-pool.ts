import { openPool } from "@terway/ipam";
import type { AddressPool, AllocateOptions, InstanceIdentity, Sandbox } from "@terway/model";
import type { Pods } from "../pods.ts";
import type { OwnResource } from "./own-resource.ts";
import type { RuntimeReport } from "./runtime-report.ts";
import { cloudOf } from "./status-cloud.ts";

export interface CentralPoolOptions {
  /** As for a pool of this node's own; what it would do in the cloud is left to the control plane. */
  readonly pool: Omit<Parameters<typeof openPool>[0], "cloud" | "metadata" | "supplied">;
  readonly identity: InstanceIdentity;
  readonly own: OwnResource;
  readonly pods: Pods;
  readonly tags: () => Readonly<Record<string, string>>;
}

/**
 * The node's pool with centralized IPAM: the same journal and leases, so that a node that changes to it or back keeps every pod's address. Which address a
 * pod gets, and which ENIs there are, stands in the node's object.
 */
export async function openCentralPool({ pool: options, identity, own, pods, tags }: CentralPoolOptions) {
  const pool = await openPool({ ...options, cloud: cloudOf(own, identity.instanceId, tags), supplied: true });
  const ignore = own.onChange(() => {
    pool.sync().catch(() => {});
  });
  return {
    pool,
    /** The pool as the verbs use it, telling the control plane what they do. */
    reporting: (report: RuntimeReport): AddressPool => ({
      allocate: (sandbox, wanted) => report.adding(uidOf(sandbox, pods), () => allocate(pool, own, sandbox, wanted)),
      bound: (id) => pool.bound(id),
      beginRelease: (id) => pool.beginRelease(id),
      finishRelease: async (id) => {
        await pool.finishRelease(id);
        report.changed();
      },
      lease: (id) => pool.lease(id),
      leases: () => pool.leases(),
      securityGroups: (eniId) => pool.securityGroups(eniId),
      view: () => pool.view(),
      warm: (signal) => pool.warm(signal),
      expect: (expected) => pool.expect(expected),
      sync: () => pool.sync(),
      reconfigure: (config) => pool.reconfigure(config),
      close: async () => {
        ignore();
        await pool.close();
      },
    }),
  };
}

async function allocate(
  pool: AddressPool,
  own: OwnResource,
  sandbox: Sandbox,
  wanted: AllocateOptions,
): ReturnType<AddressPool["allocate"]> {
  const answer = await pool.allocate(sandbox, { ...wanted, exact: () => own.binding(sandbox) });
  if (answer.ok || answer.failure.reason !== "timeout") return answer;
  const { podNamespace, podName } = sandbox;
  const isBound = own.binding(sandbox) !== undefined;
  const what = isBound
    ? `the address that the control plane has bound to pod ${podNamespace}/${podName} cannot be used here yet`
    : `the control plane has bound no address to pod ${podNamespace}/${podName} yet`;
  const complaints = own.complaints();
  const message =
    complaints.length === 0 ? `${what}; see Node ${own.name} of network.alibabacloud.com` : `${what}: ${complaints.join("; ")}`;
  return { ok: false, failure: { ...answer.failure, message } };
}

function uidOf({ podUid, podNamespace: namespace, podName: name }: Sandbox, pods: Pods): string | undefined {
  return podUid ?? pods.known({ namespace, name })?.metadata.uid;
}
