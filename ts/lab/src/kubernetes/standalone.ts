import { join } from "node:path";
import { run } from "../host/command.ts";
import { LabDirectory } from "../host/lab-directory.ts";
import { namespacePrefix } from "../host/leftovers.ts";
import { createNetNamespace } from "../host/netns.ts";
import { identify } from "../host/process.ts";
import { repositoryRoot } from "../node/node.ts";
import { ControlPlane } from "./control-plane.ts";

/** RFC 5737: an address that is nobody's. The API server refuses to advertise the loopback's. */
const address = "192.0.2.1";

/** etcd and the API server alone, in a network namespace of their own, without VPC and nodes. The id must be free; `sweep(id)` removes it all. */
export async function startControlPlane(id: string): Promise<ControlPlane> {
  const lab = new LabDirectory(id);
  const owner = await identify(process.pid);
  if (owner === undefined) throw new Error("this process does not see itself in /proc");
  await lab.create(owner);
  const netns = await createNetNamespace(`${namespacePrefix(id)}plane`);
  await run(["ip", "-n", netns.name, "address", "add", `${address}/32`, "dev", "lo"]);
  return ControlPlane.start({ lab, netns: netns.path, address, agent: join(repositoryRoot, "dist/bin/lab-agent") });
}
