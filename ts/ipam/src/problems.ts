import type { Clock, CloudError, PoolEvent, PoolProblem } from "@terway/model";

/** What stands in the way now, one entry for each thing that was refused; the same keys as the back-offs. */
export class Problems {
  private readonly entries = new Map<string, PoolProblem>();
  private readonly clock: Clock;
  private readonly emit: (event: PoolEvent) => void;

  constructor(clock: Clock, emit: (event: PoolEvent) => void) {
    this.clock = clock;
    this.emit = emit;
  }

  /** An event only when it is new or another one than before: a refusal repeated every minute is one problem. */
  set(key: string, problem: Omit<PoolProblem, "sinceMs">): PoolProblem {
    const before = this.entries.get(key);
    const same = before?.code === problem.code && before.resource === problem.resource;
    const entry: PoolProblem = { ...problem, sinceMs: same ? before.sinceMs : this.clock.wallMs() };
    // The latest refusal stands last, see `latest`.
    this.entries.delete(key);
    this.entries.set(key, entry);
    if (!same) this.emit({ type: "problem", problem: entry });
    return entry;
  }

  /** It works again. */
  clear(key: string): void {
    const before = this.entries.get(key);
    if (!before) return;
    this.entries.delete(key);
    this.emit({ type: "recovered", code: before.code });
  }

  get(key: string): PoolProblem | undefined {
    return this.entries.get(key);
  }

  keys(): string[] {
    return [...this.entries.keys()];
  }

  all(): PoolProblem[] {
    return [...this.entries.values()];
  }

  /** The last one that was met: the reason of what failed just now. */
  latest(): PoolProblem | undefined {
    return this.all().at(-1);
  }
}

/**
 * The refusal as a complete sentence: what, of which object, by which code, and what a person can do about it. The settings are named as in
 * `eni_conf`.
 */
export function problemOf(
  error: CloudError,
  subject: { vSwitchId?: string; eniId?: string; instanceId: string },
): Omit<PoolProblem, "sinceMs"> {
  const resource = error.resource ?? subject.vSwitchId ?? subject.eniId;
  const request = error.requestId === undefined ? "" : ` [request ${error.requestId}]`;
  const problem = { class: error.class, code: error.code, message: `${sentence(error, subject)}${request}` };
  return resource === undefined ? problem : { ...problem, resource };
}

function sentence(error: CloudError, subject: { vSwitchId?: string; eniId?: string; instanceId: string }): string {
  const { action, code } = error;
  switch (error.class) {
    case "exhausted":
      return `vSwitch ${subject.vSwitchId ?? error.resource ?? "(unknown)"} has no free address (${code}); add another vSwitch to "vswitches" in eni_conf or free addresses in this one`;
    case "quota":
      return `${quotaOf(action, subject)} (${code} from ${action}); the next try comes after a release or a while`;
    case "throttled":
      return `${action} is throttled (${code}): too many calls of this account in this region; it is tried again after the window, nothing needs to be done unless it lasts`;
    case "denied":
      return `${action} is denied (${code}): ${error.message}; allow ${action} in the RAM policy of the credentials in use, and check access key and account`;
    case "invalid":
    case "gone":
      return `${action} is refused (${code}): ${error.message}; ${settingFor(error)}`;
    case "conflict":
      return `${action} meets ${error.resource ?? subject.eniId ?? "an object"} in another state (${code}): ${error.message}; it is read again and retried`;
    case "degraded":
      return `no ${action} leaves this node (${code}): the gate to the cloud is closed; see the degradation level and the breaker in terway-cli`;
    case "transient":
    case "unknown":
      return `${action} gets no usable answer (${code}): ${error.message}; check the network to the OpenAPI endpoint, it is tried again`;
  }
}

function quotaOf(action: string, subject: { eniId?: string; instanceId: string }): string {
  if (action.startsWith("Assign")) return `ENI ${subject.eniId ?? "(unknown)"} takes no more addresses`;
  if (action.startsWith("Attach"))
    return `instance ${subject.instanceId} takes no more ENIs; use a larger instance type or lower "max_eni" in eni_conf`;
  return "the account's quota of ENIs is used up; raise it or delete unused ENIs";
}

function settingFor(error: CloudError): string {
  const about = `${error.code} ${error.resource ?? ""}`.toLowerCase();
  if (about.includes("securitygroup") || about.includes("sg-")) return 'check "security_group" and "security_groups" in eni_conf';
  if (about.includes("vswitch") || about.includes("vsw-")) return 'check "vswitches" in eni_conf';
  if (about.includes("tag")) return 'check "eni_tags" in eni_conf';
  if (about.includes("resourcegroup")) return 'check "resource_group_id" in eni_conf';
  if (about.includes("ipv6")) return 'check "ip_stack" in eni_conf and whether vSwitch and instance type have IPv6';
  return "check eni_conf and the object named";
}
