import { z } from "zod";
import { catalogue, catalogueNumbers } from "../fault/catalogue.ts";
import { faultEffectSchema } from "../fault/effect.ts";
import { type FaultRule, faultMatchSchema } from "../fault/rule.ts";
import { patchSettings, type Settings, settingsPatchSchema } from "../settings.ts";
import { AdminError, adminCommand } from "./command.ts";

export const setSettings = adminCommand({
  name: "setSettings",
  about: "changes settings; `delays` may be `instant`, `fast` or `realistic`",
  schema: settingsPatchSchema,
  run(tx, patch): Settings {
    const settings = patchSettings(tx.state.settings, patch);
    tx.put("settings", "current", settings);
    return settings;
  },
});

/**
 * Sets a fault by its number or name in the catalogue, or by an effect of one's own. `match` narrows the catalogue's choice of calls.
 * Answers the rules made; their counters tell whether the fault struck.
 */
export const setFault = adminCommand({
  name: "setFault",
  about: "a fault of the catalogue by number or name, or an own `effect`; `match` narrows the calls, `value` is the fault's figure",
  schema: z.strictObject({
    id: z.string().optional(),
    fault: z.string().optional(),
    match: faultMatchSchema.default({}),
    effect: faultEffectSchema.optional(),
    /** The figure of the fault where it has one: milliseconds, count, lag. */
    value: z.number().optional(),
  }),
  run(tx, { id, fault, match, effect, value }): readonly FaultRule[] {
    const made = fault === undefined ? undefined : catalogue(fault, value);
    if (fault !== undefined && made === undefined)
      throw new AdminError(`unknown fault ${fault}; known are ${catalogueNumbers().join(", ")}`);
    const templates = made ?? (effect === undefined ? undefined : [{ match: {}, effect }]);
    if (templates === undefined) throw new AdminError("give a fault of the catalogue or an effect");
    return templates.map((template, index) => {
      const base = id ?? `${fault ?? template.effect.type}-${tx.random.uuid().slice(0, 8)}`;
      const rule: FaultRule = {
        id: index === 0 ? base : `${base}-${index + 1}`,
        ...(fault === undefined ? {} : { fault }),
        match: { ...template.match, ...match },
        effect: effect ?? template.effect,
        seen: 0,
        struck: 0,
      };
      tx.put("faults", rule.id, rule);
      return rule;
    });
  },
});

/** Removes one rule, all rules of one fault, or all. Answers what was removed, with its counters. */
export const clearFaults = adminCommand({
  name: "clearFaults",
  about: "one rule (`id`), those of one fault (`fault`), or all; answers them with their counters",
  schema: z.strictObject({ id: z.string().optional(), fault: z.string().optional() }),
  run(tx, { id, fault }): readonly FaultRule[] {
    const gone = [...tx.state.table("faults").values()].filter(
      (rule) => (id === undefined || rule.id === id) && (fault === undefined || rule.fault === fault),
    );
    for (const rule of gone) tx.remove("faults", rule.id);
    return gone;
  },
});
