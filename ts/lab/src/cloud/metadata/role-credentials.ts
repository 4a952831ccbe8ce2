import type { AccessKey } from "../records.ts";
import { renderTime } from "../render-eni.ts";
import { randomBits } from "../seeded-random.ts";
import type { Transaction } from "../transaction.ts";

/** The credentials of a role as the metadata service writes them, or undefined when there is no such role. New ones are made in the last half of the old ones' life. */
export function roleCredentials(tx: Transaction, roleName: string): string | undefined {
  const role = tx.state.table("roles").get(roleName);
  if (role === undefined) return undefined;
  const good = [...tx.state.table("accessKeys").values()].find(
    (key) =>
      key.principal.type === "AssumedRoleUser" && key.principal.name === roleName && (key.expiresMs ?? 0) - tx.nowMs > role.sessionMs / 2,
  );
  const key = good ?? issue(tx, roleName, role.sessionMs);
  const { id, secret, securityToken = "", expiresMs = 0 } = key;
  return JSON.stringify({
    AccessKeyId: id,
    AccessKeySecret: secret,
    Expiration: renderTime(expiresMs),
    SecurityToken: securityToken,
    LastUpdated: renderTime(expiresMs - role.sessionMs),
    Code: "Success",
  });
}

function issue(tx: Transaction, roleName: string, sessionMs: number): AccessKey {
  const text = (bits: number) => randomBits(tx.random, bits).toString(36);
  const policies = tx.state.table("roles").get(roleName)?.policies;
  const key: AccessKey = {
    id: `STS.N${text(128)}`,
    secret: text(224),
    status: "Active",
    principal: { type: "AssumedRoleUser", name: roleName },
    ...(policies === undefined ? {} : { policies }),
    securityToken: `CAIS${text(512)}`,
    expiresMs: tx.nowMs + sessionMs,
  };
  tx.put("accessKeys", key.id, key);
  return key;
}
