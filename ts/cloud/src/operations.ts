/**
 * Every OpenAPI operation that this product calls. The RAM policy (docs/reference/ram-policy.md), the rate limits and the rules for repeating
 * a call are made from this list; an operation that is not in it cannot be called.
 */
export type Product = "ecs" | "vpc";

export interface Operation {
  readonly action: string;
  readonly product: Product;
  /** Entry of a RAM policy, for example `ecs:AttachNetworkInterface`. */
  readonly ramAction: string;
  /** Calls per minute of this process; mirrors the default quota of an account (reference: section 14, Terway's table). */
  readonly perMinute: number;
  /**
   * When no answer came, may the same call be sent again? `read`: always. `token`: with the same client token. `state`: not blindly, the caller
   * reads the object first.
   */
  readonly repeat: "read" | "token" | "state";
  /** It gives something back; degraded to L1, nothing is. */
  readonly releases?: true;
  readonly purpose: string;
}

export const products: Readonly<Record<Product, { readonly version: string; readonly name: string }>> = {
  ecs: { version: "2014-05-26", name: "ECS" },
  vpc: { version: "2016-04-28", name: "VPC" },
};

const ecs = (action: string, perMinute: number, repeat: Operation["repeat"], purpose: string) =>
  ({ action, product: "ecs", ramAction: `ecs:${action}`, perMinute, repeat, purpose }) as const;

export const operations = {
  DescribeInstanceTypes: ecs("DescribeInstanceTypes", 400, "read", "limits of the node's instance type"),
  DescribeNetworkInterfaces: ecs("DescribeNetworkInterfaces", 800, "read", "ENIs of the node and their addresses"),
  CreateNetworkInterface: ecs("CreateNetworkInterface", 500, "token", "a new ENI when the pool needs one"),
  AttachNetworkInterface: ecs("AttachNetworkInterface", 500, "state", "put it on the node"),
  DetachNetworkInterface: { ...ecs("DetachNetworkInterface", 400, "state", "take an idle ENI off the node"), releases: true },
  DeleteNetworkInterface: { ...ecs("DeleteNetworkInterface", 500, "state", "delete an ENI that was created for the node"), releases: true },
  AssignPrivateIpAddresses: ecs("AssignPrivateIpAddresses", 400, "token", "IPv4 addresses for pods"),
  UnassignPrivateIpAddresses: { ...ecs("UnassignPrivateIpAddresses", 400, "state", "give idle IPv4 addresses back"), releases: true },
  AssignIpv6Addresses: ecs("AssignIpv6Addresses", 400, "token", "IPv6 addresses for pods"),
  UnassignIpv6Addresses: { ...ecs("UnassignIpv6Addresses", 400, "state", "give idle IPv6 addresses back"), releases: true },
  DescribeVSwitches: {
    action: "DescribeVSwitches",
    product: "vpc",
    ramAction: "vpc:DescribeVSwitches",
    perMinute: 300,
    repeat: "read",
    purpose: "CIDR, zone and free addresses of the configured vSwitches",
  },
} as const satisfies Readonly<Record<string, Operation>>;
export type Action = keyof typeof operations;
