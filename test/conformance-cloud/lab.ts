import EcsPackage, { AttachNetworkInterfaceRequest, CreateNetworkInterfaceRequest } from "@alicloud/ecs20140526";
import { $OpenApiUtil } from "@alicloud/openapi-core";
import VpcPackage from "@alicloud/vpc20160428";
import { CloudSimulator, listen, type SimulatorOptions } from "@terway/lab";

/** Names of the resources that {@link openLab} makes. */
export const names = {
  vpc: "vpc-lab",
  vSwitch: "vsw-a",
  small: "vsw-small",
  ipv4Only: "vsw-v4",
  otherZone: "vsw-b",
  group: "sg-lab",
  instance: "i-node1",
} as const;

export interface Lab extends AsyncDisposable {
  readonly simulator: CloudSimulator;
  readonly ecs: EcsPackage.default;
  readonly vpc: VpcPackage.default;
  readonly openapi: { readonly host: string; readonly port: number };
  readonly metadata: string;
  client(credentials: { accessKeyId: string; accessKeySecret: string; securityToken?: string }): EcsPackage.default;
}

export const regionId = "cn-hangzhou";
export const account = { accessKeyId: "LTAIlab", accessKeySecret: "lab-secret" };

/** A region with one VPC, four vSwitches, a group and an instance, and the unmodified clients of the vendor pointed at it. */
export async function openLab(options: SimulatorOptions = {}): Promise<Lab> {
  const simulator = new CloudSimulator({ seed: 7, settings: { delays: "instant" }, ...options });
  simulator.accessKey({ id: account.accessKeyId, secret: account.accessKeySecret });
  simulator.createVpc({ id: names.vpc, cidr: "10.0.0.0/8", ipv6Cidr: "2408:4005:3c5:6300::/56" });
  simulator.createVSwitch({ id: names.vSwitch, vpcId: names.vpc, cidr: "10.0.1.0/24", ipv6Cidr: "2408:4005:3c5:6301::/64" });
  simulator.createVSwitch({ id: names.small, vpcId: names.vpc, cidr: "10.0.2.0/29", ipv6Cidr: "2408:4005:3c5:6302::/64" });
  simulator.createVSwitch({ id: names.ipv4Only, vpcId: names.vpc, cidr: "10.0.3.0/24" });
  simulator.createVSwitch({ id: names.otherZone, vpcId: names.vpc, zoneId: "cn-hangzhou-j", cidr: "10.0.4.0/24" });
  simulator.createSecurityGroup({ id: names.group, vpcId: names.vpc });
  await simulator.createInstance({
    id: names.instance,
    vSwitchId: names.vSwitch,
    securityGroupIds: [names.group],
    primaryIpv4: "10.0.1.10",
  });
  const door = await listen(simulator, { openapi: { host: "127.0.0.1", port: 0 }, metadata: { host: "127.0.0.1", port: 0 } });
  const { openapi, metadata } = door;
  if (openapi === undefined || metadata === undefined) throw new Error("the simulator does not listen");
  const config = (credentials: { accessKeyId: string; accessKeySecret: string; securityToken?: string }) =>
    new $OpenApiUtil.Config({
      ...credentials,
      regionId,
      endpoint: `${openapi.host}:${openapi.port}`,
      protocol: "http",
      readTimeout: 5000,
      connectTimeout: 5000,
    });
  // These packages are CommonJS: from an ES module the client class is the `default` of the default export.
  const client = (credentials: { accessKeyId: string; accessKeySecret: string; securityToken?: string }) =>
    new EcsPackage.default(config(credentials));
  return {
    simulator,
    ecs: client(account),
    vpc: new VpcPackage.default(config(account)),
    openapi,
    metadata: `http://${metadata.host}:${metadata.port}`,
    client,
    [Symbol.asyncDispose]: () => simulator.close(),
  };
}

/** The error that the deed is refused with; fails when it succeeds. */
export async function refusal(deed: () => Promise<unknown>): Promise<unknown> {
  try {
    await deed();
  } catch (error) {
    return error;
  }
  throw new Error("it was not refused");
}

/** Id of a new ENI that is in use on the instance. */
export async function attachedEni(
  lab: Lab,
  fields: ConstructorParameters<typeof CreateNetworkInterfaceRequest>[0] = {},
  instanceId: string = names.instance,
): Promise<string> {
  const { body } = await lab.ecs.createNetworkInterface(
    new CreateNetworkInterfaceRequest({ regionId, vSwitchId: names.vSwitch, securityGroupIds: [names.group], ...fields }),
  );
  const networkInterfaceId = body?.networkInterfaceId ?? "";
  await lab.ecs.attachNetworkInterface(new AttachNetworkInterfaceRequest({ regionId, networkInterfaceId, instanceId }));
  await lab.simulator.until((state) => state.enis.get(networkInterfaceId)?.status === "InUse");
  return networkInterfaceId;
}
