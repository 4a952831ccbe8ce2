export type { CallRecord } from "./call.ts";
export { type CloudOptions, clientTokenTag, openCloud } from "./cloud.ts";
export { type AccessCredentials, type CredentialOptions, type CredentialSource, CredentialsError, openCredentials } from "./credentials.ts";
export { Degradation } from "./degradation.ts";
export { cloudEndpoints } from "./endpoints.ts";
export { type MetadataOptions, openMetadata } from "./metadata.ts";
export { assumeOidcRole, type OidcRole, oidcRoleOf } from "./oidc-role.ts";
export { type Action, type Operation, operations, type Product } from "./operations.ts";
export type { Send } from "./sdk.ts";
