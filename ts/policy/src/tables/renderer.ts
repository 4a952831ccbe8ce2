import {
  noSet,
  type PolicyListing,
  type PolicyRecord,
  type PolicyReferences,
  type PolicyState,
  type PolicyStep,
  unmentioned,
} from "@terway/model";
import type { CompiledPod } from "../compiled-pod.ts";
import type { PolicySet } from "../policy-set.ts";
import { AddressBook } from "./address-book.ts";
import { BlockTree } from "./block-tree.ts";
import { Classes, type RemoteClass, remoteClass } from "./classes.ts";
import { entriesForClass, entriesForEverybody } from "./entries.ts";
import { type PlainSet, plainSet } from "./plain-set.ts";
import { Universe } from "./universe.ts";

/** What one pod of this node must have. */
export interface WantedEndpoint {
  readonly ingress?: PolicySet | undefined;
  readonly egress?: PolicySet | undefined;
  readonly state: PolicyState;
}

/** What the numbers in the tables stand for. */
export interface TableContents {
  readonly sets: readonly PlainSet[];
  readonly classes: readonly RemoteClass[];
}

interface Plain {
  readonly ingress: PlainSet | undefined;
  readonly egress: PlainSet | undefined;
  readonly state: PolicyState;
}

/** What a step brings into the tables, to take it back should it fail. */
interface Novelties {
  readonly sets: readonly string[];
  readonly classes: readonly string[];
  /** Records as they were before. */
  readonly replaced: ReadonlyMap<number, PolicyRecord | undefined>;
}

/** Stands for a value that the kernel may or may not have: differs from every other. */
const unsure = "unsure";

/**
 * Turns sets and identities into the tables of the kernel programs, and changes of them into steps that are legal wherever they stop. What the rules
 * can see (`Universe`) only grows with a step; `compact` shrinks it when nothing else is to do. The kernel has the entries of each set for each class
 * that it knows, so that a pod's record or a remote's class can change alone.
 */
export class PolicyRenderer {
  readonly #book = new AddressBook();
  readonly #wanted = new Map<number, Plain>();
  /** Whose record stays as it is, whatever it says. */
  readonly #kept = new Set<number>();
  readonly #refused = new Set<string>();
  #universe = new Universe();
  #classes = new Classes(this.#universe);
  #tree = new BlockTree([]);
  /** What the kernel has once the last step is carried out. */
  readonly #sets = new Map<string, PlainSet>();
  readonly #visible = new Map<string, readonly string[]>([[unmentioned, []]]);
  readonly #blocks = new Map<string, string>();
  readonly #peers = new Map<string, string>();
  /** Whose the addresses were when they were last rendered. */
  readonly #holders = new Map<string, string>();
  /** Addresses whose class still has what only sets on their way out can see. */
  #stale = new Set<string>();
  readonly #records = new Map<number, PolicyRecord>();
  /** Where that may differ from what it must have. */
  readonly #endpointsToDo = new Set<number>();
  readonly #unsureEndpoints = new Set<number>();
  readonly #addressesToDo = new Set<string>();
  #blocksToDo = false;
  #novelties: Novelties = { sets: [], classes: [], replaced: new Map() };

  setPod(pod: CompiledPod): void {
    for (const address of this.#book.set(pod)) this.#addressesToDo.add(address);
  }

  deletePod(namespace: string, name: string): void {
    for (const address of this.#book.delete(namespace, name)) this.#addressesToDo.add(address);
  }

  setEndpoint(endpoint: number, { ingress, egress, state }: WantedEndpoint): void {
    this.#kept.delete(endpoint);
    this.#wanted.set(endpoint, { ingress: ingress && plainSet(ingress), egress: egress && plainSet(egress), state });
    this.#endpointsToDo.add(endpoint);
  }

  /** It has a record of an earlier process, and nobody knows better yet. */
  keepEndpoint(endpoint: number): void {
    if (!this.#wanted.has(endpoint)) this.#kept.add(endpoint);
  }

  /** True when the kernel has a record of it. */
  has(endpoint: number): boolean {
    return this.#records.has(endpoint) && !this.#unsureEndpoints.has(endpoint);
  }

  /** What decides over it by now; undefined when nothing does yet. */
  record(endpoint: number): PolicyRecord | undefined {
    return this.#records.get(endpoint);
  }

  /** Only when its filters are gone: without a record everything passes. */
  deleteEndpoint(endpoint: number): void {
    this.#kept.delete(endpoint);
    this.#wanted.delete(endpoint);
    this.#endpointsToDo.add(endpoint);
  }

  /** Takes over what an earlier process left: its tables, and what their numbers stand for. To be called before the first step. */
  adopt(listing: PolicyListing, { sets, classes }: TableContents): void {
    for (const set of sets) {
      this.#universe.add(set);
      this.#sets.set(set.number, set);
    }
    for (const { number, visible } of classes) this.#visible.set(number, visible);
    for (const { prefix, class: number } of listing.blocks) this.#blocks.set(prefix, number);
    for (const { address, class: number } of listing.peers) this.#peers.set(address, number);
    for (const record of listing.pods) {
      this.#records.set(record.endpoint, record);
      this.#endpointsToDo.add(record.endpoint);
    }
    this.#lookAgain();
  }

  /** What `adopt` wants of the process before. */
  contents(): TableContents {
    return { sets: [...this.#sets.values()], classes: [...this.#visible].map(([number, visible]) => ({ number, visible })) };
  }

  /** The step from what the kernel has to what it must have; undefined when they are equal. It counts as carried out unless `failed` is told. */
  step(): PolicyStep | undefined {
    const news = this.#newSets();
    let grown = false;
    for (const set of news) grown = this.#universe.add(set) || grown;
    if (grown) this.#lookAgain();
    return this.#move(news);
  }

  /** As `step`, but of nothing except records of pods that have no sets: what may be written while the cluster is not known as a whole. */
  recordsOnly(): PolicyStep | undefined {
    const all = [...this.#endpointsToDo];
    const early = all.filter((endpoint) => {
      const wanted = this.#wanted.get(endpoint);
      return wanted !== undefined && wanted.ingress === undefined && wanted.egress === undefined;
    });
    this.#endpointsToDo.clear();
    for (const endpoint of early) this.#endpointsToDo.add(endpoint);
    const { pods, replaced } = this.#movePods();
    for (const endpoint of all) if (!early.includes(endpoint)) this.#endpointsToDo.add(endpoint);
    this.#novelties = { sets: [], classes: [], replaced };
    const bump = pods.some(({ endpoint }) => replaced.get(endpoint) !== undefined);
    const nothing = { sets: [], blocks: [], goneBlocks: [], peers: [], gonePeers: [], gonePods: [] };
    return pods.length === 0 ? undefined : { ...nothing, pods, bump };
  }

  /**
   * Shrinks the tables to what pods have: the same verdicts from fewer classes. To be carried out when `step` finds nothing to do, and before
   * `sweep`.
   */
  compact(): PolicyStep | undefined {
    if (this.#newSets().length > 0) return undefined;
    const universe = new Universe(this.#setsOfRecords());
    if (universe.size === this.#universe.size && this.#stale.size === 0) return undefined;
    this.#universe = universe;
    this.#lookAgain();
    const step = this.#move([]);
    return step && { ...step, bump: false };
  }

  /** What the tables still need. Everything else is forgotten here too: carry the sweep out before the next step. */
  sweep(): PolicyReferences {
    const sets = this.#numbersOfRecords();
    const classes = new Set([unmentioned, ...this.#blocks.values(), ...this.#peers.values()]);
    classes.delete(unsure);
    for (const number of this.#sets.keys()) if (!sets.has(number)) this.#sets.delete(number);
    for (const number of this.#visible.keys()) if (!classes.has(number)) this.#visible.delete(number);
    return { sets: [...sets], classes: [...classes] };
  }

  /** The last step was carried out in part or not at all: all of it counts as not done. */
  failed(step: PolicyStep): void {
    for (const number of this.#novelties.sets) this.#sets.delete(number);
    for (const number of this.#novelties.classes) this.#visible.delete(number);
    for (const prefix of [...step.blocks.map((block) => block.prefix), ...step.goneBlocks]) this.#blocks.set(prefix, unsure);
    for (const address of [...step.peers.map((peer) => peer.address), ...step.gonePeers]) {
      this.#peers.set(address, unsure);
      this.#addressesToDo.add(address);
    }
    for (const [endpoint, record] of this.#novelties.replaced) {
      if (record === undefined) this.#records.delete(endpoint);
      else this.#records.set(endpoint, record);
      this.#unsureEndpoints.add(endpoint);
      this.#endpointsToDo.add(endpoint);
    }
    this.#blocksToDo = true;
  }

  /** The set does not fit into the kernel: who wants it keeps the one it has, or is held. False when it is in force, or refused already. */
  refuse(set: string): boolean {
    if (this.#refused.has(set) || this.#numbersOfRecords().has(set)) return false;
    this.#refused.add(set);
    for (const endpoint of this.#wanted.keys()) this.#endpointsToDo.add(endpoint);
    return true;
  }

  /** Sets that did not fit. */
  get refused(): number {
    return this.#refused.size;
  }

  /** Tries what was refused again with the next step; answers how many sets that are. */
  retryRefused(): number {
    const { size } = this.#refused;
    this.#refused.clear();
    if (size > 0) for (const endpoint of this.#wanted.keys()) this.#endpointsToDo.add(endpoint);
    return size;
  }

  #numbersOfRecords(): Set<string> {
    const numbers = new Set<string>();
    for (const { ingress, egress } of this.#records.values()) numbers.add(ingress).add(egress);
    numbers.delete(noSet);
    return numbers;
  }

  #setsOfRecords(): PlainSet[] {
    return [...this.#numbersOfRecords()].flatMap((number) => this.#sets.get(number) ?? []);
  }

  #newSets(): PlainSet[] {
    const news = new Map<string, PlainSet>();
    for (const endpoint of this.#endpointsToDo) {
      const wanted = this.#wanted.get(endpoint);
      for (const set of [wanted?.ingress, wanted?.egress]) {
        if (set !== undefined && !this.#sets.has(set.number) && !this.#refused.has(set.number)) news.set(set.number, set);
      }
    }
    return [...news.values()];
  }

  /** The universe is another: every remote may be of another class. */
  #lookAgain(): void {
    this.#classes = new Classes(this.#universe);
    this.#tree = new BlockTree(this.#universe.blocks());
    for (const address of this.#book.addresses()) this.#addressesToDo.add(address);
    for (const address of this.#peers.keys()) this.#addressesToDo.add(address);
    this.#blocksToDo = true;
  }

  #move(news: readonly PlainSet[]): PolicyStep | undefined {
    const classes = new Map<string, RemoteClass>();
    const numberOf = (found: RemoteClass) => {
      if (!this.#visible.has(found.number)) classes.set(found.number, found);
      return found.number;
    };
    const { blocks, goneBlocks } = this.#moveBlocks(numberOf);
    const { peers, gonePeers, replaced } = this.#movePeers(numberOf);
    const sets = this.#moveSets(news, [...classes.values()]);
    const { pods, gonePods, replaced: replacedRecords } = this.#movePods();
    this.#novelties = { sets: news.map(({ number }) => number), classes: [...classes.keys()], replaced: replacedRecords };
    const changes = [sets, blocks, goneBlocks, peers, gonePeers, pods, gonePods];
    if (changes.every(({ length }) => length === 0)) return undefined;
    const revised = pods.some(({ endpoint }) => replacedRecords.get(endpoint) !== undefined);
    return { sets, blocks, goneBlocks, peers, gonePeers, pods, gonePods, bump: replaced || revised };
  }

  #moveBlocks(numberOf: (found: RemoteClass) => string) {
    const blocks: PolicyStep["blocks"][number][] = [];
    const goneBlocks: string[] = [];
    if (this.#blocksToDo) {
      const wanted = new Map(this.#tree.prefixes.map(({ prefix, blocks: keys }) => [prefix, numberOf(this.#classes.of(undefined, keys))]));
      for (const [prefix, number] of wanted) if (this.#blocks.get(prefix) !== number) blocks.push({ prefix, class: number });
      for (const prefix of this.#blocks.keys()) if (!wanted.has(prefix)) goneBlocks.push(prefix);
      for (const { prefix, class: number } of blocks) this.#blocks.set(prefix, number);
      for (const prefix of goneBlocks) this.#blocks.delete(prefix);
      this.#blocksToDo = false;
    }
    return { blocks, goneBlocks };
  }

  #movePeers(numberOf: (found: RemoteClass) => string) {
    const peers: PolicyStep["peers"][number][] = [];
    const gonePeers: string[] = [];
    let replaced = false;
    const leaving = this.#leaving();
    for (const address of this.#stale) this.#addressesToDo.add(address);
    this.#stale = new Set();
    for (const address of this.#addressesToDo) {
      const before = this.#peers.get(address);
      const found = this.#classOf(address, before, leaving);
      const number = found && numberOf(found);
      if (number === before) continue;
      replaced ||= before !== undefined;
      if (number === undefined) {
        gonePeers.push(address);
        this.#peers.delete(address);
      } else {
        peers.push({ address, class: number });
        this.#peers.set(address, number);
      }
    }
    this.#addressesToDo.clear();
    return { peers, gonePeers, replaced };
  }

  /**
   * The class of the pod with this address. When a policy goes, its peers go from the identities at once, while the tables have its sets until the
   * records change at the end of the step: to them the pod must stay what it was. `compact` takes that away.
   */
  #classOf(address: string, before: string | undefined, leaving: ((visible: string) => boolean) | undefined): RemoteClass | undefined {
    const holder = this.#book.holderOf(address);
    if (holder === undefined) {
      this.#holders.delete(address);
      return undefined;
    }
    const sameHolder = (this.#holders.get(address) ?? holder.name) === holder.name;
    this.#holders.set(address, holder.name);
    const found = this.#classes.of(holder.pod.identity, this.#tree.containing(address));
    if (leaving === undefined || before === undefined || !sameHolder) return found;
    const kept = (this.#visible.get(before) ?? []).filter((visible) => leaving(visible) && !found.visible.includes(visible));
    if (kept.length === 0) return found;
    this.#stale.add(address);
    return remoteClass([...found.visible, ...kept]);
  }

  /** Tells what only sets see that no pod is to have any more; undefined when there is none. */
  #leaving(): ((visible: string) => boolean) | undefined {
    if (this.#addressesToDo.size + this.#stale.size === 0) return undefined;
    const wanted = new Map<string, PlainSet>();
    for (const { ingress, egress } of this.#wanted.values()) for (const set of [ingress, egress]) if (set) wanted.set(set.number, set);
    if ([...this.#sets.keys()].every((number) => wanted.has(number))) return undefined;
    const staying = new Universe(wanted.values());
    return (visible) => this.#universe.visible([visible]).length > 0 && staying.visible([visible]).length === 0;
  }

  #moveSets(news: readonly PlainSet[], classes: readonly RemoteClass[]) {
    const sets: PolicyStep["sets"][number][] = [];
    const forClasses = (set: PlainSet, all: readonly RemoteClass[]) =>
      all.flatMap(({ number, visible }) => entriesForClass(set, number, new Set(visible)));
    if (classes.length > 0) {
      for (const set of this.#sets.values()) {
        const entries = forClasses(set, classes);
        if (entries.length > 0) sets.push({ set: set.number, entries });
      }
      for (const { number, visible } of classes) this.#visible.set(number, visible);
    }
    const known = [...this.#visible].map(([number, visible]) => ({ number, visible }));
    for (const set of news) {
      sets.push({ set: set.number, entries: [...entriesForEverybody(set), ...forClasses(set, known)] });
      this.#sets.set(set.number, set);
    }
    return sets;
  }

  #movePods() {
    const pods: PolicyRecord[] = [];
    const gonePods: number[] = [];
    const replaced = new Map<number, PolicyRecord | undefined>();
    for (const endpoint of this.#endpointsToDo) {
      if (this.#kept.has(endpoint)) continue;
      const wanted = this.#wanted.get(endpoint);
      const before = this.#records.get(endpoint);
      const isUnsure = this.#unsureEndpoints.has(endpoint);
      if (wanted === undefined) {
        if (before === undefined && !isUnsure) continue;
        gonePods.push(endpoint);
        replaced.set(endpoint, before);
        this.#records.delete(endpoint);
        continue;
      }
      const record = this.#recordOf(endpoint, wanted, before);
      if (before !== undefined && sameRecord(before, record) && !isUnsure) continue;
      pods.push(record);
      replaced.set(endpoint, before);
      this.#records.set(endpoint, record);
    }
    this.#endpointsToDo.clear();
    this.#unsureEndpoints.clear();
    return { pods, gonePods, replaced };
  }

  #recordOf(endpoint: number, { ingress, egress, state }: Plain, before: PolicyRecord | undefined): PolicyRecord {
    const refused = [ingress, egress].some((set) => set !== undefined && this.#refused.has(set.number));
    if (refused) return before ?? { endpoint, ingress: noSet, egress: noSet, state: "held" };
    return { endpoint, ingress: ingress?.number ?? noSet, egress: egress?.number ?? noSet, state };
  }
}

function sameRecord(left: PolicyRecord, right: PolicyRecord): boolean {
  return left.ingress === right.ingress && left.egress === right.egress && left.state === right.state;
}
