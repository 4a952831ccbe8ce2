import { expect, test } from "vitest";
import { hostPrefix, linkLocalOf } from "./addresses.ts";
import { nextInterfaceName } from "./link.ts";
import { neighbourLines, routeLines } from "./routes.ts";
import { sourceElements } from "./source-check.ts";
import { portName } from "./vpc.ts";

const port = { name: "p-1", mac: "00:16:3e:0a:0b:0c", sourceMacs: ["00:16:3e:0a:0b:0c"], primaryIpv4: "10.0.1.7" };

test("the link-local address of a MAC is its EUI-64", () => {
  expect(linkLocalOf("ee:ff:ff:ff:ff:ff")).toBe("fe80::ecff:ffff:feff:ffff");
  expect(() => linkLocalOf("ee:ff")).toThrow(TypeError);
});

test("each address has a route of its own through the ENI's one neighbour of its family", () => {
  expect(routeLines("replace", port, ["10.0.1.8", "fd00::8"])).toEqual([
    "route replace 10.0.1.8/32 via 10.0.1.7 dev p-1 onlink",
    "route replace fd00::8/128 via fe80::216:3eff:fe0a:b0c dev p-1 onlink",
  ]);
  expect(neighbourLines(port)).toEqual([
    "neigh replace 10.0.1.7 lladdr 00:16:3e:0a:0b:0c dev p-1 nud permanent",
    "neigh replace fe80::216:3eff:fe0a:b0c lladdr 00:16:3e:0a:0b:0c dev p-1 nud permanent",
  ]);
  expect(hostPrefix("fd00::8")).toBe("fd00::8/128");
});

test("source elements stand in the set of their family; no address gives no command", () => {
  expect(sourceElements("add", port, ["10.0.1.8", "fd00::8"])).toBe(
    'add element inet vpc source4 { "p-1" . 00:16:3e:0a:0b:0c . 10.0.1.8 }\nadd element inet vpc source6 { "p-1" . 00:16:3e:0a:0b:0c . fd00::8 }\n',
  );
  expect(sourceElements("add", port, ["10.0.1.16/28", "fd00::1:0/80"])).toBe(
    'add element inet vpc prefixes4 { "p-1" . 00:16:3e:0a:0b:0c . 10.0.1.16/28 }\nadd element inet vpc prefixes6 { "p-1" . 00:16:3e:0a:0b:0c . fd00::1:0/80 }\n',
  );
  expect(sourceElements("delete", port, [])).toBe("");
});

test("interfaces are named as a machine names them in order of arrival", () => {
  expect(nextInterfaceName(true, ["lo"])).toBe("eth0");
  expect(nextInterfaceName(false, ["lo", "eth0"])).toBe("eth1");
  expect(nextInterfaceName(false, ["lo", "eth0", "eth1", "eth3"])).toBe("eth2");
});

test("a port's name fits into IFNAMSIZ and keeps the end of the ENI's id", () => {
  expect(portName("eni-bp1abcdefghijklmnop0")).toBe("p-efghijklmnop0");
  expect(portName("eni-bp1abcdefghijklmnop0")).toHaveLength(15);
});
