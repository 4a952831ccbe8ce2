import type { Transaction } from "../transaction.ts";

const maxTtlSeconds = 21_600;

export type TokenAnswer = { readonly status: 200; readonly body: string } | { readonly status: 400 | 403 };

/** `PUT /latest/api/token`. Refused for requests that came through a proxy. */
export function issueToken(tx: Transaction, instanceId: string, headers: Readonly<Record<string, string>>): TokenAnswer {
  if (headers["x-forwarded-for"] !== undefined) return { status: 403 };
  const ttl = Number(headers["x-aliyun-ecs-metadata-token-ttl-seconds"]);
  if (!Number.isInteger(ttl) || ttl < 1 || ttl > maxTtlSeconds) return { status: 400 };
  for (const { token, expiresMs } of tx.state.table("metadataTokens").values())
    if (expiresMs <= tx.nowMs) tx.remove("metadataTokens", token);
  const token = Buffer.from(`${instanceId}/${tx.random.uuid()}${tx.random.uuid()}`).toString("base64url");
  tx.put("metadataTokens", token, { token, instanceId, expiresMs: tx.nowMs + ttl * 1000 });
  return { status: 200, body: token };
}

/** Whether the request may be answered: with a good token always, without one unless the instance requires it. */
export function tokenAccepted(tx: Transaction, instanceId: string, required: boolean, token: string | undefined): boolean {
  if (token === undefined) return !required;
  const known = tx.state.table("metadataTokens").get(token);
  return known !== undefined && known.instanceId === instanceId && known.expiresMs > tx.nowMs;
}
