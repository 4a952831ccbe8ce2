import type { Random } from "@terway/model";

/** Repeatable randomness (sfc32, Chris Doty-Humphrey's small fast counter): the same seed gives the same sequence on every machine. */
export function seededRandom(seed: number): Random {
  let a = 0x9e3779b9;
  let b = 0x243f6a88;
  let c = 0xb7e15162;
  let counter = seed >>> 0;
  const next32 = () => {
    const sum = (((a + b) | 0) + counter) | 0;
    counter = (counter + 1) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (c << 21) | (c >>> 11);
    c = (c + sum) | 0;
    return sum >>> 0;
  };
  // The first outputs still show the seed; the reference implementation discards this many.
  for (let round = 0; round < 15; round++) next32();
  return {
    next: () => next32() / 2 ** 32,
    uuid() {
      const hex = [next32(), next32(), next32(), next32()].map((word) => word.toString(16).padStart(8, "0")).join("");
      const variant = ((Number.parseInt(hex.slice(16, 17), 16) & 3) | 8).toString(16);
      return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-${variant}${hex.slice(17, 20)}-${hex.slice(20, 32)}`;
    },
  };
}

export function randomInteger(random: Random, below: number): number {
  return Math.floor(random.next() * below);
}

/** A number of `count` random bits. */
export function randomBits(random: Random, count: number): bigint {
  let value = 0n;
  for (let have = 0; have < count; have += 16) value = (value << 16n) | BigInt(randomInteger(random, 0x10000));
  return value & ((1n << BigInt(count)) - 1n);
}

const idAlphabet = "0123456789abcdefghijklmnopqrstuvwxyz";

/** An id as the cloud writes it, for example `eni-bp1` and 17 more characters. Opaque to clients. */
export function resourceId(random: Random, prefix: string): string {
  let id = `${prefix}-bp1`;
  for (let index = 0; index < 17; index++) id += idAlphabet.charAt(randomInteger(random, idAlphabet.length));
  return id;
}

/** MACs of real ENIs begin with 00:16:3e. */
export function eniMac(random: Random): string {
  const tail = Array.from({ length: 3 }, () => randomInteger(random, 256).toString(16).padStart(2, "0"));
  return `00:16:3e:${tail.join(":")}`;
}
