import { AddressIndex } from "./address-index.ts";
import type { FaultRule } from "./fault/rule.ts";
import type {
  AccessKey,
  IdempotentCall,
  Instance,
  MetadataToken,
  NetworkInterface,
  RamRole,
  RestingVlan,
  SecurityGroup,
  ThrottleWindow,
  UsedNonce,
  Vpc,
  VSwitchRecord,
} from "./records.ts";
import { defaultSettings, type Settings } from "./settings.ts";

/** Every table of the cloud, by name; rows are keyed by their id. */
export interface Tables {
  vpcs: Vpc;
  vSwitches: VSwitchRecord;
  securityGroups: SecurityGroup;
  instances: Instance;
  enis: NetworkInterface;
  restingVlans: RestingVlan;
  accessKeys: AccessKey;
  roles: RamRole;
  idempotentCalls: IdempotentCall;
  throttleWindows: ThrottleWindow;
  nonces: UsedNonce;
  metadataTokens: MetadataToken;
  faults: FaultRule;
  /** One row, `current`. */
  settings: Settings;
}

export type TableName = keyof Tables;

/** The only way in which state changes: one row gets a new value, or none. Plain data, so a log of them is a replica. */
export type Change = { readonly [T in TableName]: { readonly table: T; readonly id: string; readonly value?: Tables[T] } }[TableName];

type Rows = { readonly [T in TableName]: Map<string, Tables[T]> };

/** The state of the simulated cloud. Reads are plain maps; writes go through {@link CloudState.apply}, in the core only by a transaction. */
export class CloudState {
  readonly #rows: Rows = {
    vpcs: new Map(),
    vSwitches: new Map(),
    securityGroups: new Map(),
    instances: new Map(),
    enis: new Map(),
    restingVlans: new Map(),
    accessKeys: new Map(),
    roles: new Map(),
    idempotentCalls: new Map(),
    throttleWindows: new Map(),
    nonces: new Map(),
    metadataTokens: new Map(),
    faults: new Map(),
    settings: new Map(),
  };
  /** Derived: which addresses and prefixes are taken, by vSwitch. */
  readonly addresses = new AddressIndex();
  /** Derived: the MACs of all ENIs. */
  readonly macs = new Set<string>();

  table<T extends TableName>(name: T): ReadonlyMap<string, Tables[T]> {
    return this.#rows[name];
  }

  get settings(): Settings {
    return this.#rows.settings.get("current") ?? defaultSettings;
  }

  get enis(): ReadonlyMap<string, NetworkInterface> {
    return this.#rows.enis;
  }

  get instances(): ReadonlyMap<string, Instance> {
    return this.#rows.instances;
  }

  get vSwitches(): ReadonlyMap<string, VSwitchRecord> {
    return this.#rows.vSwitches;
  }

  /** The same row before the change, as a change: applying it undoes this one. */
  apply(change: Change): Change {
    // The union ties table and value together; TypeScript cannot follow that through the index.
    const rows = this.#rows[change.table] as Map<string, Tables[TableName]>;
    const before = rows.get(change.id);
    if (change.table === "enis") this.#deriveFromEni(this.#rows.enis.get(change.id), change.value);
    if (change.value === undefined) rows.delete(change.id);
    else rows.set(change.id, change.value);
    return { table: change.table, id: change.id, ...(before === undefined ? {} : { value: before }) } as Change;
  }

  #deriveFromEni(before: NetworkInterface | undefined, after: NetworkInterface | undefined): void {
    this.addresses.replace(before, after);
    if (before !== undefined) this.macs.delete(before.mac);
    if (after !== undefined) this.macs.add(after.mac);
  }

  /** A state of its own with the same rows. */
  clone(): CloudState {
    const copy = new CloudState();
    for (const change of this.changes()) copy.apply(change);
    return copy;
  }

  /** The changes that lead from nothing to this state. */
  *changes(): Generator<Change> {
    for (const table of Object.keys(this.#rows) as TableName[]) {
      for (const [id, value] of this.#rows[table]) yield { table, id, value } as Change;
    }
  }

  /** Plain data for the control port and for comparison; credentials stay out. */
  toJSON(): Record<string, unknown> {
    const visible: TableName[] = ["vpcs", "vSwitches", "securityGroups", "instances", "enis", "restingVlans", "faults"];
    return { ...Object.fromEntries(visible.map((name) => [name, [...this.#rows[name].values()]])), settings: this.settings };
  }
}
