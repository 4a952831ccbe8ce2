import { type ControlPlane, startControlPlane, sweep } from "@terway/lab";
import { afterAll, beforeAll, expect } from "vitest";

let count = 0;

/** Of this process's labs; a second try of a test file gets names of its own. */
export function nextId(): string {
  count += 1;
  return `k${process.pid.toString(36)}x${count}`;
}

/** A real API server with its etcd for the tests of the calling file or block; removed after them, with the proof that nothing is left. */
export function useControlPlane(): () => ControlPlane {
  const id = nextId();
  let plane: ControlPlane | undefined;
  beforeAll(async () => {
    plane = await startControlPlane(id);
  });
  afterAll(async () => {
    expect(await sweep(id)).toEqual([]);
  });
  return () => {
    if (plane === undefined) throw new Error("the control plane is not there");
    return plane;
  };
}
