import { MultiMap } from "./multi-map.ts";
import type { PolicyPod } from "./objects.ts";

/** A pod of the cluster as the API shows it, with what a node asks of its own ones. */
export interface ShownPod {
  readonly pod: PolicyPod;
  readonly uid: string;
  /** Some container may change devices of the pod's network namespace, hooks on them included. */
  readonly netAdmin: boolean;
}

/** What pods of one owner have alike, as one text; it is read when somebody asks. */
interface Shape {
  readonly text: string;
  rows: number;
}

type Alike = Pick<PolicyPod, "labels" | "ports"> & { readonly netAdmin: boolean };

/** A pod as it is kept: two hundred bytes, name and the tables' own entries included. */
interface Row {
  readonly shape: Shape;
  /** One IPv4 address as its 32 bits, more or others as texts. */
  readonly addresses: number | readonly string[];
  /** Second of its creation; 0: not told. */
  readonly created: number;
  readonly uidDigest: number;
  state: RowState;
}
/** `counted`: the compiler has it. Pods in their node's network (`node`) and finished ones hold no address of their own. */
export type RowState = "idle" | "counted" | "node" | "finished";

/**
 * All pods of a cluster in little memory: most of them concern a node only should some policy begin to name them, and fifty thousand objects as the API
 * shows them would be most of what its daemon holds.
 */
export class PodTable {
  readonly #namespaces = new Map<string, Map<string, Row>>();
  readonly #shapes = new Map<string, Shape>();
  /** Those with addresses of their own. */
  readonly #byAddress = new MultiMap<number | string, Row>();
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** False when it shows nothing that was not known. */
  set({ pod, uid, netAdmin }: ShownPod): boolean {
    const { namespace, name, hostNetwork, finished } = pod;
    const rows = this.#namespaces.get(namespace) ?? new Map<string, Row>();
    this.#namespaces.set(namespace, rows);
    const before = rows.get(name);
    const text = JSON.stringify({ labels: pod.labels, ports: pod.ports, netAdmin } satisfies Alike);
    const row: Row = {
      shape: this.#acquire(text),
      addresses: packed(hostNetwork || finished ? [] : pod.addresses),
      created: pod.created === undefined ? 0 : Math.floor(Date.parse(pod.created) / 1000) || 0,
      uidDigest: digest(uid),
      state: finished ? "finished" : hostNetwork ? "node" : before?.state === "counted" ? "counted" : "idle",
    };
    if (before !== undefined && isEqual(before, row)) {
      this.#release(row.shape);
      return false;
    }
    if (before !== undefined) this.#leave(before);
    else this.#size += 1;
    rows.set(name, row);
    this.#enter(row);
    return true;
  }

  /** True when there was one. */
  delete(namespace: string, name: string): boolean {
    const rows = this.#namespaces.get(namespace);
    const row = rows?.get(name);
    if (rows === undefined || row === undefined) return false;
    rows.delete(name);
    if (rows.size === 0) this.#namespaces.delete(namespace);
    this.#leave(row);
    this.#size -= 1;
    return true;
  }

  /** Undefined when there is no such pod. */
  state(namespace: string, name: string): RowState | undefined {
    return this.#row(namespace, name)?.state;
  }

  get(namespace: string, name: string): PolicyPod | undefined {
    const row = this.#row(namespace, name);
    return row && podOf(namespace, name, row);
  }

  /** False while it is not known. */
  isNetAdmin(namespace: string, name: string): boolean {
    const row = this.#row(namespace, name);
    return row !== undefined && alikeOf(row).netAdmin;
  }

  /** Whether the pod shown by this name is the one with this uid, as far as either has one. */
  isSame(namespace: string, name: string, uid: string): boolean {
    const row = this.#row(namespace, name);
    return row !== undefined && (row.uidDigest === 0 || row.uidDigest === digest(uid));
  }

  /** Marks whether the compiler has it. */
  count(namespace: string, name: string, counted: boolean): void {
    const row = this.#row(namespace, name);
    if (row?.state === "idle" || row?.state === "counted") row.state = counted ? "counted" : "idle";
  }

  namespaces(): Iterable<string> {
    return this.#namespaces.keys();
  }

  /** Names of a namespace's pods in this state; `select` is asked once for all that have labels and ports alike. */
  *select(namespace: string, state: RowState, select: (labels: PolicyPod["labels"]) => boolean): Iterable<string> {
    const asked = new Map<Shape, boolean>();
    for (const [name, row] of this.#namespaces.get(namespace) ?? []) {
      if (row.state !== state) continue;
      let selected = asked.get(row.shape);
      if (selected === undefined) {
        selected = select(alikeOf(row).labels);
        asked.set(row.shape, selected);
      }
      if (selected) yield name;
    }
  }

  *names(): Iterable<readonly [namespace: string, name: string]> {
    for (const [namespace, rows] of this.#namespaces) for (const name of rows.keys()) yield [namespace, name];
  }

  /** Names of the other pods that show one of its addresses. */
  sharing(namespace: string, name: string): (readonly [namespace: string, name: string])[] {
    const row = this.#row(namespace, name);
    const others = row === undefined ? new Set<Row>() : new Set(this.#sharing(row));
    if (others.size === 0) return [];
    // It is rare, and rows that knew their names would cost all the others.
    return [...this.names()].filter(([of, other]) => others.has(this.#row(of, other) as Row));
  }

  *#sharing(row: Row): Iterable<Row> {
    for (const address of addressesOf(row)) for (const other of this.#byAddress.get(address)) if (other !== row) yield other;
  }

  #row(namespace: string, name: string): Row | undefined {
    return this.#namespaces.get(namespace)?.get(name);
  }

  #enter(row: Row): void {
    for (const address of addressesOf(row)) this.#byAddress.add(address, row);
  }

  #leave(row: Row): void {
    this.#release(row.shape);
    for (const address of addressesOf(row)) this.#byAddress.delete(address, row);
  }

  #acquire(text: string): Shape {
    let shape = this.#shapes.get(text);
    if (shape === undefined) {
      shape = { text, rows: 0 };
      this.#shapes.set(text, shape);
    }
    shape.rows += 1;
    return shape;
  }

  #release(shape: Shape): void {
    shape.rows -= 1;
    if (shape.rows === 0) this.#shapes.delete(shape.text);
  }
}

function podOf(namespace: string, name: string, row: Row): PolicyPod {
  const { labels, ports } = alikeOf(row);
  const { addresses, created } = row;
  return {
    ...{ namespace, name, labels, ports },
    addresses: typeof addresses === "number" ? [unpacked(addresses)] : addresses,
    ...(created === 0 ? {} : { created: new Date(created * 1000).toISOString() }),
    hostNetwork: row.state === "node",
    finished: row.state === "finished",
  };
}

/** The text is one that `set` wrote. */
const alikeOf = ({ shape }: Row) => JSON.parse(shape.text) as Alike;

const addressesOf = ({ addresses }: Row): readonly (number | string)[] => (typeof addresses === "number" ? [addresses] : addresses);

const noAddresses: readonly string[] = [];

function packed(addresses: readonly string[]): number | readonly string[] {
  const [only] = addresses;
  if (only === undefined) return noAddresses;
  if (addresses.length > 1 || only.includes(":")) return addresses;
  let bits = 0;
  for (const part of only.split(".")) bits = (bits << 8) | Number(part);
  return bits;
}

const unpacked = (bits: number) => [bits >>> 24, (bits >>> 16) & 255, (bits >>> 8) & 255, bits & 255].join(".");

function isEqual(left: Row, right: Row): boolean {
  const alike = left.shape === right.shape && left.created === right.created && left.uidDigest === right.uidDigest;
  return alike && left.state === right.state && sameAddresses(left.addresses, right.addresses);
}

function sameAddresses(left: Row["addresses"], right: Row["addresses"]): boolean {
  if (typeof left === "number" || typeof right === "number") return left === right;
  return left.length === right.length && left.every((address, index) => address === right[index]);
}

/** 32 bits (FNV-1a): tells two pods that had one name after another apart but for one time in four thousand million. 0 for none. */
function digest(uid: string): number {
  if (uid === "") return 0;
  let hash = 0x811c9dc5;
  for (let index = 0; index < uid.length; index += 1) hash = Math.imul(hash ^ uid.charCodeAt(index), 0x01000193);
  return hash | 0 || 1;
}
