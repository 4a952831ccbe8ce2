import { describe, expect, it } from "vitest";
import { crc32c } from "./crc32c.ts";

describe("crc32c", () => {
  // RFC 3720, appendix B.4, and the check value of the polynomial's catalogue entry.
  it.each([
    ["123456789", new TextEncoder().encode("123456789"), 0xe3069283],
    ["32 zero bytes", new Uint8Array(32), 0x8a9136aa],
    ["32 bytes of ones", new Uint8Array(32).fill(0xff), 0x62a8ab43],
    ["ascending bytes", Uint8Array.from({ length: 32 }, (_, i) => i), 0x46dd794e],
  ])("of %s", (_name, bytes, expected) => {
    expect(crc32c(bytes)).toBe(expected);
  });
});
