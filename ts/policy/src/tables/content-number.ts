import { createHash } from "node:crypto";

/** 64 bits of a content address (hexadecimal digits) as the kernel's tables number it: without leading zeros. */
export function numberOf(contentId: string): string {
  return contentId.slice(0, 16).replace(/^0+(?=.)/, "");
}

/** 64 bits of the text's SHA-256. That it meets a reserved number (0, 1) is less likely than a broken memory cell. */
export function contentNumber(text: string): string {
  return numberOf(createHash("sha256").update(text).digest("hex"));
}

/** 32 bits, never 0, which counts what no rule allows. Two rules that share a number share their counters, nothing else. */
export function ruleNumberOf(text: string): number {
  return createHash("sha256").update(text).digest().readUInt32BE(0) || 1;
}
