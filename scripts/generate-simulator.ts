import { adminCommands, apiErrors, type CatalogueEntry, defaultSettings, faultCatalogue, instanceTypes, operations } from "@terway/lab";
import { code, generatedBy, table } from "./generate-markdown.ts";

const byAction = [...operations.values()].sort((a, b) => (a.action < b.action ? -1 : 1));

function operationTable(): string {
  const { limits, otherLimit } = defaultSettings.throttle;
  const rows = byAction.map((operation) => [
    code(operation.action),
    operation.product.toUpperCase(),
    operation.parameters.map(code).join(", "),
    String(limits[operation.action] ?? otherLimit),
  ]);
  return table(["operation", "product", "parameters beside `RegionId`", "calls in 60 s"], rows);
}

function errorTable(): string {
  return table(
    ["code", "HTTP", "message"],
    Object.entries(apiErrors).map(([name, [status, message]]) => [code(name), String(status), message]),
  );
}

function how(entry: CatalogueEntry): string {
  switch (entry.how) {
    case "command":
      return `command: ${entry.by}`;
    case "not applicable":
      return `not simulated: ${entry.reason}`;
    case "rule":
      return entry
        .rules()
        .map(({ match, effect }) => {
          const { action = "every operation", ...more } = match;
          const target = typeof action === "string" ? action : action.join(", ");
          const { type, ...figures } = effect;
          const text = (value: object) => Object.entries(value).map(([name, figure]) => ` ${name} ${figure}`);
          return `${target}: ${type}${text(figures).join(",")}${Object.keys(more).length === 0 ? "" : ` (${text(more).join(",").trim()})`}`;
        })
        .join("; ");
  }
}

function faultTable(): string {
  return table(
    ["number", "name", "default target and effect"],
    faultCatalogue.map((entry) => [entry.number, code(entry.name), how(entry)]),
  );
}

function commandTable(): string {
  return table(
    ["command", "input", "what"],
    Object.values(adminCommands).map(({ name, fields, about }) => [code(name), fields.map(code).join(", "), about]),
  );
}

export function simulatorPage(): string {
  const source = "ts/lab/src/cloud/{operation,admin,fault}, api-error.ts and settings.ts";
  return `${generatedBy(source)}

# The cloud simulator

One region of the ECS and VPC OpenAPI and the instance metadata service, for the vendor's unmodified clients. Tried with
\`@alicloud/ecs20140526\` 7.11.6, \`@alicloud/vpc20160428\` 7.3.2, \`@alicloud/openapi-core\` 1.0.8, \`@alicloud/openapi-client\` 0.4.15 and
\`@alicloud/credentials\` 2.4.7; the tests are in \`test/conformance-cloud\`.

\`\`\`
node ts/lab/src/cloud-server.ts --openapi 127.0.0.1:7001 --metadata 127.0.0.1:7002 --control /tmp/cloud.sock [--seed 1] [--delays instant|fast|realistic] [--scripted-clock]
\`\`\`

It prints one line of JSON when it listens; port 0 takes a free port. Clients get \`endpoint: "127.0.0.1:7001"\` (no scheme) and
\`protocol: "http"\`. Inside a process: \`new CloudSimulator({seed, clock, fabric, settings})\` of \`@terway/lab\`.

## How it works

* The core (\`step.ts\`) is a function over state, command, time and chance. The same seed, commands and times give the same answers, state
  and history; \`record: true\` keeps the steps and \`replay\` takes them again.
* A request passes, in this order: operation, access key, date (15 minutes), security token, signature, nonce, throttle window, RAM policy,
  faults, region, client token, parameters, existence, state, limits, addresses. A refused call has changed nothing.
* Signatures: ACS3-HMAC-SHA256 (body hash, signed headers, nonce), and RPC version 1 in query or form (HMAC-SHA1, HMAC-SHA256).
* Attach is \`Attaching\` until the fabric has plugged the interface, detach \`Detaching\` until it has unplugged it. Assign and unassign are
  answered after the fabric has done its part; meanwhile another one on the same ENI gets \`Operation.Conflict\`. An unassigned address is free
  only then.
* Addresses are given lowest first (\`addressOrder\`), so a freed one is the next to be given. Of an IPv4 vSwitch the first and the last three
  are reserved, of an IPv6 one the first and the last nine.
* Instance types: ${instanceTypes.size} rows in \`instance-types.json\`.

## Operations

${operationTable()}

## Control port

JSON over HTTP on a unix socket or a loopback port. A mistake answers 400 \`{"error": …}\`.

| request | what |
|---|---|
| \`POST /v1/<command>\` | a command of the table below |
| \`POST /v1/call\` \`{action, parameters}\` | a second actor calls an operation: no key, policy, throttling or faults |
| \`POST /v1/advance\` \`{ms}\` | moves a scripted clock |
| \`GET /v1/state\` | the whole state, credentials left out |
| \`GET /v1/invariants\` | what must hold and does not; an empty list is good |
| \`GET /v1/history?since=&kind=&action=\` | every call, metadata request, transition and deed of the second actor |
| \`DELETE /v1/history\` | forgets history and counters |
| \`GET /v1/counters\` | calls and failures by operation and code |
| \`GET /v1/faults\`, \`GET /v1/catalogue\` | the rules that are set with their counters; what can be set |

${commandTable()}

## Metadata

The source address of the connection names the instance (its primary private address); header \`x-sim-instance\` or query \`?instance=\`
override it. Tokens (\`PUT /latest/api/token\`) are optional, or required for an instance (\`setInstance {metadataTokenRequired}\`).
\`metadataLagMs\` keeps it behind the API; an ENI shows only while it is in use.

## Faults

\`setFault {fault, match, value}\`. \`match\` has \`action\`, \`accessKeyId\`, \`instanceId\`, \`eniId\`, \`vSwitchId\`, \`path\` (metadata), \`probability\`,
\`skip\`, \`times\`, \`fromMs\`, \`untilMs\`.

${faultTable()}

## Errors

${errorTable()}

## Known differences from the real service

Nothing here was measured against a real account.

* No LingJun (EFLO) operations, no CIDR reservations, no prefix lists and port lists, no public addresses, one region, one account.
* A client token lives 24 hours; the real lifetime is not documented.
* An assign call may ask for at most ten addresses (\`maxAssignPerCall\`), IPv4 as well as IPv6.
* Unknown parameters are refused (\`strictParameters\`), so that a client's typing error shows; the real gateway ignores them.
* Answers are always JSON, also without \`Format=JSON\`.
* Attaching what is attached to the same instance, and detaching what is free, succeeds; deployed clients rely on it.
* A required but missing metadata token answers 401, like an expired one.
* Security groups: rules that change count for new connections only, while another set of groups on an ENI, and an address that moves, are judged
  anew at once; the documentation says the first and hints at the second. Metadata and OpenAPI are reached whatever the groups say. Not checked: the 1,000 rules of an
  ENI and the 20 groups that a group may name. \`InvalidOperation.EnterpriseGroupAuthorizeGroup\` and \`InvalidOperation.EnterpriseGroupInnerAccess\` are inferred.
* \`InvalidVSwitchId.IpPrefixNotEnough\`: status and full name are inferred.
`;
}
