import { strike } from "../fault/strike.ts";
import { familyOf } from "../ip.ts";
import type { Instance, NetworkInterface } from "../records.ts";
import type { CloudState } from "../state.ts";
import type { Transaction } from "../transaction.ts";
import type { PastStates } from "../view.ts";
import { roleCredentials } from "./role-credentials.ts";
import { issueToken, tokenAccepted } from "./token.ts";
import { lookUp, metadataTree } from "./tree.ts";

export interface MetadataRequest {
  readonly method: string;
  readonly path: string;
  /** Lower-case names. `x-sim-instance` names the asking instance, for tests without the fabric. */
  readonly headers: Readonly<Record<string, string>>;
  /** Where the connection comes from: the instance's primary address. */
  readonly sourceAddress: string;
}

export interface MetadataAnswer {
  readonly status: number;
  readonly body: string;
  readonly contentType: string;
  readonly reset: boolean;
  readonly delayMs: number;
  readonly instanceId?: string;
  readonly faults: readonly string[];
}

const root = "/latest/meta-data";

export function handleMetadata(tx: Transaction, past: PastStates, request: MetadataRequest): MetadataAnswer {
  const instance = askingInstance(tx.state, request);
  if (instance === undefined) return page(404, undefined, []);
  const { ids, effects } = strike(tx, { action: "metadata", instanceId: instance.id, path: request.path, parameters: {} });
  const broken = effects.find((effect) => effect.type === "metadata-error");
  const delayMs = effects.reduce((sum, effect) => (effect.type === "delay" ? sum + effect.ms : sum), 0);
  const reset = effects.some((effect) => effect.type === "reset");
  if (broken !== undefined || reset) return { ...page(broken?.status ?? 0, instance.id, ids), reset, delayMs };
  const stale = effects.reduce(
    (lag, effect) => (effect.type === "stale" ? Math.max(lag, effect.lagMs) : lag),
    tx.state.settings.metadataLagMs,
  );
  const hide = effects.filter((effect) => effect.type === "metadata-hide");
  const hidden = (eni: NetworkInterface) =>
    hide.some(({ eniIds }) => (eniIds === undefined ? eni.type !== "Primary" : eniIds.includes(eni.id)));
  return { ...answer(tx, past.view(tx.state, tx.nowMs, stale), instance, request, hidden), delayMs, faults: ids };
}

function answer(
  tx: Transaction,
  view: CloudState,
  instance: Instance,
  request: MetadataRequest,
  hidden: (eni: NetworkInterface) => boolean,
): MetadataAnswer {
  const path = request.path.replace(/\/+$/, "");
  if (request.method === "PUT") {
    if (path !== "/latest/api/token") return page(405, instance.id, []);
    const token = issueToken(tx, instance.id, request.headers);
    return token.status === 200 ? text(token.body, instance.id) : page(token.status, instance.id, []);
  }
  if (request.method !== "GET") return page(405, instance.id, []);
  if (!tokenAccepted(tx, instance.id, instance.metadataTokenRequired, request.headers["x-aliyun-ecs-metadata-token"]))
    return page(401, instance.id, []);
  if (path === "" || path === "/latest") return text(path === "" ? "latest/" : "dynamic/\nmeta-data/\nuser-data", instance.id);
  if (path === "/latest/dynamic/instance-identity/document") return text(identityDocument(view, instance), instance.id);
  if (path !== root && !path.startsWith(`${root}/`)) return page(404, instance.id, []);
  const names = path.slice(root.length).split("/").filter(Boolean);
  const found = lookUp(metadataTree(view, instance, hidden), names);
  if (found === undefined) return page(404, instance.id, []);
  const [first, second, role] = names;
  if (first === "ram" && second === "security-credentials" && role !== undefined) {
    const credentials = roleCredentials(tx, role);
    return credentials === undefined ? page(404, instance.id, []) : text(credentials, instance.id);
  }
  return text(found, instance.id);
}

function askingInstance(state: CloudState, { headers, sourceAddress }: MetadataRequest): Instance | undefined {
  const named = headers["x-sim-instance"];
  if (named !== undefined) return state.instances.get(named);
  const address = familyOf(sourceAddress) === "ipv6" ? sourceAddress.replace(/^::ffff:/i, "") : sourceAddress;
  for (const instance of state.instances.values()) if (state.enis.get(instance.primaryEniId)?.primaryIpv4 === address) return instance;
  return undefined;
}

function identityDocument(view: CloudState, instance: Instance): string {
  const primary = view.enis.get(instance.primaryEniId);
  return JSON.stringify({
    "owner-account-id": view.settings.accountId,
    "instance-id": instance.id,
    mac: primary?.mac,
    "region-id": view.settings.regionId,
    "serial-number": instance.id,
    "zone-id": instance.zoneId,
    "instance-type": instance.type,
    "private-ipv4": primary?.primaryIpv4,
  });
}

function text(body: string, instanceId: string): MetadataAnswer {
  return { status: 200, body, contentType: "text/plain; charset=utf-8", reset: false, delayMs: 0, instanceId, faults: [] };
}

const titles: Readonly<Record<number, string>> = {
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  405: "Method Not Allowed",
  429: "Too Many Requests",
};

/** Errors come as a page for people. */
function page(status: number, instanceId: string | undefined, faults: readonly string[]): MetadataAnswer {
  const title = `${status} - ${titles[status] ?? "Error"}`;
  const body = `<?xml version="1.0" encoding="iso-8859-1"?>\n<html xmlns="http://www.w3.org/1999/xhtml" xml:lang="en" lang="en">\n <head>\n  <title>${title}</title>\n </head>\n <body>\n  <h1>${title}</h1>\n </body>\n</html>\n`;
  return { status, body, contentType: "text/html", reset: false, delayMs: 0, ...(instanceId === undefined ? {} : { instanceId }), faults };
}
