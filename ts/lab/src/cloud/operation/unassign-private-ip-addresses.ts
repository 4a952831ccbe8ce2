import { z } from "zod";
import { apiError } from "../api-error.ts";
import { findSettledEni } from "../eni.ts";
import { list, text } from "../parameters.ts";
import { removeFromEni } from "./addresses-of-eni.ts";
import { eniResource, operation } from "./operation.ts";

const schema = z.object({ NetworkInterfaceId: text, PrivateIpAddress: list(49).optional(), Ipv4Prefix: list(10).optional() });

export const unassignPrivateIpAddresses = operation({
  action: "UnassignPrivateIpAddresses",
  product: "Ecs",
  writes: true,
  delay: "assign",
  schema,
  resources: eniResource,
  run({ NetworkInterfaceId, PrivateIpAddress: ipv4 = [], Ipv4Prefix: ipv4Prefixes = [] }, call) {
    if (ipv4.length + ipv4Prefixes.length === 0) throw apiError("MissingParameter", { name: "PrivateIpAddress" });
    const eni = findSettledEni(call.tx, NetworkInterfaceId);
    removeFromEni(call, eni, { ipv4, ipv6: [], ipv4Prefixes, ipv6Prefixes: [] });
    return {};
  },
});
