import { apiError } from "../api-error.ts";
import type { HttpRequest } from "../http-request.ts";
import type { AccessKey } from "../records.ts";
import type { Transaction } from "../transaction.ts";
import { verifyAcs3 } from "./acs3.ts";
import type { Envelope } from "./envelope.ts";
import { verifyRpcV1 } from "./rpc-v1.ts";

/** The gateway remembers a nonce for this long. */
const nonceLifetimeMs = 15 * 60_000;

/** Who calls; throws the gateway's refusal. The nonce is used up only by a request whose signature holds. */
export function authenticate(tx: Transaction, request: HttpRequest, envelope: Envelope): AccessKey {
  const { accessKeyId, signature, nonce, date } = envelope;
  if (accessKeyId === undefined) throw apiError("MissingAccessKeyId");
  if (signature === undefined || nonce === undefined || date === undefined) throw apiError("IncompleteSignature");
  const key = tx.state.table("accessKeys").get(accessKeyId);
  if (key === undefined) throw apiError("InvalidAccessKeyId.NotFound");
  if (key.status === "Inactive") throw apiError("InvalidAccessKeyId.Inactive");
  checkDate(tx, date);
  checkSecurityToken(tx, key, envelope.securityToken);
  if (envelope.style === "ACS3") verifyAcs3(request, envelope, key.secret);
  else verifyRpcV1(request, envelope, key.secret);
  useNonce(tx, `${accessKeyId}/${nonce}`);
  return key;
}

function checkDate(tx: Transaction, date: string): void {
  const ms = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/.test(date) ? Date.parse(date) : Number.NaN;
  if (Number.isNaN(ms)) throw apiError("InvalidTimeStamp.Format");
  const { maxClockSkewMs } = tx.state.settings;
  if (maxClockSkewMs !== null && Math.abs(tx.nowMs - ms) > maxClockSkewMs) throw apiError("InvalidTimeStamp.Expired");
}

function checkSecurityToken(tx: Transaction, key: AccessKey, given: string | undefined): void {
  if (key.securityToken === undefined) {
    if (given !== undefined) throw apiError("InvalidSecurityToken.MismatchWithAccessKey");
    return;
  }
  if (given === undefined) throw apiError("MissingSecurityToken");
  if (given !== key.securityToken) {
    const known = [...tx.state.table("accessKeys").values()].some((other) => other.securityToken === given);
    throw apiError(known ? "InvalidSecurityToken.MismatchWithAccessKey" : "InvalidSecurityToken.Malformed");
  }
  if (key.expiresMs !== undefined && tx.nowMs >= key.expiresMs) throw apiError("InvalidSecurityToken.Expired");
}

function useNonce(tx: Transaction, nonce: string): void {
  const used = tx.state.table("nonces");
  if (used.has(nonce)) throw apiError("SignatureNonceUsed");
  // In the order of use, so the old ones stand in front.
  for (const { nonce: old, atMs } of used.values()) {
    if (tx.nowMs - atMs < nonceLifetimeMs) break;
    tx.remove("nonces", old);
  }
  tx.put("nonces", nonce, { nonce, atMs: tx.nowMs });
}
