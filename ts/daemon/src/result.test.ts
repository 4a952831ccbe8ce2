import { type CniVersion, cniVersions } from "@terway/model";
import { describe, expect, test } from "vitest";
import { buildResult } from "./result.ts";
import { sampleAttachment } from "./testing/samples.ts";

const attached = { hostIfName: "calic95a4947e07", hostMac: "aa:00:00:00:00:01", podMac: "aa:00:00:00:00:02" };
const result = (cniVersion: CniVersion) => buildResult({ cniVersion, attachment: sampleAttachment(), attached });

describe("result in every version of the specification", () => {
  test.each(cniVersions)("%s", (version) => {
    const old = version.startsWith("0.");
    const mtu = version === "1.1.0" ? { mtu: 1500 } : {};
    expect(result(version)).toEqual({
      cniVersion: version,
      interfaces: [
        { name: "calic95a4947e07", mac: "aa:00:00:00:00:01", ...mtu },
        { name: "eth0", mac: "aa:00:00:00:00:02", ...mtu, sandbox: "/var/run/netns/pod" },
      ],
      ips: [
        { ...(old ? { version: "4" } : {}), address: "10.0.1.23/24", gateway: "10.0.1.253", interface: 1 },
        { ...(old ? { version: "6" } : {}), address: "2001:db8:1::23/64", gateway: "2001:db8:1:0:ffff:ffff:ffff:fffd", interface: 1 },
      ],
      routes: [
        { dst: "0.0.0.0/0", gw: "169.254.1.1" },
        { dst: "::/0", gw: "fe80::1" },
      ],
    });
  });
});

describe("a pod that has an ENI to itself", () => {
  const attachment = sampleAttachment({ exclusive: true });
  test("routes to the VPC's own gateways", () => {
    const answer = buildResult({ cniVersion: "1.0.0", attachment, attached });
    expect(answer.interfaces).toHaveLength(2);
    expect(answer.routes).toEqual([
      { dst: "0.0.0.0/0", gw: "10.0.1.253" },
      { dst: "::/0", gw: "2001:db8:1:0:ffff:ffff:ffff:fffd" },
    ]);
  });

  test("has nothing on the host when it has no pair to its node", () => {
    const answer = buildResult({ cniVersion: "1.0.0", attachment, attached: { ...attached, hostIfName: "", hostMac: "" } });
    expect(answer.interfaces).toEqual([{ name: "eth0", mac: "aa:00:00:00:00:02", sandbox: "/var/run/netns/pod" }]);
    expect(answer.ips).toMatchObject([{ interface: 0 }, { interface: 0 }]);
  });
});

test("a family that the pod lacks appears nowhere", () => {
  const { ipv6, ...attachment } = sampleAttachment();
  const text = JSON.stringify(buildResult({ cniVersion: "1.0.0", attachment, attached }));
  expect(ipv6).toBeDefined();
  expect(text).not.toContain("::");
});

test("an interface without the default route reports its extra routes only", () => {
  const attachment = { ...sampleAttachment(), defaultRoute: false, extraRoutes: ["10.9.0.0/16", "fd00::/8"] };
  expect(buildResult({ cniVersion: "1.0.0", attachment, attached }).routes).toEqual([
    { dst: "10.9.0.0/16", gw: "169.254.1.1" },
    { dst: "fd00::/8", gw: "fe80::1" },
  ]);
});

test("a previous result is passed on and amended; our addresses point at our interface", () => {
  const previous = {
    interfaces: [{ name: "lo", sandbox: "/var/run/netns/pod" }],
    ips: [{ address: "127.0.0.1/8", interface: 0 }],
    routes: [{ dst: "10.1.0.0/16" }],
    dns: { nameservers: ["10.0.0.2"] },
    extension: "kept",
  };
  const amended = buildResult({ cniVersion: "1.0.0", attachment: sampleAttachment(), attached, previous });
  expect(amended).toMatchObject({ cniVersion: "1.0.0", dns: { nameservers: ["10.0.0.2"] }, extension: "kept" });
  expect(amended.interfaces.map((one) => (one as { name: string }).name)).toEqual(["lo", "calic95a4947e07", "eth0"]);
  expect(amended.ips.map((one) => (one as { interface: number }).interface)).toEqual([0, 2, 2]);
  expect(amended.routes).toHaveLength(3);
});

test("the configuration's own DNS wins over that of the previous result", () => {
  const previous = { interfaces: [], ips: [], routes: [], dns: { nameservers: ["10.0.0.2"] } };
  const amended = buildResult({ cniVersion: "1.0.0", attachment: sampleAttachment(), attached, previous, dns: { domain: "here" } });
  expect(amended.dns).toEqual({ domain: "here" });
});
