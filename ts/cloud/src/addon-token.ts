import { createDecipheriv } from "node:crypto";
import { z } from "zod";

const fileSchema = z.object({
  "access.key.id": z.string(),
  "access.key.secret": z.string(),
  "security.token": z.string(),
  expiration: z.string(),
  keyring: z.string(),
});

export interface AddonToken {
  readonly accessKeyId: string;
  readonly accessKeySecret: string;
  readonly securityToken: string;
  readonly expiresAtMs: number;
}

/**
 * Reads `addon.token.config`, the short-lived credentials that the managed control plane puts into a cluster: JSON whose three values are
 * base64 of an initialization vector of 16 bytes and AES-CBC text, with the key in the same file (so it hides them from a glance, no more).
 */
export function readAddonToken(text: string): { ok: true; credentials: AddonToken } | { ok: false; problem: string } {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch {
    return { ok: false, problem: "is no JSON" };
  }
  const file = fileSchema.safeParse(json);
  if (!file.success) return { ok: false, problem: `lacks ${file.error.issues.map((issue) => `\`${issue.path.join(".")}\``).join(", ")}` };
  const expiresAtMs = Date.parse(file.data.expiration);
  if (Number.isNaN(expiresAtMs)) return { ok: false, problem: "`expiration` is no time" };
  const accessKeyId = decrypt(file.data["access.key.id"], file.data.keyring);
  const accessKeySecret = decrypt(file.data["access.key.secret"], file.data.keyring);
  const securityToken = decrypt(file.data["security.token"], file.data.keyring);
  if (accessKeyId === undefined || accessKeySecret === undefined || securityToken === undefined) {
    return { ok: false, problem: "cannot be decrypted with the `keyring` in it" };
  }
  return { ok: true, credentials: { accessKeyId, accessKeySecret, securityToken, expiresAtMs } };
}

function decrypt(base64: string, keyring: string): string | undefined {
  const key = Buffer.from(keyring);
  const data = Buffer.from(base64, "base64");
  if (![16, 24, 32].includes(key.length) || data.length < 32) return undefined;
  try {
    const decipher = createDecipheriv(`aes-${key.length * 8}-cbc`, key, data.subarray(0, 16));
    return Buffer.concat([decipher.update(data.subarray(16)), decipher.final()]).toString("utf8");
  } catch {
    return undefined;
  }
}
