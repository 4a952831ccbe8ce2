import type { ProcessRecord } from "../host/process.ts";

export interface ResponderOptions {
  readonly agent: string;
  readonly netns: string;
  readonly log: string;
  readonly id: string;
}
export async function startResponder(_options: ResponderOptions): Promise<ProcessRecord> {
  return { pid: 0, startTime: "" };
}
