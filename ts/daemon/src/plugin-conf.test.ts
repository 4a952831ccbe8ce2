import { expect, test } from "vitest";
import { parsePluginConf } from "./plugin-conf.ts";

const conf = (more: Record<string, unknown>) => ({ cniVersion: "1.0.0", name: "terway-chainer", type: "terway", ...more });

test("another version is code 1 and names the supported ones", () => {
  expect(() => parsePluginConf(conf({ cniVersion: "0.2.0" }))).toThrow(
    expect.objectContaining({ code: 1, details: expect.stringContaining("1.1.0") }),
  );
});

test("every problem is told at once, with its path, as code 7", () => {
  expect(() => parsePluginConf(conf({ name: "", mtu: "big", prevResult: { ips: [{}] } }))).toThrow(
    expect.objectContaining({ code: 7, message: expect.stringMatching(/name: .*prevResult.ips.0.address: .*mtu: /) }),
  );
});

test("a result of an earlier plugin may lack lists or hold null for them", () => {
  expect(parsePluginConf(conf({ prevResult: { cniVersion: "1.0.0", interfaces: null } })).prevResult).toMatchObject({
    interfaces: [],
    ips: [],
    routes: [],
  });
});

test("a missing list of valid attachments is not an empty one", () => {
  expect(parsePluginConf(conf({})).validAttachments).toBeUndefined();
  const list = [{ containerID: "a", ifname: "eth0" }];
  expect([...(parsePluginConf(conf({ "cni.dev/valid-attachments": list })).validAttachments ?? [])]).toEqual(["a/eth0"]);
});

test("the empty dns object that libcni adds is no DNS configuration", () => {
  expect(parsePluginConf(conf({ dns: {} })).dns).toBeUndefined();
  expect(parsePluginConf(conf({ dns: { domain: "here" } })).dns).toEqual({ domain: "here" });
});
