import { ApiError } from "./api-error.ts";
import type { KubeClient } from "./client.ts";
import { pathOf, type Resource } from "./resource.ts";

export interface ObjectRef {
  readonly resource: Resource;
  readonly namespace?: string;
  readonly name: string;
  /** `status` and others. */
  readonly subresource?: string;
}

function refPath({ resource, namespace, name, subresource }: ObjectRef): string {
  const path = pathOf(resource, namespace, name);
  return subresource === undefined ? path : `${path}/${subresource}`;
}

/**
 * Server-side apply: the fields of `body` become ours, those that we had and left out go. With `force` fields that others own are taken over.
 * A patch without its content type would be read as a JSON patch.
 */
export function apply(
  client: KubeClient,
  ref: ObjectRef,
  body: object,
  options: { fieldManager: string; force?: boolean },
): Promise<unknown> {
  const { apiVersion, kind } = ref.resource;
  const metadata = {
    name: ref.name,
    ...(ref.namespace === undefined ? {} : { namespace: ref.namespace }),
    ...Reflect.get(body, "metadata"),
  };
  return client.call({
    method: "PATCH",
    path: refPath(ref),
    query: { fieldManager: options.fieldManager, force: options.force ?? false },
    // JSON is YAML.
    contentType: "application/apply-patch+yaml",
    body: { apiVersion, kind, ...body, metadata },
  });
}

/** JSON merge patch (RFC 7396): for annotations and labels, where null removes. */
export function mergePatch(client: KubeClient, ref: ObjectRef, patch: object, fieldManager: string): Promise<unknown> {
  return client.call({
    method: "PATCH",
    path: refPath(ref),
    query: { fieldManager },
    contentType: "application/merge-patch+json",
    body: patch,
  });
}

/** Strategic merge patch: of lists with a key, such as a node's conditions, only the items named are changed. Not for custom resources. */
export function strategicMergePatch(client: KubeClient, ref: ObjectRef, patch: object, fieldManager: string): Promise<unknown> {
  return client.call({
    method: "PATCH",
    path: refPath(ref),
    query: { fieldManager },
    contentType: "application/strategic-merge-patch+json",
    body: patch,
  });
}

/** Undefined when there is no such object. */
export async function read(client: KubeClient, ref: ObjectRef, signal?: AbortSignal): Promise<unknown> {
  try {
    return await client.call({ method: "GET", path: refPath(ref), ...(signal === undefined ? {} : { signal }) });
  } catch (error) {
    if (error instanceof ApiError && error.status === 404) return undefined;
    throw error;
  }
}
