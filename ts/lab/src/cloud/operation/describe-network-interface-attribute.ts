import { z } from "zod";
import { apiError } from "../api-error.ts";
import { membersOf } from "../eni.ts";
import { text } from "../parameters.ts";
import { renderListedEni } from "../render-eni.ts";
import { eniResource, operation } from "./operation.ts";

const schema = z.object({
  NetworkInterfaceId: text,
  /** `basic` is not documented; deployed clients send it. */
  Attribute: z.enum(["attachment", "connectionTrackingConfiguration", "networkInterfaceTrafficConfig", "basic"]).optional(),
});

/** One ENI, flat, with its members and traffic settings. */
export const describeNetworkInterfaceAttribute = operation({
  action: "DescribeNetworkInterfaceAttribute",
  product: "Ecs",
  writes: false,
  delay: "describe",
  schema,
  resources: eniResource,
  run({ NetworkInterfaceId: id, Attribute: attribute }, { view }) {
    const eni = view.enis.get(id);
    if (eni === undefined) throw apiError("InvalidEniId.NotFound", { id });
    const listed = renderListedEni(view, eni);
    const members = membersOf(view, id).map((member) => member.id);
    return {
      ...listed,
      Attachment:
        attribute === "attachment" || attribute === undefined
          ? { ...listed.Attachment, MemberNetworkInterfaceIds: { MemberNetworkInterfaceId: members } }
          : listed.Attachment,
      ConnectionTrackingConfiguration: { TcpEstablishedTimeout: 910, TcpClosedAndTimeWaitTimeout: 3, UdpTimeout: 30 },
      NetworkInterfaceTrafficConfig: { NetworkInterfaceTrafficMode: eni.trafficMode },
    };
  },
});
