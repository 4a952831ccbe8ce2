import { nearest, WrongConfiguration } from "@terway/model";
import type { Controller } from "./controller.ts";
import type { ControllerParts } from "./parts.ts";

/** Every name that `controllers` of the configuration may hold. */
const controllerNames = ["pod", "pod-eni", "pod-networking", "eni", "node", "multi-ip-node", "multi-ip-pod"] as const;
export type ControllerName = (typeof controllerNames)[number];

export interface ControllerEntry {
  readonly name: ControllerName;
  /** Whether it runs when the configuration does not speak of it. */
  readonly byDefault: boolean;
  readonly open: (parts: ControllerParts) => Controller;
}

/** The entries that the tokens select: `name`, `-name`, `*`, the first that speaks of one decides. Throws {@link WrongConfiguration} for unknown names. */
export function selectControllers<T extends Pick<ControllerEntry, "name" | "byDefault">>(
  entries: readonly T[],
  tokens: readonly string[],
): readonly T[] {
  const unknown = tokens.filter((token) => token !== "*" && !controllerNames.some((name) => token === name || token === `-${name}`));
  if (unknown.length > 0) {
    throw new WrongConfiguration(
      unknown.map((token) => {
        const near = nearest(token.replace(/^-/, ""), controllerNames);
        const hint = near === undefined ? `there are ${controllerNames.join(", ")}` : `did you mean ${near}?`;
        return `controllers: ${JSON.stringify(token)} is no controller; ${hint}`;
      }),
    );
  }
  return entries.filter(({ name, byDefault }) => {
    const decides = tokens.find((token) => token === "*" || token === name || token === `-${name}`);
    return decides === undefined ? byDefault : !decides.startsWith("-");
  });
}
