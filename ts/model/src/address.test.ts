import { isIP } from "node:net";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  canonicalAddress,
  canonicalCidr,
  cidrContains,
  compareAddresses,
  familyOf,
  formatAddress,
  gatewayOf,
  parseAddress,
  parseCidr,
  prefixLengthOf,
} from "./address.ts";

const ipv4 = fc.ipV4();
const ipv6Value = fc.bigInt({ min: 0n, max: (1n << 128n) - 1n });
/** Values with runs of zero groups, where compression can go wrong. */
const sparseIpv6Value = fc
  .array(fc.oneof(fc.constant(0n), fc.bigInt({ min: 0n, max: 0xffffn })), { minLength: 8, maxLength: 8 })
  .map((groups) => groups.reduce((value, group) => (value << 16n) | group, 0n));

/** The platform's own canonical text of an IPv6 address, by another implementation (WHATWG URL). It writes mapped addresses in hex. */
const platformIpv6 = (text: string) => new URL(`http://[${text}]/`).hostname.slice(1, -1);

describe("canonical IPv6 text (RFC 5952)", () => {
  test.each([
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"], // 4.2.3: the first of equal runs
    ["2001:0db8::0001", "2001:db8::1"], // 4.1: no leading zeros
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"], // 4.2.2: one group stays
    ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"], // 4.2.3: the longest run
    ["2001:DB8::ABCD", "2001:db8::abcd"], // 4.3: lower case
    ["0:0:0:0:0:0:0:0", "::"],
    ["0:0:0:0:0:0:0:1", "::1"],
    ["1:0:0:0:0:0:0:0", "1::"],
    ["::ffff:192.0.2.1", "::ffff:192.0.2.1"], // 5: mapped addresses keep the dots
    ["::ffff:c000:201", "::ffff:192.0.2.1"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
  ])("%s → %s", (text, canonical) => {
    expect(canonicalAddress(text)).toBe(canonical);
  });

  test("agrees with the platform's URL parser, and any spelling comes out the same", () => {
    fc.assert(
      fc.property(fc.oneof(ipv6Value, sparseIpv6Value), (value) => {
        fc.pre(value >> 32n !== 0xffffn);
        const full = value.toString(16).padStart(32, "0").match(/.{4}/g)?.join(":") ?? "";
        const text = formatAddress({ family: "ipv6", value });
        expect(text).toBe(platformIpv6(full));
        expect(canonicalAddress(full.toUpperCase())).toBe(text);
        expect(parseAddress(text)?.value).toBe(value);
      }),
    );
  });
});

describe("reading", () => {
  test.each([
    ["1.2.3", "1.2.3.4.5", "1.2.3.256", "01.2.3.4", "1.2.3.-4", " 1.2.3.4", "1.2.3.4 ", "", "a.b.c.d", "1.2.3.0x4"],
    [":", ":::", "1::2::3", "1:2:3:4:5:6:7", "1:2:3:4:5:6:7:8:9", "1:2:3:4:5:6:7:8::", "fe80::1%eth0", "12345::", "g::", "1.2.3.4::"],
    ["::1.2.3", "1:2:3:4:5:6:7:1.2.3.4", "[::1]", "::1.2.3.4:5", ":1", "1:"],
  ])("refuses what is no address: %s …", (...texts) => {
    for (const text of texts) expect.soft(parseAddress(text), text).toBeUndefined();
  });

  test("reads exactly what the platform reads", () => {
    const nearly = fc.oneof(
      ipv4,
      fc.ipV6(),
      fc.string({ unit: fc.constantFrom("0", "1", "f", ":", ".", "2"), maxLength: 20 }),
      fc.array(fc.constantFrom("::", ":", "0", "ffff", "1.2.3.4", "00", "256"), { maxLength: 12 }).map((parts) => parts.join("")),
    );
    fc.assert(
      fc.property(nearly, (text) => {
        const expected = isIP(text);
        expect(familyOf(text)).toBe(expected === 4 ? "ipv4" : expected === 6 ? "ipv6" : undefined);
      }),
      { numRuns: 2000 },
    );
  });
});

describe("order", () => {
  test("IPv4 before IPv6, by number, no addresses last", () => {
    const sorted = ["zz", "2001:db8::10", "10.0.0.10", "2001:db8::2", "10.0.0.9", "aa"].sort(compareAddresses);
    expect(sorted).toEqual(["10.0.0.9", "10.0.0.10", "2001:db8::2", "2001:db8::10", "aa", "zz"]);
  });

  test("is a total order", () => {
    const any = fc.oneof(ipv4, fc.ipV6(), fc.string());
    fc.assert(
      fc.property(any, any, any, (a, b, c) => {
        expect(Math.sign(compareAddresses(a, b))).toBe(-Math.sign(compareAddresses(b, a)) + 0);
        if (compareAddresses(a, b) <= 0 && compareAddresses(b, c) <= 0) expect(compareAddresses(a, c)).toBeLessThanOrEqual(0);
      }),
    );
  });
});

describe("CIDR", () => {
  test.each([
    ["10.0.1.9/24", "10.0.1.0/24"],
    ["2001:DB8::1/64", "2001:db8::/64"],
    ["0.0.0.0/0", "0.0.0.0/0"],
    ["::/0", "::/0"],
    ["10.0.0.1/32", "10.0.0.1/32"],
  ])("%s is %s", (text, canonical) => {
    expect(canonicalCidr(text)).toBe(canonical);
    expect(prefixLengthOf(text)).toBe(Number(canonical.split("/")[1]));
  });

  test.each(["10.0.0.0", "10.0.0.0/33", "10.0.0.0/-1", "10.0.0.0/08", "10.0.0.0/", "::/129", "10.0.0/8", "10.0.0.0/24/1", "10.0.0.0/1e1"])(
    "%s is none",
    (text) => {
      expect(parseCidr(text)).toBeUndefined();
      expect(cidrContains(text, "10.0.0.1")).toBe(false);
      expect(gatewayOf(text)).toBeUndefined();
    },
  );

  test("contains its ends and nothing beside them, and no other family", () => {
    fc.assert(
      fc.property(fc.oneof(ipv4, fc.ipV6()), fc.nat(128), (address, prefix) => {
        const width = address.includes(":") ? 128 : 32;
        const net = parseCidr(`${address}/${prefix % (width + 1)}`);
        if (net === undefined) throw new Error("unreadable CIDR");
        expect(cidrContains(net, address)).toBe(true);
        expect(cidrContains(net, { family: net.family, value: net.first })).toBe(true);
        expect(cidrContains(net, { family: net.family, value: net.last })).toBe(true);
        expect(cidrContains(net, { family: net.family, value: net.first - 1n })).toBe(false);
        expect(cidrContains(net, { family: net.family, value: net.last + 1n })).toBe(false);
        expect(cidrContains(net, { family: net.family === "ipv4" ? "ipv6" : "ipv4", value: net.first })).toBe(false);
        expect(net.last - net.first + 1n).toBe(1n << BigInt(width - net.prefixLength));
      }),
    );
  });
});

describe("gateway of a vSwitch: the third address from the end", () => {
  test.each([
    ["10.0.1.0/24", "10.0.1.253"],
    ["172.16.0.0/19", "172.16.31.253"],
    ["192.168.0.8/29", "192.168.0.13"],
    ["2408:4005:3a1:1900::/64", "2408:4005:3a1:1900:ffff:ffff:ffff:fffd"],
  ])("%s → %s", (cidr, gateway) => {
    expect(gatewayOf(cidr)).toBe(gateway);
  });

  test("a block too small has none", () => {
    expect(gatewayOf("10.0.0.0/31")).toBeUndefined();
    expect(gatewayOf("10.0.0.0/32")).toBeUndefined();
  });
});
