import { z } from "zod";
import { type InstanceType, instanceTypes } from "../instance-types.ts";
import { list } from "../parameters.ts";
import { operation } from "./operation.ts";
import { pageParameters, paginate } from "./page.ts";

const schema = z.object({
  InstanceTypes: list(10).optional(),
  InstanceTypeFamily: z.string().optional(),
  MaxResults: pageParameters.MaxResults,
  NextToken: pageParameters.NextToken,
});

/** Names that do not exist are left out. */
export const describeInstanceTypes = operation({
  action: "DescribeInstanceTypes",
  product: "Ecs",
  writes: false,
  delay: "describe",
  regionRequired: false,
  schema,
  run({ InstanceTypes: names, InstanceTypeFamily: family, ...page }) {
    const found = [...instanceTypes].filter(
      ([name]) => (names === undefined || names.includes(name)) && (family === undefined || familyOfType(name) === family),
    );
    // Without a page request everything that was named fits one answer.
    const request = names === undefined ? { MaxResults: 100, ...page } : { MaxResults: 10, ...page };
    const { items, fields } = paginate(found, ([name]) => name, request, { minResults: 1, maxResults: 100, maxPageSize: 100 });
    return { NextToken: fields.NextToken, InstanceTypes: { InstanceType: items.map(([name, type]) => render(name, type)) } };
  },
});

function familyOfType(name: string): string {
  return name.split(".").slice(0, -1).join(".");
}

function render(name: string, type: InstanceType) {
  const { queues } = type;
  return {
    InstanceTypeId: name,
    InstanceTypeFamily: familyOfType(name),
    EniQuantity: type.enis,
    EniTotalQuantity: type.total,
    EniPrivateIpAddressQuantity: type.ipv4,
    EniIpv6AddressQuantity: type.ipv6,
    EniTrunkSupported: type.trunk,
    EriQuantity: type.erdma,
    NetworkCardQuantity: 1,
    ...(type.cpus === undefined ? {} : { CpuCoreCount: type.cpus }),
    ...(type.memoryGib === undefined ? {} : { MemorySize: type.memoryGib }),
    ...(queues === undefined
      ? {}
      : {
          PrimaryEniQueueNumber: queues.primary,
          SecondaryEniQueueNumber: queues.secondary,
          TotalEniQueueQuantity: queues.total,
          MaximumQueueNumberPerEni: queues.primary,
        }),
  };
}
