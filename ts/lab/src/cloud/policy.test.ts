import { expect, it } from "vitest";
import { evaluate } from "./policy.ts";
import type { PolicyDocument } from "./records.ts";

const policy = (...Statement: PolicyDocument["Statement"][number][]): PolicyDocument[] => [{ Version: "1", Statement }];
const arn = "acs:ecs:cn-hangzhou:1:eni/eni-1";

it.each([
  ["nothing is allowed by default", policy(), "ImplicitDeny"],
  ["a wildcard action allows", policy({ Effect: "Allow", Action: "ecs:Describe*", Resource: "*" }), "ImplicitDeny"],
  [
    "the exact action allows, whatever its case",
    policy({ Effect: "Allow", Action: ["ecs:x", "ECS:attachnetworkinterface"], Resource: "*" }),
    "Allow",
  ],
  ["a question mark stands for one character", policy({ Effect: "Allow", Action: "ecs:AttachNetworkInterfac?", Resource: "*" }), "Allow"],
  [
    "a deny wins wherever it stands",
    policy({ Effect: "Deny", Action: "ecs:Attach*", Resource: "*" }, { Effect: "Allow", Action: "*", Resource: "*" }),
    "ExplicitDeny",
  ],
  ["the resource must match", policy({ Effect: "Allow", Action: "*", Resource: "acs:ecs:*:*:eni/eni-2" }), "ImplicitDeny"],
  ["the resource matches with wildcards", policy({ Effect: "Allow", Action: "*", Resource: ["acs:ecs:*:1:eni/*"] }), "Allow"],
  ["a dot is a dot", policy({ Effect: "Allow", Action: "ecs.AttachNetworkInterface", Resource: "*" }), "ImplicitDeny"],
])("%s", (_, policies, verdict) => expect(evaluate(policies, "ecs:AttachNetworkInterface", arn)).toBe(verdict));
