import { z } from "zod";
import { AddressChoice } from "../address-choice.ts";
import { apiError } from "../api-error.ts";
import { findSettledEni, requireRoom } from "../eni.ts";
import { clientToken, integer, list, text } from "../parameters.ts";
import { checkCapacity } from "../security-groups.ts";
import { addToEni, requirePerCall, vSwitchOf } from "./addresses-of-eni.ts";
import { exactlyOne } from "./exclusive.ts";
import { eniResource, operation } from "./operation.ts";

const schema = z.object({
  NetworkInterfaceId: text,
  Ipv6Address: list(10).optional(),
  Ipv6AddressCount: integer(1, 10).optional(),
  Ipv6Prefix: list(10).optional(),
  Ipv6PrefixCount: integer(1, 10).optional(),
  ClientToken: clientToken.optional(),
});

export const assignIpv6Addresses = operation({
  action: "AssignIpv6Addresses",
  product: "Ecs",
  writes: true,
  delay: "assign",
  idempotent: true,
  schema,
  resources: eniResource,
  run(parameters, call) {
    const { tx } = call;
    exactlyOne(parameters, "Ipv6Address", "Ipv6AddressCount", "Ipv6Prefix", "Ipv6PrefixCount");
    const { Ipv6Address, Ipv6AddressCount: asked = 0, Ipv6Prefix, Ipv6PrefixCount = 0 } = parameters;
    requirePerCall(tx, "Ipv6AddressCount", Ipv6Address?.length ?? asked);
    const eni = findSettledEni(tx, parameters.NetworkInterfaceId);
    const vSwitch = vSwitchOf(tx, eni);
    if (vSwitch.ipv6Cidr === undefined) throw apiError("InvalidVSwitch.Ipv6NotTurnOn", { id: vSwitch.id });

    const choice = new AddressChoice(tx, vSwitch);
    requireRoom(tx.state, eni, { ipv6: Ipv6Address?.length ?? asked, ipv6Prefixes: Ipv6Prefix?.length ?? Ipv6PrefixCount });
    const ipv6 = [...choice.take("ipv6", Ipv6Address ?? []), ...choice.pick("ipv6", Math.min(asked, call.partial ?? asked))];
    const ipv6Prefixes = [...choice.takePrefixes("ipv6", Ipv6Prefix ?? []), ...choice.pickPrefixes("ipv6", Ipv6PrefixCount)];
    addToEni(call, eni, { ipv4: [], ipv6, ipv4Prefixes: [], ipv6Prefixes });
    checkCapacity(tx.state, eni.securityGroupIds);
    // Not the shape of Describe: plain text in the lists.
    return { NetworkInterfaceId: eni.id, Ipv6Sets: { Ipv6Address: ipv6 }, Ipv6PrefixSets: { Ipv6Prefix: ipv6Prefixes } };
  },
});
