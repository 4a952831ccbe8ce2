import { ApiError, type KubeClient, mergePatch, type ObjectRef, pathOf, type Resource } from "@terway/kube";

const fieldManager = "terway-controlplane";

interface Observed {
  readonly metadata: { readonly namespace?: string; readonly name: string; readonly uid: string; readonly resourceVersion: string };
}

const refOf = (resource: Resource, { metadata: { namespace, name } }: Observed): ObjectRef => ({
  resource,
  name,
  ...(namespace === undefined ? {} : { namespace }),
});

/** Changes an object as it was observed; null removes. Rejects with a conflict when it is another one by now. */
export function patch(
  client: KubeClient,
  resource: Resource,
  observed: Observed,
  change: { readonly metadata?: object; readonly spec?: object },
) {
  const metadata = { ...change.metadata, resourceVersion: observed.metadata.resourceVersion };
  return mergePatch(client, refOf(resource, observed), { ...change, metadata }, fieldManager);
}

/** As {@link patch}, of the status. */
export function patchStatus(client: KubeClient, resource: Resource, observed: Observed, status: object) {
  const { resourceVersion } = observed.metadata;
  return mergePatch(
    client,
    { ...refOf(resource, observed), subresource: "status" },
    { metadata: { resourceVersion }, status },
    fieldManager,
  );
}

interface NewObject {
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly labels?: Readonly<Record<string, string>>;
    readonly annotations?: Readonly<Record<string, string>>;
    readonly finalizers?: readonly string[];
  };
  readonly spec: object;
}

/** False when there is one of that name. */
export async function create(client: KubeClient, resource: Resource, object: NewObject): Promise<boolean> {
  const { apiVersion, kind } = resource;
  try {
    await client.call({
      method: "POST",
      path: pathOf(resource, object.metadata.namespace),
      query: { fieldManager },
      body: { apiVersion, kind, ...object },
    });
    return true;
  } catch (error) {
    if (error instanceof ApiError && error.status === 409) return false;
    throw error;
  }
}

/** Deletes this very object, never a later one of its name; with `unchanged` only as it was observed, or it rejects with a conflict. */
export async function remove(client: KubeClient, resource: Resource, observed: Observed, unchanged = false): Promise<void> {
  const { namespace, name, uid, resourceVersion } = observed.metadata;
  try {
    await client.call({
      method: "DELETE",
      path: pathOf(resource, namespace, name),
      body: { preconditions: { uid, ...(unchanged ? { resourceVersion } : {}) } },
    });
  } catch (error) {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
  }
}

/** Takes away our finalizers, so that an object that is being deleted goes. */
export async function releaseFinalizers(
  client: KubeClient,
  resource: Resource,
  observed: Observed & { readonly metadata: { readonly finalizers?: readonly string[] | undefined } },
  ours: readonly string[],
): Promise<void> {
  const left = (observed.metadata.finalizers ?? []).filter((name) => !ours.includes(name));
  if (left.length === (observed.metadata.finalizers ?? []).length) return;
  await patch(client, resource, observed, { metadata: { finalizers: left } }).catch((error: unknown) => {
    if (!(error instanceof ApiError && error.status === 404)) throw error;
  });
}
