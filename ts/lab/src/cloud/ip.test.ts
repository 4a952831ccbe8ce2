import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  canonicalAddress,
  contains,
  formatAddress,
  gatewayOf,
  isReserved,
  knownCidr,
  netmask,
  overlaps,
  parseAddress,
  parseCidr,
} from "./ip.ts";

describe("addresses", () => {
  it("reads back what it wrote, in both families", () => {
    fc.assert(fc.property(fc.bigInt(0n, 2n ** 32n - 1n), (value) => parseAddress(formatAddress("ipv4", value)) === value));
    fc.assert(fc.property(fc.bigInt(0n, 2n ** 128n - 1n), (value) => parseAddress(formatAddress("ipv6", value)) === value));
  });

  it.each([
    ["2408:4005:0:0:0:0:0:1", "2408:4005::1"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["1:0:0:2:0:0:0:3", "1:0:0:2::3"],
    ["1:0:2:3:4:5:6:7", "1:0:2:3:4:5:6:7"],
    ["FE80::A", "fe80::a"],
  ])("writes %s as %s (RFC 5952)", (text, canonical) => expect(canonicalAddress(text)).toBe(canonical));

  it.each(["", "1.2.3", "1.2.3.256", "1.2.3.4.5", "::1::", "1:2:3:4:5:6:7:8:9", "g::", "12345::", "1.2.3.4/24"])("refuses %j", (text) =>
    expect(parseAddress(text)).toBeUndefined(),
  );
});

describe("CIDRs", () => {
  it.each(["10.0.0.1/24", "10.0.0.0/33", "10.0.0.0", "::/129", "10.0.0.0/-1", "10.0.0.0/24/1"])("refuses %s", (text) =>
    expect(parseCidr(text)).toBeUndefined(),
  );

  it("reserves the first and the last three of IPv4, the first and the last nine of IPv6", () => {
    const v4 = knownCidr("10.0.0.0/29");
    const free4 = Array.from({ length: 8 }, (_, index) => v4.base + BigInt(index)).filter((value) => !isReserved(v4, value));
    expect(free4.map((value) => formatAddress("ipv4", value))).toEqual(["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4"]);
    const v6 = knownCidr("2408::/64");
    const reserved = (offset: bigint) => isReserved(v6, offset < 0n ? v6.base + v6.size + offset : v6.base + offset);
    expect([0n, 1n, -10n, -9n, -1n].map(reserved)).toEqual([true, false, false, true, true]);
  });

  it("has the gateway third from the end", () => {
    expect(gatewayOf(knownCidr("10.0.1.0/24"))).toBe("10.0.1.253");
    expect(gatewayOf(knownCidr("2408:1:2:3::/64"))).toBe("2408:1:2:3:ffff:ffff:ffff:fffd");
    expect(netmask(knownCidr("10.0.0.0/20"))).toBe("255.255.240.0");
  });

  it("knows inside and overlap", () => {
    const outer = knownCidr("10.0.0.0/8");
    expect(contains(outer, "ipv4", parseAddress("10.255.255.255") ?? 0n)).toBe(true);
    expect(contains(outer, "ipv4", parseAddress("11.0.0.0") ?? 0n)).toBe(false);
    expect(contains(outer, "ipv6", outer.base)).toBe(false);
    expect(overlaps(knownCidr("10.0.0.0/24"), knownCidr("10.0.0.128/25"))).toBe(true);
    expect(overlaps(knownCidr("10.0.0.0/25"), knownCidr("10.0.0.128/25"))).toBe(false);
  });
});
