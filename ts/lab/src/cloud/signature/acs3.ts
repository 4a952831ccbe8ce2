import { createHash, createHmac, timingSafeEqual } from "node:crypto";
import { apiError } from "../api-error.ts";
import { canonicalQuery, type HttpRequest } from "../http-request.ts";
import type { Envelope } from "./envelope.ts";

/** Headers that must be signed whenever they are there: host, content-type, and everything that speaks to the gateway. */
function mustBeSigned(name: string): boolean {
  return name === "host" || name === "content-type" || name.startsWith("x-acs-");
}

const required = ["host", "x-acs-action", "x-acs-content-sha256", "x-acs-date", "x-acs-signature-nonce", "x-acs-version"];

/** The text whose HMAC is the signature. Source: Alibaba Cloud signature version 3 (ACS3-HMAC-SHA256). */
export function acs3StringToSign(request: HttpRequest, signedHeaders: readonly string[]): string {
  const headers = signedHeaders.map((name) => `${name}:${(request.headers[name] ?? "").trim()}\n`).join("");
  const canonical = [
    request.method,
    request.path,
    canonicalQuery(request.query),
    headers,
    signedHeaders.join(";"),
    request.headers["x-acs-content-sha256"] ?? "",
  ].join("\n");
  return `ACS3-HMAC-SHA256\n${sha256(canonical)}`;
}

export function verifyAcs3(request: HttpRequest, { signedHeaders = [], signature = "" }: Envelope, secret: string): void {
  if (required.some((name) => request.headers[name] === undefined)) throw apiError("IncompleteSignature");
  const unsigned = Object.keys(request.headers).filter((name) => mustBeSigned(name) && !signedHeaders.includes(name));
  if (unsigned.length > 0) throw apiError("IncompleteSignature");
  const stringToSign = acs3StringToSign(request, signedHeaders);
  const expected = createHmac("sha256", secret).update(stringToSign).digest();
  const bodyMatches = sha256(request.body) === request.headers["x-acs-content-sha256"];
  const given = Buffer.from(signature, "hex");
  if (!bodyMatches || given.length !== expected.length || !timingSafeEqual(given, expected)) {
    throw apiError("SignatureDoesNotMatch", { stringToSign });
  }
}

function sha256(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
