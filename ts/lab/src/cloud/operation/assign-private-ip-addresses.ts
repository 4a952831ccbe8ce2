import { z } from "zod";
import { AddressChoice } from "../address-choice.ts";
import { findSettledEni, requireRoom } from "../eni.ts";
import { clientToken, integer, list, text } from "../parameters.ts";
import { checkCapacity } from "../security-groups.ts";
import { addToEni, requirePerCall, vSwitchOf } from "./addresses-of-eni.ts";
import { exactlyOne } from "./exclusive.ts";
import { eniResource, operation } from "./operation.ts";

const schema = z.object({
  NetworkInterfaceId: text,
  PrivateIpAddress: list(32).optional(),
  SecondaryPrivateIpAddressCount: integer(1, 49).optional(),
  Ipv4Prefix: list(10).optional(),
  Ipv4PrefixCount: integer(1, 10).optional(),
  ClientToken: clientToken.optional(),
});

export const assignPrivateIpAddresses = operation({
  action: "AssignPrivateIpAddresses",
  product: "Ecs",
  writes: true,
  delay: "assign",
  idempotent: true,
  schema,
  resources: eniResource,
  run(parameters, call) {
    const { tx } = call;
    exactlyOne(parameters, "PrivateIpAddress", "SecondaryPrivateIpAddressCount", "Ipv4Prefix", "Ipv4PrefixCount");
    const { PrivateIpAddress, SecondaryPrivateIpAddressCount: asked = 0, Ipv4Prefix, Ipv4PrefixCount = 0 } = parameters;
    requirePerCall(tx, "SecondaryPrivateIpAddressCount", PrivateIpAddress?.length ?? asked);
    const eni = findSettledEni(tx, parameters.NetworkInterfaceId);

    const choice = new AddressChoice(tx, vSwitchOf(tx, eni));
    // The quota of the ENI is looked at before the vSwitch: an ENI that is full says so even when the vSwitch is empty.
    requireRoom(tx.state, eni, { ipv4: PrivateIpAddress?.length ?? asked, ipv4Prefixes: Ipv4Prefix?.length ?? Ipv4PrefixCount });
    const ipv4 = [...choice.take("ipv4", PrivateIpAddress ?? []), ...choice.pick("ipv4", Math.min(asked, call.partial ?? asked))];
    const ipv4Prefixes = [...choice.takePrefixes("ipv4", Ipv4Prefix ?? []), ...choice.pickPrefixes("ipv4", Ipv4PrefixCount)];
    addToEni(call, eni, { ipv4, ipv6: [], ipv4Prefixes, ipv6Prefixes: [] });
    checkCapacity(tx.state, eni.securityGroupIds);
    return {
      AssignedPrivateIpAddressesSet: {
        NetworkInterfaceId: eni.id,
        PrivateIpSet: { PrivateIpAddress: ipv4 },
        Ipv4PrefixSet: { Ipv4Prefixes: ipv4Prefixes },
      },
    };
  },
});
