import { expect, test } from "vitest";
import { cloudEndpoints } from "./endpoints.ts";

test.each([
  [{}, "https://ecs-vpc.cn-hangzhou.aliyuncs.com/", "https://vpc-vpc.cn-hangzhou.aliyuncs.com/"],
  [{ ALICLOUD_ENDPOINT_TYPE: "public" }, "https://ecs.cn-hangzhou.aliyuncs.com/", "https://vpc.cn-hangzhou.aliyuncs.com/"],
  [{ ALICLOUD_CLIENT_SCHEME: "HTTP", ECS_ENDPOINT: "10.0.0.1:8080" }, "http://10.0.0.1:8080/", "http://vpc-vpc.cn-hangzhou.aliyuncs.com/"],
  [{ ECS_ENDPOINT: "http://127.0.0.1:1", VPC_ENDPOINT: "vpc.example" }, "http://127.0.0.1:1/", "https://vpc.example/"],
])("%j", (environment, ecs, vpc) => {
  const endpoints = cloudEndpoints("cn-hangzhou", environment);
  expect([endpoints.ecs.href, endpoints.vpc.href]).toEqual([ecs, vpc]);
});
