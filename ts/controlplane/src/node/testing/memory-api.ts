import { ApiError, type KubeClient, type KubeRequest } from "@terway/kube";

type Json = Readonly<Record<string, unknown>>;
interface Kept {
  readonly uid: string;
  version: number;
  /** What each field manager has applied, by subresource. Nothing here is owned twice, so the object is their sum. */
  readonly applied: Map<string, Json>;
}

/**
 * The API server as far as a controller's writes go, in memory: server-side apply with a manager's fields replaced as a whole, versions, conflicts. The
 * one difference to the real one is that owners do not share fields, which the real one's tests (tier cluster) are about.
 */
export class MemoryApi implements KubeClient {
  readonly #objects = new Map<string, Kept>();
  #version = 0;
  /** Called after each write with path and object. */
  onWrite: (path: string, object: Json) => void = () => {};
  /** Before each call; rejects in the place of the answer. `after`: the call has had its effect. */
  fault: ((request: KubeRequest, after: boolean) => Promise<void>) | undefined;
  writes = 0;

  async call(request: KubeRequest): Promise<unknown> {
    await this.fault?.(request, false);
    const { method, path } = request;
    const [, base = path, subresource = ""] = /^(.*?)(?:\/(status))?$/.exec(path) ?? [];
    if (method === "GET") {
      const kept = this.#objects.get(base);
      if (kept === undefined) throw new ApiError(`GET ${path}`, 404);
      return this.#show(base, kept);
    }
    if (method !== "PATCH" || !request.contentType?.includes("apply-patch")) throw new ApiError(`${method} ${path}`, 405);
    const body = request.body as { metadata: { resourceVersion?: string; [key: string]: unknown } } & Json;
    const manager = `${subresource} ${String(request.query?.fieldManager)}`;
    let kept = this.#objects.get(base);
    const wanted = body.metadata.resourceVersion;
    if (kept === undefined && (subresource !== "" || wanted !== undefined)) throw new ApiError(`PATCH ${path}`, 404);
    if (kept !== undefined && wanted !== undefined && wanted !== String(kept.version))
      throw new ApiError(`PATCH ${path}`, 409, { reason: "Conflict" });
    this.writes += 1;
    this.#version += 1;
    kept ??= { uid: `uid-${this.#version}`, version: 0, applied: new Map() };
    this.#objects.set(base, kept);
    kept.version = this.#version;
    const { resourceVersion: _, ...metadata } = body.metadata;
    const copy = structuredClone(subresource === "" ? { ...body, metadata } : { status: body.status ?? {} });
    kept.applied.set(manager, copy as Json);
    const object = this.#show(base, kept);
    this.onWrite(base, object);
    await this.fault?.(request, true);
    return object;
  }

  async open(): Promise<never> {
    throw new ApiError("watch", 405);
  }

  get(path: string): Json | undefined {
    const kept = this.#objects.get(path);
    return kept && this.#show(path, kept);
  }

  delete(path: string): void {
    this.#objects.delete(path);
  }

  #show(path: string, { uid, version, applied }: Kept): Json {
    const object: Record<string, unknown> = {};
    for (const part of applied.values()) merge(object, part);
    merge(object, { metadata: { name: path.slice(path.lastIndexOf("/") + 1), uid, resourceVersion: String(version) } });
    return object;
  }
}

function merge(into: Record<string, unknown>, from: Json): void {
  for (const [key, value] of Object.entries(from)) {
    if (typeof value !== "object" || value === null || Array.isArray(value)) {
      into[key] = value;
      continue;
    }
    const below = (into[key] ?? {}) as Record<string, unknown>;
    into[key] = below;
    merge(below, value as Json);
  }
}
