import { AssignPrivateIpAddressesRequest, CreateNetworkInterfaceRequest, DescribeNetworkInterfacesRequest } from "@alicloud/ecs20140526";
import { ThrottlingError } from "@alicloud/openapi-core";
import { expect, it } from "vitest";
import { attachedEni, names, openLab, refusal, regionId } from "./lab.ts";

const describeEnis = new DescribeNetworkInterfacesRequest({ regionId });

it("a policy decides by action and resource, and the refusal says what was missing", async () => {
  await using lab = await openLab();
  const mine = await attachedEni(lab);
  lab.simulator.accessKey({
    id: "LTAIuser",
    secret: "s",
    user: "terway",
    policies: [
      {
        Statement: [
          { Effect: "Allow", Action: ["ecs:Describe*", "ecs:CreateNetworkInterface"] },
          { Effect: "Allow", Action: "ecs:AssignPrivateIpAddresses", Resource: `acs:ecs:*:*:eni/${mine}` },
          { Effect: "Deny", Action: "ecs:Create*" },
        ],
      },
    ],
  });
  const user = lab.client({ accessKeyId: "LTAIuser", accessKeySecret: "s" });
  const assign = (networkInterfaceId: string) =>
    user.assignPrivateIpAddresses(new AssignPrivateIpAddressesRequest({ regionId, networkInterfaceId, secondaryPrivateIpAddressCount: 1 }));
  expect((await user.describeNetworkInterfaces(describeEnis)).statusCode).toBe(200);
  expect((await assign(mine)).statusCode).toBe(200);
  expect(await refusal(() => assign("eni-other"))).toMatchObject({
    code: "Forbidden.RAM",
    statusCode: 403,
    accessDeniedDetail: {
      AuthAction: "ecs:AssignPrivateIpAddresses",
      AuthPrincipalType: "SubUser",
      AuthPrincipalDisplayName: "terway",
      NoPermissionType: "ImplicitDeny",
    },
  });
  const create = () =>
    user.createNetworkInterface(new CreateNetworkInterfaceRequest({ regionId, vSwitchId: names.vSwitch, securityGroupId: names.group }));
  expect(await refusal(create)).toMatchObject({ code: "Forbidden.RAM", accessDeniedDetail: { NoPermissionType: "ExplicitDeny" } });
});

it("a window that is used up throttles that API only, until the next one begins", async () => {
  await using lab = await openLab({
    settings: { delays: "instant", throttle: { limits: { DescribeNetworkInterfaces: 3 }, windowMs: 1500 } },
  });
  // Begin a window, so that the calls below fall into one.
  const windowMs = 1500;
  await new Promise((resolve) => setTimeout(resolve, windowMs - (Date.now() % windowMs) + 5));
  const call = () => lab.ecs.describeNetworkInterfaces(describeEnis);
  for (let count = 0; count < 3; count++) await call();
  const error = await refusal(call);
  expect(error).toBeInstanceOf(ThrottlingError);
  expect(error).toMatchObject({ code: "Throttling.User", statusCode: 400 });
  await attachedEni(lab);
  await new Promise((resolve) => setTimeout(resolve, windowMs - (Date.now() % windowMs) + 5));
  expect((await call()).statusCode).toBe(200);
});

it("other tools of the account eat from the same window", async () => {
  await using lab = await openLab({ settings: { delays: "instant", throttle: { backgroundCalls: 800, code: "Throttling" } } });
  expect(await refusal(() => lab.ecs.describeNetworkInterfaces(describeEnis))).toMatchObject({ code: "Throttling" });
});
