import { z } from "zod";
import { apiGroup, openMark, optionalMark } from "./field.ts";
import { networkInterfaceSchema } from "./network-interface.ts";
import { nodeResourceSchema } from "./node.ts";
import { nodeRuntimeSchema } from "./node-runtime.ts";
import { podEniSchema } from "./pod-eni.ts";
import { podNetworkingSchema } from "./pod-networking.ts";

/** Annotation by which Terway's control plane decides whether a definition is older than its own; an equal or later one it leaves alone. */
export const versionAnnotation = "crd.network.alibabacloud.com/version";

interface Definition {
  readonly kind: string;
  readonly plural: string;
  readonly scope: "Namespaced" | "Cluster";
  /** Terway's own, see {@link versionAnnotation}. */
  readonly version: string;
  readonly schema: z.ZodObject;
  readonly columns?: readonly { readonly name: string; readonly type: string; readonly jsonPath: string }[];
}

const column = (name: string, jsonPath: string) => ({ name, type: "string", jsonPath });

const definitions: readonly Definition[] = [
  { kind: "PodENI", plural: "podenis", scope: "Namespaced", version: "v0.4.2", schema: podEniSchema },
  { kind: "PodNetworking", plural: "podnetworkings", scope: "Cluster", version: "v0.1.0", schema: podNetworkingSchema },
  { kind: "Node", plural: "nodes", scope: "Cluster", version: "v0.10.0", schema: nodeResourceSchema },
  { kind: "NodeRuntime", plural: "noderuntimes", scope: "Cluster", version: "v0.1.0", schema: nodeRuntimeSchema },
  {
    kind: "NetworkInterface",
    plural: "networkinterfaces",
    scope: "Cluster",
    version: "v0.1.0",
    schema: networkInterfaceSchema,
    columns: [
      column("Phase", ".status.phase"),
      column("InstanceID", ".status.instanceID"),
      column("TrunkENIID", ".status.trunkENIID"),
      column("NodeName", ".status.nodeName"),
      column("PodNamespace", ".spec.podENIRef.namespace"),
      column("PodName", ".spec.podENIRef.name"),
      column("Type", ".status.eniInfo.type"),
    ],
  },
];

type Json = string | number | boolean | null | readonly Json[] | { readonly [key: string]: Json };
type JsonObject = { readonly [key: string]: Json };

export interface CustomResourceDefinition {
  readonly apiVersion: "apiextensions.k8s.io/v1";
  readonly kind: "CustomResourceDefinition";
  readonly metadata: { readonly name: string; readonly annotations: Readonly<Record<string, string>> };
  readonly spec: {
    readonly group: string;
    readonly names: JsonObject;
    readonly scope: string;
    readonly versions: readonly { readonly name: string; readonly schema: { readonly openAPIV3Schema: JsonObject } }[];
  };
}

/**
 * The CustomResourceDefinitions of the group, ready to be applied. Made from the schemas with which objects are read, with two differences: what only
 * our reader insists on is optional, and the forms of strings (MAC, CIDR, lengths) are left out, because upstream's definitions do not have them and an
 * object that upstream wrote must stay writable.
 */
export function customResourceDefinitions(): readonly CustomResourceDefinition[] {
  return definitions.map(({ kind, plural, scope, version, schema, columns }) => ({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${apiGroup}`, annotations: { [versionAnnotation]: version } },
    spec: {
      group: apiGroup,
      names: { kind, listKind: `${kind}List`, plural, singular: kind.toLowerCase() },
      scope,
      versions: [
        {
          name: "v1beta1",
          served: true,
          storage: true,
          subresources: { status: {} },
          ...(columns === undefined ? {} : { additionalPrinterColumns: columns.map((one) => ({ ...one })) }),
          schema: { openAPIV3Schema: structuralSchema(schema) },
        },
      ],
    },
  }));
}

function structuralSchema(schema: z.ZodObject): JsonObject {
  const json = z.toJSONSchema(schema, { io: "input", target: "openapi-3.0", unrepresentable: "throw" });
  // What zod gives is JSON by its own definition; its type allows `undefined` too.
  const { properties, required, type } = structural(json as Json) as { properties: JsonObject; required: readonly string[]; type: string };
  const own = { apiVersion: { type: "string" }, kind: { type: "string" }, metadata: { type: "object" } };
  const needed = required.filter((name) => !(name in own));
  return { type, properties: { ...properties, ...own }, ...(needed.length > 0 ? { required: needed } : {}) };
}

/** Of JSON Schema to what the API server takes: https://kubernetes.io/docs/tasks/extend-kubernetes/custom-resources/custom-resource-definitions/ */
const dropped = new Set([
  ...["$schema", "additionalProperties", "maxLength", "maximum", "minLength", "minimum", "pattern", "propertyNames", "required"],
  ...[openMark, optionalMark],
]);

function structural(node: Json): Json {
  if (!isObject(node)) return node;
  const kept = Object.fromEntries(Object.entries(node).filter(([name]) => !dropped.has(name) && !(name === "enum" && openMark in node)));
  const properties = isObject(node.properties) ? node.properties : undefined;
  const required = Array.isArray(node.required)
    ? node.required.filter((name): name is string => typeof name === "string" && !marked(properties?.[name]))
    : [];
  return {
    ...kept,
    ...(node.minimum === 0 ? { minimum: 0 } : {}),
    ...(properties === undefined ? {} : { properties: mapValues(properties, structural) }),
    ...(node.items === undefined ? {} : { items: structural(node.items) }),
    ...(isObject(node.additionalProperties) ? { additionalProperties: structural(node.additionalProperties) } : {}),
    ...(required.length > 0 ? { required } : {}),
  };
}

function marked(node: Json | undefined): boolean {
  return isObject(node) && node[optionalMark] === true;
}

function isObject(node: Json | undefined): node is JsonObject {
  return typeof node === "object" && node !== null && !Array.isArray(node);
}

function mapValues(object: JsonObject, change: (value: Json) => Json): JsonObject {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [key, change(value)]));
}
