import { Ajv } from "ajv";
import { describe, expect, test } from "vitest";
import { customResourceDefinitions, versionAnnotation } from "./definition.ts";

type Node = { readonly [key: string]: unknown };

const definitions = customResourceDefinitions();
const isNode = (value: unknown): value is Node => typeof value === "object" && value !== null && !Array.isArray(value);

function schemaOf(plural: string): Node {
  const found = definitions.find((definition) => definition.metadata.name === `${plural}.network.alibabacloud.com`);
  const version = found?.spec.versions[0];
  if (version === undefined) throw new Error(`no definition of ${plural}`);
  return version.schema.openAPIV3Schema;
}

const validator = (plural: string) => new Ajv({ strict: false, validateFormats: false }).compile(schemaOf(plural));

/** Upstream's values at the reference's commit: a lower one, and its control plane would put its own schema in place of ours. */
test("definitions are as new as upstream's", () => {
  const versions = Object.fromEntries(
    definitions.map(({ metadata }) => [metadata.name.split(".")[0], metadata.annotations[versionAnnotation]]),
  );
  expect(versions).toEqual({
    podenis: "v0.4.2",
    podnetworkings: "v0.1.0",
    nodes: "v0.10.0",
    noderuntimes: "v0.1.0",
    networkinterfaces: "v0.1.0",
  });
});

describe("structural, as the API server demands", () => {
  const allowed = new Set(
    "type properties required items additionalProperties enum default description format minimum x-kubernetes-map-type x-kubernetes-list-type".split(
      " ",
    ),
  );
  function check(node: unknown, path: string): string[] {
    if (!isNode(node)) return [`${path}: is no schema`];
    const problems = Object.keys(node).flatMap((key) => (allowed.has(key) ? [] : [`${path}: ${key}`]));
    if (typeof node.type !== "string") problems.push(`${path}: has no type`);
    const properties = isNode(node.properties) ? node.properties : {};
    for (const [name, property] of Object.entries(properties)) problems.push(...check(property, `${path}.${name}`));
    for (const name of Array.isArray(node.required) ? node.required : [])
      if (!(String(name) in properties)) problems.push(`${path}: requires ${name}`);
    if (node.items !== undefined) problems.push(...check(node.items, `${path}[]`));
    if (node.additionalProperties !== undefined) problems.push(...check(node.additionalProperties, `${path}{}`));
    return problems;
  }

  test.each(["podenis", "podnetworkings", "nodes", "noderuntimes", "networkinterfaces"])("%s", (plural) => {
    expect(check(schemaOf(plural), plural)).toEqual([]);
  });
});

describe("objects as upstream writes them", () => {
  const nic = {
    ...{ id: "eni-1", status: "InUse", macAddress: "00:16:3e:00:00:01", vSwitchID: "vsw-1", networkInterfaceType: "Secondary" },
    networkInterfaceTrafficMode: "Standard",
    ipv4: { "10.0.0.2": { ip: "10.0.0.2", primary: true, status: "Valid" } },
    ipv4Prefix: [{ prefix: "10.0.1.0/28", status: "Frozen", frozenExpireAt: "2026-01-01T00:00:00Z" }],
  };
  const eni = { vSwitchOptions: ["vsw-1"], securityGroupIDs: ["sg-1"], vSwitchSelectPolicy: "most", enableIPv4: true };
  test.each([
    [
      "podenis",
      {
        spec: {
          allocations: [
            {
              eni: { id: "eni-1", attachmentOptions: { trunk: true } },
              ipv4: "10.0.0.1",
              allocationType: { type: "Fixed", releaseStrategy: "Never" },
            },
          ],
        },
        status: { phase: "Bind", eniInfos: { "eni-1": { id: "eni-1", type: "Member", vid: 7, status: "Bind" } } },
      },
    ],
    ["podenis", {}],
    [
      "podnetworkings",
      {
        spec: {
          selector: { podSelector: { matchExpressions: [{ key: "a", operator: "In", values: ["b"] }] } },
          securityGroupIDs: ["sg-1"],
        },
      },
    ],
    [
      "nodes",
      {
        spec: { eni, flavor: [{ networkInterfaceType: "Trunk", networkInterfaceTrafficMode: "Standard", count: 1 }] },
        status: { networkInterfaces: { "eni-1": nic } },
      },
    ],
    [
      "noderuntimes",
      {
        spec: {},
        status: { pods: { "a-uid": { podID: "default/web", status: { deleted: { lastUpdateTime: "2026-01-01T00:00:00Z" } } } } },
      },
    ],
    [
      "networkinterfaces",
      {
        spec: { podENIRef: { kind: "Pod", namespace: "a", name: "b" }, managePolicy: { cache: true } },
        status: { phase: "Unbind", eniInfo: {} },
      },
    ],
  ])("%s %#: accepted", (plural, object) => {
    const validate = validator(plural);
    expect({ ok: validate(object), errors: validate.errors }).toEqual({ ok: true, errors: null });
  });

  test.each([
    ["an unknown type of allocation", "podenis", { spec: { allocations: [{ allocationType: { type: "Rigid" } }] } }],
    ["a node's ENI without its groups", "nodes", { spec: { eni: { ...eni, securityGroupIDs: undefined } } }],
    ["a negative pool", "nodes", { spec: { pool: { maxPoolSize: -1 } } }],
    [
      "a flavour without count",
      "nodes",
      { spec: { flavor: [{ networkInterfaceType: "Trunk", networkInterfaceTrafficMode: "Standard" }] } },
    ],
    ["a status without its ENI", "networkinterfaces", { status: { phase: "Bind" } }],
    ["an ENI type in lower case", "podnetworkings", { spec: { eniOptions: { eniType: "trunk" } } }],
  ])("%s is refused", (_, plural, object) => {
    expect(validator(plural)(JSON.parse(JSON.stringify(object)))).toBe(false);
  });
});
