import CredentialPackage from "@alicloud/credentials";
import { DescribeNetworkInterfacesRequest } from "@alicloud/ecs20140526";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { attachedEni, type Lab, names, openLab, regionId } from "./lab.ts";

let lab: Lab;
beforeEach(async () => {
  lab = await openLab();
});
afterEach(() => lab[Symbol.asyncDispose]());

const headers = { "x-sim-instance": names.instance };
async function get(path: string, more: Record<string, string> = {}, method = "GET") {
  const response = await fetch(`${lab.metadata}${path}`, { method, headers: { ...headers, ...more } });
  return { status: response.status, text: await response.text() };
}
const text = async (name: string) => (await get(`/latest/meta-data/${name}`)).text;
const status = async (name: string, more: Record<string, string> = {}) => (await get(`/latest/meta-data/${name}`, more)).status;

describe("what an instance reads of itself", () => {
  it.each([
    ["instance-id", names.instance],
    ["instance/instance-type", "ecs.g7.xlarge"],
    ["region-id", regionId],
    ["zone-id", "cn-hangzhou-i"],
    ["vpc-id", names.vpc],
    ["vpc-cidr-block", "10.0.0.0/8"],
    ["vswitch-id", names.vSwitch],
    ["private-ipv4", "10.0.1.10"],
    ["owner-account-id", "1234567890123456"],
  ])("%s is %s", async (name, value) => expect(await text(name)).toBe(value));

  it("mac is that of the primary ENI, and lists as a directory", async () => {
    const primary = [...lab.simulator.state().enis.values()].find((eni) => eni.type === "Primary");
    expect(await text("mac")).toBe(primary?.mac);
    expect((await text("network/interfaces/macs/")).split("\n")).toEqual([`${primary?.mac}/`]);
    expect((await text("")).split("\n")).toEqual(expect.arrayContaining(["instance-id", "network/", "mac"]));
  });

  it("has the ENIs with the shapes that clients parse", async () => {
    const id = await attachedEni(lab, { secondaryPrivateIpAddressCount: 2, ipv6AddressCount: 2 });
    const eni = lab.simulator.state().enis.get(id);
    const read = (name: string) => text(`network/interfaces/macs/${eni?.mac}/${name}`);
    expect((await text("network/interfaces/macs")).split("\n")).toContain(`${eni?.mac}/`);
    expect(await read("network-interface-id")).toBe(id);
    expect(await read("primary-ip-address")).toBe(eni?.primaryIpv4);
    expect(JSON.parse(await read("private-ipv4s"))).toEqual(eni?.ipv4);
    expect(await read("ipv6s")).toBe(`[${eni?.ipv6.join(",")}]`);
    expect(await read("gateway")).toBe("10.0.1.253");
    expect(await read("netmask")).toBe("255.255.255.0");
    expect(await read("ipv6-gateway")).toBe("2408:4005:3c5:6301:ffff:ffff:ffff:fffd");
    expect(await read("vswitch-id")).toBe(names.vSwitch);
    expect(await read("vswitch-cidr-block")).toBe("10.0.1.0/24");
    expect(await read("vswitch-ipv6-cidr-block")).toBe("2408:4005:3c5:6301::/64");
  });

  it("has no IPv6 files without IPv6, and nothing where nothing is", async () => {
    const mac = await text("mac");
    expect(await status(`network/interfaces/macs/${mac}/ipv6s`)).toBe(404);
    expect(await status(`network/interfaces/macs/${mac}/ipv6-gateway`)).toBe(404);
    expect(await status("network/interfaces/macs/00:16:3e:00:00:00/gateway")).toBe(404);
    expect(await status("no-such-name")).toBe(404);
    expect(await status("instance-id/below")).toBe(404);
    expect(await status("ram/security-credentials/")).toBe(404);
    expect((await get("/latest/meta-data/mac", {}, "DELETE")).status).toBe(405);
  });

  it("knows an ENI only while it is in use", async () => {
    const id = await attachedEni(lab);
    const { mac } = lab.simulator.state().enis.get(id) ?? {};
    expect(await status(`network/interfaces/macs/${mac}/gateway`)).toBe(200);
    await lab.simulator.call("DetachNetworkInterface", { NetworkInterfaceId: id, InstanceId: names.instance });
    await lab.simulator.until((state) => state.enis.get(id)?.status === "Available");
    expect(await status(`network/interfaces/macs/${mac}/gateway`)).toBe(404);
  });
});

describe("who asks", () => {
  it("is told by the address of the connection", async () => {
    lab.simulator.createVpc({ id: "vpc-loop", cidr: "127.0.0.0/8" });
    lab.simulator.createVSwitch({ id: "vsw-loop", vpcId: "vpc-loop", cidr: "127.0.0.0/24" });
    lab.simulator.createSecurityGroup({ id: "sg-loop", vpcId: "vpc-loop" });
    const url = `${lab.metadata}/latest/meta-data/instance-id`;
    expect((await fetch(url)).status).toBe(404);
    await lab.simulator.createInstance({ id: "i-loop", vSwitchId: "vsw-loop", securityGroupIds: ["sg-loop"], primaryIpv4: "127.0.0.1" });
    expect(await (await fetch(url)).text()).toBe("i-loop");
    expect(await (await fetch(`${url}?instance=${names.instance}`)).text()).toBe(names.instance);
  });
});

describe("tokens", () => {
  const ttl = (seconds: string) => ({ "x-aliyun-ecs-metadata-token-ttl-seconds": seconds });
  const put = (more: Record<string, string>) => get("/latest/api/token", more, "PUT");

  it("are optional, but a wrong one is refused", async () => {
    const { text: token } = await put(ttl("60"));
    expect(await status("instance-id")).toBe(200);
    expect(await status("instance-id", { "x-aliyun-ecs-metadata-token": token })).toBe(200);
    expect(await status("instance-id", { "x-aliyun-ecs-metadata-token": "wrong" })).toBe(401);
  });

  it("can be required", async () => {
    lab.simulator.admin("setInstance", { id: names.instance, metadataTokenRequired: true });
    expect(await status("instance-id")).toBe(401);
    const { text: token } = await put(ttl("21600"));
    expect(await status("instance-id", { "x-aliyun-ecs-metadata-token": token })).toBe(200);
  });

  it("belong to one instance and live as long as was asked", async () => {
    await lab.simulator.createInstance({ id: "i-2", vSwitchId: names.vSwitch, securityGroupIds: [names.group] });
    const { text: token } = await put(ttl("1"));
    expect(await status("instance-id", { "x-aliyun-ecs-metadata-token": token, "x-sim-instance": "i-2" })).toBe(401);
    expect(await status("instance-id", { "x-aliyun-ecs-metadata-token": token })).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 1010));
    expect(await status("instance-id", { "x-aliyun-ecs-metadata-token": token })).toBe(401);
  });

  it.each([
    ["no lifetime", {}, 400],
    ["no number", ttl("long"), 400],
    ["more than six hours", ttl("21601"), 400],
    ["through a proxy", { ...ttl("60"), "x-forwarded-for": "10.0.0.1" }, 403],
  ])("are not given for %s", async (_, more, expected) => expect((await put(more as Record<string, string>)).status).toBe(expected));
});

describe("credentials of the RAM role", () => {
  it("sign calls with the rights of the role, and are renewed in time", async () => {
    lab.simulator.role({ name: "node", policies: [{ Statement: [{ Effect: "Allow", Action: "ecs:Describe*" }] }], sessionMs: 2000 });
    lab.simulator.admin("setInstance", { id: names.instance, ramRole: "node" });
    expect(await text("ram/security-credentials/")).toBe("node");
    const first = JSON.parse(await text("ram/security-credentials/node"));
    expect(first).toMatchObject({
      Code: "Success",
      AccessKeyId: expect.stringMatching(/^STS\./),
      SecurityToken: expect.any(String),
      Expiration: expect.stringMatching(/Z$/),
    });
    const client = lab.client({
      accessKeyId: first.AccessKeyId,
      accessKeySecret: first.AccessKeySecret,
      securityToken: first.SecurityToken,
    });
    const describeEnis = () => client.describeNetworkInterfaces(new DescribeNetworkInterfacesRequest({ regionId }));
    expect((await describeEnis()).statusCode).toBe(200);
    expect(JSON.parse(await text("ram/security-credentials/node")).AccessKeyId).toBe(first.AccessKeyId);
    lab.simulator.role({ name: "node", policies: [], sessionMs: 2000 });
    await expect(describeEnis()).rejects.toMatchObject({ code: "Forbidden.RAM" });
    await new Promise((resolve) => setTimeout(resolve, 1100));
    expect(JSON.parse(await text("ram/security-credentials/node")).AccessKeyId).not.toBe(first.AccessKeyId);
    await new Promise((resolve) => setTimeout(resolve, 1000));
    await expect(describeEnis()).rejects.toMatchObject({ code: "InvalidSecurityToken.Expired" });
  });

  it("are understood by the vendor's provider of credentials", async () => {
    lab.simulator.role({ name: "node" });
    lab.simulator.admin("setInstance", { id: names.instance, ramRole: "node" });
    const uri = `${lab.metadata}/latest/meta-data/ram/security-credentials/node?instance=${names.instance}`;
    const credential = new CredentialPackage.default({ type: "credentials_uri", credentialsURI: uri } as never);
    const { accessKeyId = "", accessKeySecret = "", securityToken = "" } = await credential.getCredential();
    const client = lab.client({ accessKeyId, accessKeySecret, securityToken });
    expect((await client.describeNetworkInterfaces(new DescribeNetworkInterfacesRequest({ regionId }))).statusCode).toBe(200);
  });
});

describe("faults", () => {
  it("metadata can stay behind the API", async () => {
    // Long enough that the first look comes before it is over.
    const metadataLagMs = 1_500;
    await new Promise((resolve) => setTimeout(resolve, metadataLagMs + 50));
    lab.simulator.settings({ metadataLagMs });
    const id = await attachedEni(lab);
    const { mac } = lab.simulator.state().enis.get(id) ?? {};
    const path = `network/interfaces/macs/${mac}/network-interface-id`;
    expect(await status(path)).toBe(404);
    await expect.poll(() => status(path)).toBe(200);
  });

  it("F31, F36, F37: no credentials, a MAC that never appears, too many requests", async () => {
    const id = await attachedEni(lab);
    const { mac } = lab.simulator.state().enis.get(id) ?? {};
    lab.simulator.setFault({ fault: "F36" });
    expect(await status(`network/interfaces/macs/${mac}/gateway`)).toBe(404);
    expect(await status("instance-id")).toBe(200);
    lab.simulator.clearFaults();
    lab.simulator.setFault({ fault: "F37" });
    expect(await status("instance-id")).toBe(429);
    expect(await status("instance-id")).toBe(200);
    lab.simulator.setFault({ fault: "F31" });
    expect(await status("ram/security-credentials/")).toBe(503);
    expect(await status("instance-id")).toBe(200);
  });

  it("only one instance can be struck, and requests stand in the history", async () => {
    lab.simulator.setFault({ effect: { type: "metadata-error", status: 500 }, match: { action: "metadata", instanceId: "i-other" } });
    expect(await status("instance-id")).toBe(200);
    lab.simulator.setFault({ effect: { type: "metadata-error", status: 500 }, match: { action: "metadata", instanceId: names.instance } });
    expect(await status("instance-id")).toBe(500);
    expect(
      lab.simulator
        .history()
        .filter((entry) => entry.kind === "metadata")
        .map((entry) => [entry.caller, entry.status]),
    ).toEqual([
      [names.instance, 200],
      [names.instance, 500],
    ]);
  });
});
