import { createHmac, timingSafeEqual } from "node:crypto";
import { apiError } from "../api-error.ts";
import { canonicalQuery, encodeRfc3986, formPairs, type HttpRequest } from "../http-request.ts";
import type { Envelope } from "./envelope.ts";

/** Signature methods of version 1. HMAC-SHA1 is what the clients send; the gateway knows the stronger one, too. */
const algorithms: Readonly<Record<string, string>> = { "HMAC-SHA1": "sha1", "HMAC-SHA256": "sha256" };

/** The text whose HMAC is the signature. Source: Alibaba Cloud RPC API, signature version 1.0. */
export function rpcV1StringToSign(request: HttpRequest): string {
  const pairs = [...request.query, ...formPairs(request)].filter(([name]) => name !== "Signature");
  return `${request.method}&${encodeRfc3986("/")}&${encodeRfc3986(canonicalQuery(pairs))}`;
}

export function signRpcV1(stringToSign: string, secret: string, algorithm: string): Buffer {
  return createHmac(algorithm, `${secret}&`).update(stringToSign).digest();
}

export function verifyRpcV1(request: HttpRequest, { parameters, signature = "" }: Envelope, secret: string): void {
  const algorithm = algorithms[parameters.SignatureMethod ?? ""];
  if (algorithm === undefined) throw apiError("InvalidSignatureMethod");
  if (parameters.SignatureVersion !== "1.0") throw apiError("IncompleteSignature");
  const stringToSign = rpcV1StringToSign(request);
  const expected = signRpcV1(stringToSign, secret, algorithm);
  const given = Buffer.from(signature, "base64");
  if (given.length !== expected.length || !timingSafeEqual(given, expected)) throw apiError("SignatureDoesNotMatch", { stringToSign });
}
