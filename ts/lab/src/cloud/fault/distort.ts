import type { Body } from "../operation/operation.ts";
import type { FaultEffect } from "./effect.ts";

/** What faults do to the body of an answer that is otherwise right. */
export function distort(action: string, body: Body, effects: readonly FaultEffect[]): Body {
  return effects.reduce((current, effect) => distortOnce(action, current, effect), body);
}

function distortOnce(action: string, body: Body, effect: FaultEffect): Body {
  switch (effect.type) {
    case "omit-field":
      return { ...body, [effect.field]: "" };
    case "empty-list":
      return mapList(body, () => []);
    case "hide":
      return mapList(body, (items) =>
        items.filter(
          (item) => !(effect.statuses?.includes(String(item.Status)) || effect.eniIds?.includes(String(item.NetworkInterfaceId))),
        ),
      );
    case "page":
      return mapList(body, (items) => (effect.fault === "skip-first" ? items.slice(1) : [...items.slice(0, 1), ...items]));
    case "odd-shapes":
      return mapList({ ...body, Surprise: { New: true } }, (items) => items.map((item) => odd(item, effect.status)));
    case "answer-used-address":
      return action.startsWith("Assign") ? withUsedAddress(body, effect.address) : body;
    default:
      return body;
  }
}

/** Lists are wrapped twice: `NetworkInterfaceSets.NetworkInterfaceSet[]`. */
function mapList(body: Body, change: (items: readonly Body[]) => readonly Body[]): Body {
  let found = false;
  const mapped = Object.entries(body).map(([name, value]) => {
    const inner = found ? undefined : objectListOf(value);
    if (inner === undefined) return [name, value] as const;
    found = true;
    return [name, { [inner.name]: change(inner.items) }] as const;
  });
  return Object.fromEntries(mapped);
}

function objectListOf(value: unknown): { name: string; items: readonly Body[] } | undefined {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return undefined;
  for (const [name, list] of Object.entries(value)) {
    if (Array.isArray(list) && list.every((item): item is Body => typeof item === "object" && item !== null)) return { name, items: list };
  }
  return undefined;
}

function odd(item: Body, status: string | undefined): Body {
  const texts = Object.entries(item).map(([name, value]) => [name, typeof value === "number" ? String(value) : value]);
  return {
    ...Object.fromEntries(texts),
    BrandNewField: { Nested: [1] },
    ...(status === undefined || item.Status === undefined ? {} : { Status: status }),
  };
}

function withUsedAddress(body: Body, address = "10.255.255.1"): Body {
  const replace = (list: unknown) => (Array.isArray(list) && list.length > 0 ? [address, ...list.slice(1)] : list);
  const { AssignedPrivateIpAddressesSet: v4, Ipv6Sets: v6 } = body;
  if (isBody(v4) && isBody(v4.PrivateIpSet)) {
    return {
      ...body,
      AssignedPrivateIpAddressesSet: { ...v4, PrivateIpSet: { PrivateIpAddress: replace(v4.PrivateIpSet.PrivateIpAddress) } },
    };
  }
  return isBody(v6) ? { ...body, Ipv6Sets: { Ipv6Address: replace(v6.Ipv6Address) } } : body;
}

function isBody(value: unknown): value is Body {
  return typeof value === "object" && value !== null;
}
