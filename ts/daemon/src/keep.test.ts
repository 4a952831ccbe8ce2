import { podObjectSchema } from "@terway/model";
import { expect, test } from "vitest";
import { keepMs } from "./keep.ts";

const pod = (metadata: Record<string, unknown>) =>
  podObjectSchema.parse({ metadata: { namespace: "default", name: "web-0", ...metadata } });
const ownedBy = (kind: string, controller = true) => pod({ ownerReferences: [{ kind, name: "web", controller }] });

test("five minutes for pods of a StatefulSet, of kinds that are named, and for those that ask", () => {
  const kinds = ["statefulset", "cloneset"];
  expect(keepMs(ownedBy("StatefulSet"), kinds)).toBe(300_000);
  expect(keepMs(ownedBy("CloneSet"), kinds)).toBe(300_000);
  expect(keepMs(pod({ annotations: { "k8s.aliyun.com/pod-ip-reservation": "true" } }), kinds)).toBe(300_000);
});

test("nothing for others: another kind, an owner that is no controller, a pod that is not ours to look after, no object", () => {
  const kinds = ["statefulset"];
  expect(keepMs(ownedBy("ReplicaSet"), kinds)).toBeUndefined();
  expect(keepMs(ownedBy("StatefulSet", false), kinds)).toBeUndefined();
  expect(keepMs(pod({ annotations: { "k8s.aliyun.com/pod-ip-reservation": "false" } }), kinds)).toBeUndefined();
  const labels = { "k8s.aliyun.com/ignore-by-terway": "true" };
  expect(keepMs(pod({ labels, annotations: { "k8s.aliyun.com/pod-ip-reservation": "true" } }), kinds)).toBeUndefined();
  expect(keepMs(undefined, kinds)).toBeUndefined();
});
