import { z } from "zod";
import { apiError } from "../api-error.ts";
import { findSettledEni } from "../eni.ts";
import { list, text } from "../parameters.ts";
import { removeFromEni } from "./addresses-of-eni.ts";
import { eniResource, operation } from "./operation.ts";

const schema = z.object({ NetworkInterfaceId: text, Ipv6Address: list(10).optional(), Ipv6Prefix: list(10).optional() });

export const unassignIpv6Addresses = operation({
  action: "UnassignIpv6Addresses",
  product: "Ecs",
  writes: true,
  delay: "assign",
  schema,
  resources: eniResource,
  run({ NetworkInterfaceId, Ipv6Address: ipv6 = [], Ipv6Prefix: ipv6Prefixes = [] }, call) {
    if (ipv6.length + ipv6Prefixes.length === 0) throw apiError("MissingParameter", { name: "Ipv6Address" });
    const eni = findSettledEni(call.tx, NetworkInterfaceId);
    removeFromEni(call, eni, { ipv4: [], ipv6, ipv4Prefixes: [], ipv6Prefixes });
    return {};
  },
});
