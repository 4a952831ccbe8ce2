import { AssignPrivateIpAddressesRequest, CreateNetworkInterfaceRequest } from "@alicloud/ecs20140526";
import { afterEach, beforeEach, expect, it } from "vitest";
import { attachedEni, type Lab, names, openLab, refusal, regionId } from "./lab.ts";

let lab: Lab;
beforeEach(async () => {
  lab = await openLab();
});
afterEach(() => lab[Symbol.asyncDispose]());

type Fields = ConstructorParameters<typeof CreateNetworkInterfaceRequest>[0];
const create = async (fields: Fields) =>
  (
    await lab.ecs.createNetworkInterface(
      new CreateNetworkInterfaceRequest({ regionId, vSwitchId: names.vSwitch, securityGroupIds: [names.group], ...fields }),
    )
  ).body;
const secondaryEnis = () => [...lab.simulator.state().enis.values()].filter((eni) => eni.type !== "Primary");

it("the same token and parameters give the same ENI, however often", async () => {
  const answers = await Promise.all([1, 2, 3].map(() => create({ clientToken: "one", secondaryPrivateIpAddressCount: 1 })));
  expect(new Set(answers.map((answer) => answer?.networkInterfaceId)).size).toBe(1);
  expect(answers.map((answer) => answer?.privateIpAddress)).toEqual(Array(3).fill(answers[0]?.privateIpAddress));
  expect(new Set(answers.map((answer) => answer?.requestId)).size).toBe(3);
  expect(secondaryEnis()).toHaveLength(1);
});

it("the same token with other parameters is refused", async () => {
  await create({ clientToken: "one" });
  expect(await refusal(() => create({ clientToken: "one", secondaryPrivateIpAddressCount: 1 }))).toMatchObject({
    code: "IdempotentParameterMismatch",
    statusCode: 400,
  });
  expect(secondaryEnis()).toHaveLength(1);
});

it("a refused call does not use up its token", async () => {
  const fields = { clientToken: "one", vSwitchId: names.small, secondaryPrivateIpAddressCount: 3 };
  const other = await create({ vSwitchId: names.small });
  expect(await refusal(() => create(fields))).toMatchObject({ code: "InvalidVSwitchId.IpNotEnough" });
  await lab.simulator.call("DeleteNetworkInterface", { NetworkInterfaceId: other?.networkInterfaceId ?? "" });
  await lab.simulator.until((state) => !state.enis.has(other?.networkInterfaceId ?? ""));
  expect((await create(fields))?.privateIpSets?.privateIpSet).toHaveLength(4);
});

it("a token of assign gives the same addresses again", async () => {
  const networkInterfaceId = await attachedEni(lab);
  const request = new AssignPrivateIpAddressesRequest({
    regionId,
    networkInterfaceId,
    secondaryPrivateIpAddressCount: 2,
    clientToken: "a",
  });
  const first = await lab.ecs.assignPrivateIpAddresses(request);
  const second = await lab.ecs.assignPrivateIpAddresses(request);
  expect(second.body?.assignedPrivateIpAddressesSet?.privateIpSet).toEqual(first.body?.assignedPrivateIpAddressesSet?.privateIpSet);
  expect(lab.simulator.state().enis.get(networkInterfaceId)?.ipv4).toHaveLength(3);
});

it("a token is forgotten after its lifetime", async () => {
  lab.simulator.settings({ clientTokenLifetimeMs: 1 });
  await create({ clientToken: "one" });
  await new Promise((resolve) => setTimeout(resolve, 5));
  await create({ clientToken: "one" });
  expect(secondaryEnis()).toHaveLength(2);
});
