import type { Clock, Random } from "@terway/model";
import { systemClock } from "@terway/model";
import type { AdminCommandName, AdminInput, AdminResult } from "./admin/index.ts";
import { ApiError } from "./api-error.ts";
import type { CallResult } from "./call.ts";
import type { Door } from "./door.ts";
import { effectSubject, type FabricEffect, perform } from "./fabric-effect.ts";
import type { FabricPort } from "./fabric-port.ts";
import type { ActionCount, HistoryEntry } from "./history.ts";
import type { HttpRequest } from "./http-request.ts";
import type { MetadataAnswer, MetadataRequest } from "./metadata/handle.ts";
import type { Body } from "./operation/operation.ts";
import { ScriptedClock } from "./scripted-clock.ts";
import { seededRandom } from "./seeded-random.ts";
import type { SettingsPatch } from "./settings.ts";
import type { CloudState } from "./state.ts";
import { type Command, newWorld, type StepResult, step, type World } from "./step.ts";

export interface SimulatorOptions {
  /** Default 1. */
  readonly seed?: number;
  /** Default: the platform's. With a {@link ScriptedClock} the dates of requests are not checked, unless the settings say otherwise. */
  readonly clock?: Clock;
  /** Without one the state alone changes. */
  readonly fabric?: FabricPort;
  readonly settings?: SettingsPatch;
  /** Keep every step for {@link replay}; costs memory. */
  readonly record?: boolean;
}

/** A step as it was taken; `replay` of all of them makes the same world again. */
export interface RecordedStep {
  readonly nowMs: number;
  readonly command: Command;
}

/** A region of the cloud on this machine: the pure core with a clock, a fabric, and doors. */
export class CloudSimulator {
  readonly clock: Clock;
  readonly recording: RecordedStep[] = [];
  readonly #world: World = newWorld();
  readonly #random: Random;
  readonly #fabric: FabricPort | undefined;
  readonly #record: boolean;
  readonly #fabricQueues = new Map<string, Promise<void>>();
  readonly #watchers = new Set<() => void>();
  readonly #doors: Pick<Door, "close">[] = [];
  #cancelTick: (() => void) | undefined;
  #closed = false;

  constructor({ seed = 1, clock = systemClock, fabric, settings = {}, record = false }: SimulatorOptions = {}) {
    this.clock = clock;
    this.#random = seededRandom(seed);
    this.#fabric = fabric;
    this.#record = record;
    this.admin("setSettings", { ...(clock instanceof ScriptedClock ? { maxClockSkewMs: null } : {}), ...settings });
  }

  /** Runs a command of the control port. Throws AdminError or ZodError and changes nothing when it cannot be. */
  admin<N extends AdminCommandName>(name: N, input: AdminInput<N>): AdminResult<N> {
    const { admin, effects } = this.#step({ type: "admin", name, input });
    void this.#carryOut(effects);
    // The table of commands ties name and result together.
    return admin as AdminResult<N>;
  }

  createVpc(input: AdminInput<"createVpc">) {
    return this.admin("createVpc", input);
  }

  createVSwitch(input: AdminInput<"createVSwitch">) {
    return this.admin("createVSwitch", input);
  }

  createSecurityGroup(input: AdminInput<"createSecurityGroup">) {
    return this.admin("createSecurityGroup", input);
  }

  /** Resolves when the fabric has plugged the primary ENI; rejects when it could not. */
  async createInstance(input: AdminInput<"createInstance">): Promise<AdminResult<"createInstance">> {
    const { admin, effects } = this.#step({ type: "admin", name: "createInstance", input });
    await this.#carryOut(effects, true);
    return admin as AdminResult<"createInstance">;
  }

  /** Tears everything down; resolves when the fabric has unplugged it all. */
  async reset(): Promise<AdminResult<"reset">> {
    const { admin, effects } = this.#step({ type: "admin", name: "reset", input: {} });
    await this.#carryOut(effects, true);
    return admin as AdminResult<"reset">;
  }

  async releaseInstance(input: AdminInput<"releaseInstance">): Promise<AdminResult<"releaseInstance">> {
    const { admin, effects } = this.#step({ type: "admin", name: "releaseInstance", input });
    await this.#carryOut(effects, true);
    return admin as AdminResult<"releaseInstance">;
  }

  accessKey(input: AdminInput<"putAccessKey">) {
    return this.admin("putAccessKey", input);
  }

  role(input: AdminInput<"putRole">) {
    return this.admin("putRole", input);
  }

  setFault(input: AdminInput<"setFault">) {
    return this.admin("setFault", input);
  }

  clearFaults(input: AdminInput<"clearFaults"> = {}) {
    return this.admin("clearFaults", input);
  }

  settings(input: AdminInput<"setSettings">) {
    return this.admin("setSettings", input);
  }

  /** A call of the console or of another tool: no key, no policy, no throttling, no faults. Throws ApiError. */
  async call(action: string, parameters: Readonly<Record<string, string>>): Promise<Body> {
    const result = await this.#call({ type: "trusted", action, parameters });
    if (result.error !== undefined) throw result.error;
    return result.body ?? {};
  }

  /** A signed request, answered when its answer would go out. */
  http(request: HttpRequest): Promise<CallResult> {
    return this.#call({ type: "http", request });
  }

  async metadata(request: MetadataRequest): Promise<MetadataAnswer> {
    const { metadata } = this.#step({ type: "metadata", request });
    if (metadata === undefined) throw new Error("a metadata step gave no answer");
    if (metadata.delayMs > 0) await this.clock.sleep(metadata.delayMs);
    return metadata;
  }

  /** The state as it is now. Read it, do not keep it. */
  state(): CloudState {
    return this.#world.state;
  }

  history(): readonly HistoryEntry[] {
    return this.#world.history.entries();
  }

  counters(): Readonly<Record<string, ActionCount>> {
    return this.#world.history.counters();
  }

  clearHistory(): void {
    this.#world.history.clear();
  }

  /** Calls `watcher` after each step; answers how to stop. */
  watch(watcher: () => void): () => void {
    this.#watchers.add(watcher);
    return () => this.#watchers.delete(watcher);
  }

  /** Resolves when `test` holds; checked after each step. */
  until(test: (state: CloudState) => boolean): Promise<void> {
    return new Promise((resolve) => {
      const check = () => {
        if (!test(this.#world.state)) return;
        stop();
        resolve();
      };
      const stop = this.watch(check);
      check();
    });
  }

  /** A door that is to be closed when the simulator is. */
  opened(door: Pick<Door, "close">): void {
    this.#doors.push(door);
  }

  /** Closes the doors, unplugs everything, stops the timers. */
  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#cancelTick?.();
    await Promise.all(this.#doors.map((door) => door.close()));
    const plugged = [...this.#world.state.enis.values()].filter((eni) => eni.instanceId !== undefined);
    await this.#carryOut(plugged.map(({ id }) => ({ type: "unplug", eniId: id })));
  }

  #step(command: Command): StepResult {
    const nowMs = this.clock.wallMs();
    if (this.#record) this.recording.push({ nowMs, command });
    const result = step(this.#world, command, nowMs, this.#random);
    this.#cancelTick?.();
    this.#cancelTick = undefined;
    if (result.nextDueMs !== undefined && !this.#closed)
      this.#cancelTick = this.clock.after(Math.max(0, result.nextDueMs - nowMs), () => this.#tick());
    for (const watcher of [...this.#watchers]) watcher();
    return result;
  }

  async #call(command: Command): Promise<CallResult> {
    const { call, effects } = this.#step(command);
    if (call === undefined) throw new Error(`${command.type} gave no answer`);
    const failed = await this.#carryOut(effects);
    if (call.answer.delayMs > 0) await this.clock.sleep(call.answer.delayMs);
    if (call.busyEniIds.length > 0) this.#step({ type: "answered", busyEniIds: call.busyEniIds });
    if (failed === undefined) return call;
    // The cloud has done it and the fabric has not: the caller must not take it for done.
    const error = new ApiError("InternalError", 500, `fabric: ${failed instanceof Error ? failed.message : String(failed)}`);
    const body = JSON.stringify({ RequestId: call.requestId, Code: error.code, Message: error.message });
    return { ...call, answer: { ...call.answer, status: error.status, body }, error };
  }

  #tick(): void {
    const { effects } = this.#step({ type: "tick" });
    void this.#carryOut(effects);
  }

  /** One after the other for each ENI. What fails is written down and answered; it rejects only when asked to. */
  async #carryOut(effects: readonly FabricEffect[], strict = false): Promise<unknown> {
    const results = await Promise.allSettled(effects.map((effect) => this.#queue(effect)));
    const failed = results.find((result) => result.status === "rejected");
    if (strict && failed !== undefined) throw failed.reason;
    return failed?.reason;
  }

  #queue(effect: FabricEffect): Promise<void> {
    const subject = effectSubject(effect);
    const before = this.#fabricQueues.get(subject) ?? Promise.resolve();
    const mine = before.catch(() => undefined).then(() => this.#perform(effect));
    this.#fabricQueues.set(subject, mine);
    const forget = () => {
      if (this.#fabricQueues.get(subject) === mine) this.#fabricQueues.delete(subject);
    };
    mine.then(forget, forget);
    return mine;
  }

  async #perform(effect: FabricEffect): Promise<void> {
    const subject = effectSubject(effect);
    try {
      if (this.#fabric !== undefined) await perform(this.#fabric, effect);
    } catch (error) {
      this.#step({ type: "fabric-failed", effect: effect.type, subject, message: error instanceof Error ? error.message : String(error) });
      throw error;
    }
    if (effect.type === "plug") this.#step({ type: "fabric-done", eniId: subject, kind: "attach" });
    else if (effect.type === "unplug") this.#step({ type: "fabric-done", eniId: subject, kind: "detach" });
  }
}

/** Takes the recorded steps again in a new world. */
export function replay(seed: number, recording: readonly RecordedStep[]): World {
  const world = newWorld();
  const random = seededRandom(seed);
  for (const { nowMs, command } of recording) step(world, command, nowMs, random);
  return world;
}
