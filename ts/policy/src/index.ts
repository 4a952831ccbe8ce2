export { allows, type Remote } from "./allows.ts";
export { type Changes, type CompiledPod, type Identity, PolicyCompiler } from "./compiler.ts";
export { type ExplainedSet, explain } from "./explain.ts";
export { compileSelector, type LabelSelector, type Labels } from "./label-selector.ts";
export type { Direction, NamedPort, NetworkPolicy, PolicyPod, Protocol } from "./objects.ts";
export { type ParsedPolicy, parseNetworkPolicy } from "./parse-policy.ts";
export type { PolicySet, SetEntry } from "./policy-set.ts";
export { type PlainSet, plainSet } from "./tables/plain-set.ts";
export { PolicyRenderer, type TableContents, type WantedEndpoint } from "./tables/renderer.ts";
