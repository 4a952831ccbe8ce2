import type { ApiPort } from "../../../ts/policy/src/testing/api.ts";
import { protocols } from "../scene.ts";
import { type Case, directions, put, ruleSpec } from "./case.ts";

const perProtocol: Record<string, ApiPort[]> = Object.fromEntries(
  protocols.flatMap((protocol) => [
    [`${protocol} 80`, [{ protocol, port: 80 }]],
    [`${protocol} 81`, [{ protocol, port: 81 }]],
    [`${protocol}, every port`, [{ protocol }]],
    [`${protocol} 80 to 81`, [{ protocol, port: 80, endPort: 81 }]],
    [`${protocol} 81 to 81`, [{ protocol, port: 81, endPort: 81 }]],
    [`${protocol} 1 to 80`, [{ protocol, port: 1, endPort: 80 }]],
    [`${protocol} 81 to 65535`, [{ protocol, port: 81, endPort: 65_535 }]],
    [`${protocol} that nobody serves`, [{ protocol, port: 7_777, endPort: 7_999 }]],
  ]),
);

/** Lists of ports by what they are called in the table. */
export const portLists: Readonly<Record<string, ApiPort[] | undefined>> = {
  "every port": undefined,
  "an empty list of ports": [],
  ...perProtocol,
  "80 of no protocol, which is TCP": [{ port: 80 }],
  "a port of no number and no protocol": [{}],
  "TCP by a name that differs from pod to pod": [{ port: "web" }],
  "TCP by another name": [{ protocol: "TCP", port: "admin" }],
  "UDP by name": [{ protocol: "UDP", port: "dns" }],
  "SCTP by name": [{ protocol: "SCTP", port: "sig" }],
  "a name of another protocol": [{ protocol: "UDP", port: "web" }],
  "a name that only one pod has": [{ port: "only-c" }],
  "a name that nobody has": [{ port: "none" }],
  "TCP 80 and UDP 81": [
    { protocol: "TCP", port: 80 },
    { protocol: "UDP", port: 81 },
  ],
  "all three protocols, one port": protocols.map((protocol) => ({ protocol, port: 81 })),
  "a number and a name": [
    { protocol: "TCP", port: 81 },
    { protocol: "UDP", port: "dns" },
  ],
  "ranges that overlap": [
    { protocol: "TCP", port: 1, endPort: 80 },
    { protocol: "TCP", port: 80, endPort: 90 },
  ],
};

/** Every list of ports for everybody, and for the pods of one label. */
export const portCases: readonly Case[] = directions.flatMap((direction) =>
  Object.entries(portLists).flatMap(([name, list]): Case[] => [
    { group: "ports", name: `${direction}: everybody; ${name}`, steps: [put(ruleSpec(direction, undefined, list))] },
    {
      group: "ports",
      name: `${direction}: pods b anywhere; ${name}`,
      steps: [put(ruleSpec(direction, [{ namespaceSelector: {}, podSelector: { matchLabels: { pod: "b" } } }], list, {}))],
    },
  ]),
);
