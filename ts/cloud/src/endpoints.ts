import type { Product } from "./operations.ts";

/**
 * Where the cloud is called. Environment variables as Terway has them: `ECS_ENDPOINT`, `VPC_ENDPOINT` (host, host:port or URL),
 * `ALICLOUD_CLIENT_SCHEME` (`HTTP` or `HTTPS`), `ALICLOUD_ENDPOINT_TYPE` (`public`, else the endpoints inside the VPC, which need no Internet).
 */
export function cloudEndpoints(
  regionId: string,
  environment: Readonly<Record<string, string | undefined>>,
): Readonly<Record<Product, URL>> {
  const scheme = environment.ALICLOUD_CLIENT_SCHEME?.toLowerCase() === "http" ? "http" : "https";
  const network = environment.ALICLOUD_ENDPOINT_TYPE?.toLowerCase() === "public" ? "" : "-vpc";
  const endpoint = (product: Product) => {
    const text = environment[`${product.toUpperCase()}_ENDPOINT`] || `${product}${network}.${regionId}.aliyuncs.com`;
    return new URL(text.includes("://") ? text : `${scheme}://${text}`);
  };
  return { ecs: endpoint("ecs"), vpc: endpoint("vpc") };
}
