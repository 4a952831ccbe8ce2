import { until } from "@terway/lab";
import { beforeEach, expect, test } from "vitest";
import { useInstallation } from "./installation.ts";
import { createAnnotatedPod, endPod, listInterfaces, podEniGone, podEniIn, readInterface } from "./objects.ts";

/** Members that wait on a node's trunk for the next pod of their kind. */
const installation = useInstallation({ warmMemberENIs: 1 });
const client = () => installation().client;
const podEnis = () => installation().region.podEnis();
let attempt = 0;
const own = (name: string) => `${name}-${attempt}`;

beforeEach(() => {
  attempt += 1;
});

const member = { "trunk-on": "true", "security-group-id": "sg-pods", "vswitch-id": "vsw-pods" };
const idOf = async (name: string) => (await podEniIn(client(), name, "Bind")).spec.allocations?.[0]?.eni.id ?? "";
const warmIds = async () => {
  const ids: string[] = [];
  for (const { id, status } of podEnis()) {
    const one = await readInterface(client(), id);
    if (status === "InUse" && one?.status?.phase === "Bind" && one.spec?.podENIRef === undefined) ids.push(id);
  }
  return ids;
};
const oneWarm = async (but: readonly string[] = []): Promise<string> => {
  let found: readonly string[] = [];
  await until("one member waits", 20_000, async () => {
    found = (await warmIds()).filter((id) => !but.includes(id));
    return found.length === 1 && (await warmIds()).length === 1;
  });
  return found[0] ?? "";
};

test("the next pod of its kind takes the member that waits, another one is made, and a pod of other groups leaves it alone", async () => {
  await createAnnotatedPod(client(), own("first"), "node-1", member);
  const first = await idOf(own("first"));
  const warm = await oneWarm();
  expect(warm).not.toBe(first);
  expect(podEnis().find(({ id }) => id === warm)).toMatchObject({
    type: "Member",
    instanceId: "i-1",
    securityGroupIds: ["sg-pods"],
  });
  await createAnnotatedPod(client(), own("second"), "node-1", member);
  expect(await idOf(own("second"))).toBe(warm);
  expect(await readInterface(client(), warm)).toMatchObject({ spec: { podENIRef: { name: own("second") } } });
  const next = await oneWarm([warm]);
  await createAnnotatedPod(client(), own("other"), "node-1", { ...member, "security-group-id": "sg-nodes" });
  expect(await idOf(own("other"))).not.toBe(next);
  // What it took goes with the pod, and what waits goes by nobody's hand.
  await endPod(client(), own("second"));
  await podEniGone(client(), own("second"));
  await until("its ENI is gone", 20_000, async () => podEnis().every(({ id }) => id !== warm));
  expect(await readInterface(client(), next)).toBeDefined();
  for (const name of ["first", "other"]) await endPod(client(), own(name));
}, 90_000);

/** Of an `ecs.g7.xlarge`. */
const limit = 16;

test("where pods need all that the trunk can carry, what waits gives way", async () => {
  const names = Array.from({ length: limit + 1 }, (_, index) => own(`many-${index}`));
  await Promise.all(names.map((name) => createAnnotatedPod(client(), name, "node-2", member)));
  const isBound = async () =>
    (await Promise.all(names.map(async (name) => ((await bound(name)) ? 1 : 0)))).reduce((sum: number, one) => sum + one, 0);
  await until("as many pods run as the trunk carries", 60_000, async () => (await isBound()) === limit);
  await Promise.all(names.map((name) => endPod(client(), name)));
  await until("nothing is left of the pods", 60_000, async () => (await listInterfaces(client())).length <= 3);
}, 150_000);

const bound = (name: string) =>
  podEniIn(client(), name, "Bind", 1).then(
    () => true,
    () => false,
  );
