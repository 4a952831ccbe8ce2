import type { Case } from "./case.ts";
import { changeCases } from "./changes.ts";
import { conflictCases } from "./conflicts.ts";
import { memberCases } from "./members.ts";
import { peerCases } from "./peers.ts";
import { portCases } from "./ports.ts";
import { targetCases } from "./targets.ts";

/** All, in the order of the table. */
export const cases: readonly Case[] = [...changeCases, ...memberCases, ...targetCases, ...peerCases, ...portCases, ...conflictCases];
