import { z } from "zod";
import type { AccessKey, RamRole } from "../records.ts";
import { AdminError, adminCommand } from "./command.ts";

const oneOrMany = z.union([z.string(), z.array(z.string())]);

export const policySchema = z.object({
  Version: z.string().default("1"),
  Statement: z.array(z.object({ Effect: z.enum(["Allow", "Deny"]), Action: oneOrMany, Resource: oneOrMany.default("*") })),
});

/** Makes a key, or replaces the one with this id. Without policies it may do everything. */
export const putAccessKey = adminCommand({
  name: "putAccessKey",
  about: "a key, or another secret, status, policy for it; without `policies` it may do everything",
  schema: z.strictObject({
    id: z.string().min(1),
    secret: z.string().min(1),
    status: z.enum(["Active", "Inactive"]).default("Active"),
    /** Name of the RAM user; absent: the account itself. */
    user: z.string().optional(),
    policies: z.array(policySchema).optional(),
    securityToken: z.string().optional(),
    expiresMs: z.number().optional(),
  }),
  run(tx, { id, secret, status, user, policies, securityToken, expiresMs }): AccessKey {
    const type = securityToken !== undefined ? "AssumedRoleUser" : user === undefined ? "Account" : "SubUser";
    const key: AccessKey = {
      id,
      secret,
      status,
      principal: { type, name: user ?? "root" },
      ...(policies === undefined ? {} : { policies }),
      ...(securityToken === undefined ? {} : { securityToken }),
      ...(expiresMs === undefined ? {} : { expiresMs }),
    };
    tx.put("accessKeys", id, key);
    return key;
  },
});

export const deleteAccessKey = adminCommand({
  name: "deleteAccessKey",
  about: "the key is unknown from now on",
  schema: z.strictObject({ id: z.string() }),
  run(tx, { id }): { readonly id: string } {
    if (!tx.state.table("accessKeys").has(id)) throw new AdminError(`there is no access key ${id}`);
    tx.remove("accessKeys", id);
    return { id };
  },
});

/** A RAM role that instances can carry; the metadata service hands out its credentials. */
export const putRole = adminCommand({
  name: "putRole",
  about: "a RAM role that metadata hands out credentials of",
  schema: z.strictObject({
    name: z.string().min(1),
    policies: z.array(policySchema).optional(),
    sessionMs: z
      .number()
      .positive()
      .default(6 * 3600_000),
  }),
  run(tx, { name, policies, sessionMs }): RamRole {
    const role: RamRole = { name, sessionMs, ...(policies === undefined ? {} : { policies }) };
    tx.put("roles", name, role);
    // Credentials that are out already follow the role's policies, as in RAM.
    for (const key of tx.state.table("accessKeys").values()) {
      if (key.principal.type !== "AssumedRoleUser" || key.principal.name !== name) continue;
      const { policies: before, ...rest } = key;
      tx.put("accessKeys", key.id, policies === undefined ? rest : { ...rest, policies });
    }
    return role;
  },
});
