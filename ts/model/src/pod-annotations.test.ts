import { expect, test } from "vitest";
import { parseByteRate, podNetworkWishes } from "./pod-annotations.ts";

test.each([
  ["10M", 10 * 1024 ** 2],
  ["10m", 10 * 1024 ** 2],
  ["512KiB", 512 * 1024],
  ["1.5GB", 1.5 * 1024 ** 3],
  ["1T", 1024 ** 4],
  ["1000", 1000],
  ["100B", 100],
  [" 2 K ", 2048],
])("%j is %i bytes per second", (text, rate) => {
  expect(parseByteRate(text)).toBe(rate);
});

test.each(["", "M", "-1M", "10Mbit", "0", "1P", "1e3", "99999999T"])("%j is no rate", (text) => {
  expect(parseByteRate(text)).toBeUndefined();
});

test("limits and class", () => {
  const annotations = {
    "k8s.aliyun.com/ingress-bandwidth": "1M",
    "k8s.aliyun.com/egress-bandwidth": "2K",
    "k8s.aliyun.com/network-priority": "best-effort",
    "example.com/other": "x",
  };
  expect(podNetworkWishes(annotations)).toEqual({ bandwidth: { ingress: 1024 ** 2, egress: 2048 }, priority: "best_effort", problems: [] });
  expect(podNetworkWishes({})).toEqual({ problems: [] });
});

test("what cannot be read is left out and named; the rest counts", () => {
  const annotations = {
    "k8s.aliyun.com/ingress-bandwidth": "fast",
    "k8s.aliyun.com/egress-bandwidth": "2K",
    "k8s.aliyun.com/network-priority": "__proto__",
  };
  expect(podNetworkWishes(annotations)).toEqual({
    bandwidth: { egress: 2048 },
    problems: [
      expect.stringContaining('annotation k8s.aliyun.com/ingress-bandwidth is "fast"'),
      expect.stringContaining('annotation k8s.aliyun.com/network-priority is "__proto__"'),
    ],
  });
});
