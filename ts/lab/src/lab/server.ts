import { randomBytes } from "node:crypto";
import { readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { gatewayOf, prefixLengthOf } from "@terway/model";
import { CloudSimulator, listen } from "../cloud/index.ts";
import { metadataAddress, openApiAddress } from "../fabric/addresses.ts";
import { VpcFabric } from "../fabric/vpc.ts";
import { LabDirectory } from "../host/lab-directory.ts";
import { namespacePrefix } from "../host/leftovers.ts";
import { netNamespace } from "../host/netns.ts";
import { repositoryRoot } from "../node/node.ts";
import { makeGroups } from "./make-groups.ts";
import { type LabPlan, planSchema } from "./plan.ts";
import type { Machine, World } from "./world.ts";

const httpPort = 80;

/**
 * The lab's server: the simulated cloud with the fabric as its data plane. Runs inside the VPC's network namespace, where its OpenAPI and metadata
 * endpoints have the addresses that the machines call; the control port is a unix socket, which no namespace hides. Makes what the plan says and
 * then serves until SIGTERM.
 */
export async function serveLab(id: string): Promise<void> {
  const directory = new LabDirectory(id);
  const plan = planSchema.parse(JSON.parse(await readFile(join(directory.path, "plan.json"), "utf8")));
  const names = new Map<string, string>();
  const fabric = await VpcFabric.create({
    id,
    agent: join(directory.path, "bin/lab-agent"),
    log: directory.log("responder"),
    hostName: (instanceId) => names.get(instanceId) ?? instanceId,
    ...(plan.securityGroups === undefined ? {} : { securityGroups: plan.securityGroups }),
  });
  const simulator = new CloudSimulator({ seed: plan.seed, fabric, settings: { regionId: plan.regionId, delays: plan.delays } });
  const world = await build(simulator, plan, id, names);
  await listen(simulator, {
    openapi: { host: openApiAddress, port: httpPort },
    metadata: { host: metadataAddress, port: httpPort },
    control: directory.controlSocket,
  });
  const file = join(directory.path, "world.json");
  await writeFile(`${file}.new`, JSON.stringify(world, undefined, 2), { mode: 0o600 });
  await rename(`${file}.new`, file);
  process.on("SIGTERM", () => {
    void simulator
      .close()
      .then(() => fabric.stop())
      .then(() => process.exit(0));
  });
}

async function build(simulator: CloudSimulator, plan: LabPlan, id: string, names: Map<string, string>): Promise<World> {
  const vpc = simulator.createVpc({ name: id, cidr: plan.cidr, ipv6Cidr: plan.ipv6Cidr });
  const groups = await makeGroups(simulator, vpc.id, plan.groups ?? { default: {} });
  const groupIds = (wanted: readonly string[] | undefined) =>
    (wanted ?? Object.keys(groups).slice(0, 1)).map((name) => {
      const groupId = groups[name];
      if (groupId === undefined) throw new Error(`the plan has no security group ${name}`);
      return groupId;
    });
  const [securityGroupId = ""] = groupIds(undefined);
  // The policy that the documents tell people to attach, and nothing beyond it.
  const key = simulator.accessKey({
    id: `LTAI${randomBytes(8).toString("hex")}`,
    secret: randomBytes(15).toString("hex"),
    user: "terway",
    policies: [JSON.parse(await readFile(join(repositoryRoot, "docs/reference/ram-policy.json"), "utf8"))],
  });
  const vSwitches = new Map(
    plan.vSwitches.map((vSwitch) => [vSwitch.name, { ...vSwitch, id: simulator.createVSwitch({ ...vSwitch, vpcId: vpc.id }).id }]),
  );

  const start = async (wanted: LabPlan["nodes"][number]): Promise<Machine> => {
    const vSwitch = vSwitches.get(wanted.vSwitch);
    if (vSwitch === undefined) throw new Error(`the plan has no vSwitch ${wanted.vSwitch}`);
    // The id is chosen here, because the fabric asks for the machine's name while the instance is made.
    const instanceId = `i-bp1${randomBytes(8).toString("hex")}`;
    names.set(instanceId, wanted.name);
    const { name, instanceType } = wanted;
    const instance = await simulator.createInstance({
      id: instanceId,
      name,
      hostname: name,
      type: instanceType,
      vSwitchId: vSwitch.id,
      securityGroupIds: groupIds(wanted.groups),
      ipv6Count: 1,
    });
    const eni = simulator.state().enis.get(instance.primaryEniId);
    const [ipv6] = eni?.ipv6 ?? [];
    if (eni === undefined || ipv6 === undefined) throw new Error(`${instanceId} has no primary ENI with both families`);
    const primary = { eniId: eni.id, mac: eni.mac, ipv4: eni.primaryIpv4, ipv6, ...gatewaysOf(vSwitch) };
    const netns = netNamespace(namespacePrefix(id) + name).path;
    return { name, instanceId, instanceType, zoneId: vSwitch.zoneId, vSwitchId: vSwitch.id, netns, primary };
  };
  const nodes: Machine[] = [];
  for (const node of plan.nodes) nodes.push(await start(node));
  const elsewhere = plan.elsewhere === undefined ? undefined : await start(plan.elsewhere);
  return {
    regionId: plan.regionId,
    vpcId: vpc.id,
    securityGroupId,
    groups,
    vSwitches: Object.fromEntries([...vSwitches].map(([name, { name: _, ...vSwitch }]) => [name, vSwitch])),
    accessKeyId: key.id,
    accessKeySecret: key.secret,
    nodes,
    ...(elsewhere === undefined ? {} : { elsewhere }),
  };
}

/** What DHCP tells a machine of its vSwitch. */
function gatewaysOf({ name, cidr, ipv6Cidr }: LabPlan["vSwitches"][number]) {
  if (ipv6Cidr === undefined) throw new Error(`a machine needs both families, and vSwitch ${name} has no IPv6`);
  const [ipv4PrefixLength, ipv4Gateway] = [prefixLengthOf(cidr), gatewayOf(cidr)];
  const [ipv6PrefixLength, ipv6Gateway] = [prefixLengthOf(ipv6Cidr), gatewayOf(ipv6Cidr)];
  if (ipv4PrefixLength === undefined || ipv4Gateway === undefined || ipv6PrefixLength === undefined || ipv6Gateway === undefined) {
    throw new Error(`no CIDRs: ${cidr}, ${ipv6Cidr}`);
  }
  return { ipv4PrefixLength, ipv4Gateway, ipv6PrefixLength, ipv6Gateway };
}
