/** A kind of object as the API's paths name it. */
export interface Resource {
  /** `v1`, `apps/v1`, `network.alibabacloud.com/v1beta1`. */
  readonly apiVersion: string;
  /** `pods`, in lower case. */
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

/** Metadata that the runtime itself needs; whoever prunes keeps it. */
export interface ObjectMeta {
  readonly name: string;
  /** Absent for objects of the cluster. */
  readonly namespace?: string;
  readonly uid: string;
  readonly resourceVersion: string;
}

/** An object in a store: what is left of it after pruning. */
export interface Stored {
  readonly metadata: ObjectMeta;
}

/** The path of all objects, of those of a namespace, or of one. */
export function pathOf({ apiVersion, plural, namespaced }: Resource, namespace?: string, name?: string): string {
  const root = apiVersion.includes("/") ? `/apis/${apiVersion}` : `/api/${apiVersion}`;
  const within = namespaced && namespace !== undefined ? `/namespaces/${encodeURIComponent(namespace)}` : "";
  return `${root}${within}/${plural}${name === undefined ? "" : `/${encodeURIComponent(name)}`}`;
}

/** `namespace/name`, or the name alone. */
export function keyOf({ metadata: { namespace, name } }: Stored): string {
  return namespace === undefined ? name : `${namespace}/${name}`;
}
