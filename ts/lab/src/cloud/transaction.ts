import type { Random } from "@terway/model";
import type { FabricEffect } from "./fabric-effect.ts";
import type { Instance, NetworkInterface, SecurityGroup, VSwitchRecord } from "./records.ts";
import type { Change, CloudState, TableName, Tables } from "./state.ts";

/**
 * One step's view of the state. Writes are visible at once and can be taken back as a whole, so an operation that is refused half way
 * has changed nothing.
 */
export class Transaction {
  readonly state: CloudState;
  readonly nowMs: number;
  readonly random: Random;
  /** In the order made. */
  readonly changes: Change[] = [];
  /** What the fabric has to do after the state changed. */
  readonly effects: FabricEffect[] = [];
  readonly #undo: Change[] = [];

  constructor(state: CloudState, nowMs: number, random: Random) {
    this.state = state;
    this.nowMs = nowMs;
    this.random = random;
  }

  put<T extends TableName>(table: T, id: string, value: Tables[T]): void {
    // `T` ties table and value together; the union cannot be built from a generic without this.
    this.#apply({ table, id, value } as unknown as Change);
  }

  remove(table: TableName, id: string): void {
    if (this.state.table(table).has(id)) this.#apply({ table, id } as Change);
  }

  putEni(eni: NetworkInterface): void {
    this.put("enis", eni.id, eni);
  }

  effect(effect: FabricEffect): void {
    this.effects.push(effect);
  }

  eni(id: string): NetworkInterface | undefined {
    return this.state.enis.get(id);
  }

  instance(id: string): Instance | undefined {
    return this.state.instances.get(id);
  }

  vSwitch(id: string): VSwitchRecord | undefined {
    return this.state.vSwitches.get(id);
  }

  securityGroup(id: string): SecurityGroup | undefined {
    return this.state.table("securityGroups").get(id);
  }

  /** A place to come back to. */
  savepoint(): { readonly changes: number; readonly effects: number } {
    return { changes: this.changes.length, effects: this.effects.length };
  }

  rollback(to: { readonly changes: number; readonly effects: number } = { changes: 0, effects: 0 }): void {
    while (this.changes.length > to.changes) {
      this.changes.pop();
      const undo = this.#undo.pop();
      if (undo !== undefined) this.state.apply(undo);
    }
    this.effects.length = to.effects;
  }

  #apply(change: Change): void {
    this.#undo.push(this.state.apply(change));
    this.changes.push(change);
  }
}
