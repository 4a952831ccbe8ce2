import { expect, test } from "vitest";
import { identifyPod } from "./pods.ts";

const identify = (args?: string) => identifyPod("c0ffee", args);

test("kubelet's arguments", () => {
  const args = "IgnoreUnknown=1;K8S_POD_NAMESPACE=default;K8S_POD_NAME=web-0;K8S_POD_INFRA_CONTAINER_ID=c0ffee;K8S_POD_UID=u-1";
  expect(identify(args)).toEqual({ namespace: "default", name: "web-0", uid: "u-1" });
});

test.each([undefined, "", "IgnoreUnknown=1", "K8S_POD_NAME=;K8S_POD_NAMESPACE="])(
  "without a pod (%s) the container id stands for it",
  (args) => {
    expect(identify(args)).toEqual({ namespace: "cni", name: "c0ffee" });
  },
);

test.each([
  ["K8S_POD_NAME=web-0", "K8S_POD_NAMESPACE"],
  ["K8S_POD_NAMESPACE=default", "K8S_POD_NAME"],
  ["K8S_POD_NAME", "K8S_POD_NAME"],
  ["=x", "=x"],
])("%s is refused with code 4, naming %s", (args, names) => {
  expect(() => identify(args)).toThrow(expect.objectContaining({ code: 4, message: expect.stringContaining(names) }));
});
