import { readFileSync } from "node:fs";
import { describe, expect, test } from "vitest";
import { cloudErrorEntry } from "./cloud-error-table.ts";
import { cniCode } from "./cni.ts";
import { ownCniErrors } from "./cni-error.ts";
import { errorCatalogue } from "./error-catalogue.ts";

const repository = new URL("../../../", import.meta.url);
const read = (path: string) => readFileSync(new URL(path, repository), "utf8");

test("ids are unique in their area, and every entry says what to do", () => {
  const ids = errorCatalogue.map((entry) => `${entry.area}/${entry.id}`);
  expect(new Set(ids).size).toBe(ids.length);
  for (const { id, meaning, next } of errorCatalogue) {
    expect(meaning, id).toMatch(/^[A-Z`{].*\.$/s);
    expect(next, id).toMatch(/^[A-Z].*\.$/s);
  }
});

test("every code of the CNI tables is explained, and no other number is used", () => {
  const own = Object.values(ownCniErrors).map((error) => error.code);
  expect(new Set(own).size).toBe(own.length);
  for (const code of own) expect(code).toBeGreaterThanOrEqual(100);
  const used = new Set(errorCatalogue.flatMap((entry) => entry.cniCode ?? []));
  for (const code of own) expect(used).toContain(code);
  const known = new Set<number>([...own, ...Object.values(cniCode), 8, 999]);
  for (const code of used) expect(known).toContain(code);
});

test("the executable's constants are the catalogue's", () => {
  const constants = [...read("crates/cni/src/code.rs").matchAll(/pub const (\w+): u32 = (\d+);/g)];
  expect(constants.length).toBeGreaterThan(5);
  for (const [, name, code] of constants) {
    expect(errorCatalogue.find((entry) => entry.area === "protocol" && entry.id === name)?.cniCode, name).toBe(Number(code));
  }
});

test("the reference page has every entry, every code and every name", () => {
  const page = read("docs/reference/errors.md");
  for (const { id, codes = [], documentNames = [] } of errorCatalogue) {
    for (const word of [id, ...codes, ...documentNames]) expect(page).toContain(`\`${word}\``);
  }
});

describe("names that the documents use", () => {
  /** As they stand in the guides that users read, with what the cloud really answers. */
  test.each([
    ["InvalidAccessKeyId", "InvalidAccessKeyId.NotFound", "access_key_unknown"],
    ["InvalidAccessKeySecret", "SignatureDoesNotMatch", "access_secret_wrong"],
    ["Forbidden.Ram.User", "Forbidden.RAM", "permission_missing"],
    ["InvalidSecurityGroup.NotFound", "InvalidSecurityGroupId.NotFound", "security_group_unknown"],
    ["InvalidVSwitchId.NotFound", "InvalidVSwitchId.NotFound", "vswitch_unknown"],
    ["InvalidVSwitchId.IpNotEnough", "InvalidVSwitchID.IPNotEnough", "vswitch_exhausted"],
    ["QuotaExceeded.PrivateIPAddress", "QuotaExceeded.PrivateIpAddress", "vswitch_exhausted"],
    ["QuotaExceeded.Eni", "MaxEniCountExceeded", "eni_quota_account"],
    ["Throttling", "Throttling.User", "throttled"],
  ])("%s and the real %s are one error", (documented, real, id) => {
    expect(cloudErrorEntry(documented)?.id).toBe(id);
    expect(cloudErrorEntry(real)?.id).toBe(id);
  });
});
