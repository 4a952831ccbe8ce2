import { createHash } from "node:crypto";
import { apiError } from "./api-error.ts";
import { operationParameters, type WireParameters } from "./parameters.ts";
import type { Transaction } from "./transaction.ts";

export interface TokenUse {
  readonly key: string;
  readonly parametersHash: string;
}

/** The token of a call, by account and action; undefined without a token. */
export function tokenUse(action: string, wire: WireParameters): TokenUse | undefined {
  const { ClientToken: token, ...rest } = operationParameters(wire);
  if (token === undefined) return undefined;
  const sorted = Object.entries(rest).sort(([a], [b]) => (a < b ? -1 : 1));
  return { key: `${action}/${token}`, parametersHash: createHash("sha256").update(JSON.stringify(sorted)).digest("hex") };
}

/** The answer that the first call with this token got; throws IdempotentParameterMismatch when that call asked for something else. */
export function replayedAnswer(tx: Transaction, use: TokenUse): Readonly<Record<string, unknown>> | undefined {
  const known = tx.state.table("idempotentCalls").get(use.key);
  if (known === undefined || tx.nowMs - known.atMs >= tx.state.settings.clientTokenLifetimeMs) return undefined;
  if (known.parametersHash !== use.parametersHash) throw apiError("IdempotentParameterMismatch");
  return known.body;
}

/** Only success is remembered: a refused call may be repeated with the same token. */
export function rememberAnswer(tx: Transaction, use: TokenUse, body: Readonly<Record<string, unknown>>): void {
  // In the order of use, so the old ones stand in front.
  for (const { key, atMs } of tx.state.table("idempotentCalls").values()) {
    if (tx.nowMs - atMs < tx.state.settings.clientTokenLifetimeMs) break;
    tx.remove("idempotentCalls", key);
  }
  tx.put("idempotentCalls", use.key, { ...use, body, atMs: tx.nowMs });
}
