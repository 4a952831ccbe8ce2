/**
 * The errors that the simulated APIs answer, by their real codes. Status and text follow the documentation; where documents disagree the
 * status of the reference page of the operation is taken. `{…}` is filled in by the thrower.
 */
export const apiErrors = {
  // Gateway and account
  Throttling: [400, "Request was denied due to request throttling."],
  "Throttling.User": [400, "Request was denied due to user flow control."],
  "Throttling.Api": [400, "Request was denied due to api flow control."],
  ServiceUnavailable: [503, "The request has failed due to a temporary failure of the server."],
  InternalError: [500, "The request processing has failed due to some unknown error, exception or failure."],
  SignatureDoesNotMatch: [400, "Specified signature is not matched with our calculation. server string to sign is:{stringToSign}"],
  IncompleteSignature: [400, "The request signature does not conform to Aliyun standards."],
  InvalidSignatureMethod: [400, "The specified parameter SignatureMethod is not valid."],
  SignatureNonceUsed: [400, "Specified signature nonce was used already."],
  "InvalidTimeStamp.Expired": [400, "Specified time stamp or date value is expired."],
  "InvalidTimeStamp.Format": [400, "Specified time stamp or date value is not well formatted."],
  MissingAccessKeyId: [400, "AccessKeyId is mandatory for this action."],
  "InvalidAccessKeyId.NotFound": [404, "Specified access key is not found."],
  "InvalidAccessKeyId.Inactive": [400, "Specified access key is disabled."],
  MissingSecurityToken: [400, "SecurityToken is mandatory for this action."],
  "InvalidSecurityToken.Expired": [400, "Specified SecurityToken is expired."],
  "InvalidSecurityToken.Malformed": [400, "Specified SecurityToken is malformed."],
  "InvalidSecurityToken.MismatchWithAccessKey": [400, "Specified SecurityToken mismatch with the AccessKey."],
  "Forbidden.RAM": [403, "User not authorized to operate on the specified resource, or this API doesn't support RAM."],
  "InvalidAction.NotFound": [404, "Specified api is not found, please check your url and method."],
  "InvalidApi.NotFound": [404, "Specified api is not found, please check your url and method."],
  InvalidVersion: [400, "Specified parameter Version is not valid."],
  UnsupportedHTTPMethod: [400, "The http method {method} is not supported."],
  MissingParameter: [400, 'The input parameter "{name}" that is mandatory for processing this request is not supplied.'],
  InvalidParameter: [400, "The specified parameter {name} is not valid. {reason}"],
  "InvalidParameter.Conflict": [400, "The specified parameters {name} and {other} must not be given together."],
  UnsupportedParameter: [400, "The parameter {name} is not supported."],
  "InvalidRegionId.NotFound": [404, "The specified RegionId does not exist."],
  IdempotentParameterMismatch: [400, "The specified ClientToken was used with other parameters."],

  // Create
  "InvalidVSwitchId.NotFound": [404, "The specified VSwitchId {id} does not exist."],
  "InvalidVSwitchId.IpNotEnough": [403, 'The specified VSwitch "{id}" has not enough IpAddress.'],
  "InvalidVSwitchId.IpPrefixNotEnough": [403, 'The specified VSwitch "{id}" has not enough IpPrefix.'],
  "InvalidVSwitchId.IpInvalid": [403, "The specified private IP {address} is not in the VSwitch {id}."],
  "QuotaExceeded.PrivateIpAddress": [400, "The private IP addresses of VSwitch {id} are used up."],
  "InvalidIp.IpAssigned": [403, "The specified IP {address} is already assigned."],
  "InvalidIp.IpRepeated": [400, "The specified IP {address} is given more than once."],
  "InvalidIp.Address": [400, "The specified IP {address} is not valid."],
  "InvalidVSwitch.Ipv6NotTurnOn": [403, "The VSwitch {id} has no IPv6 CIDR block."],
  IncorrectVSwitchStatus: [400, "The current VSwitch status does not support this operation."],
  "InvalidSecurityGroupId.NotFound": [404, "The specified SecurityGroupId {id} does not exist."],
  "InvalidSecurityGroupId.NotVpc": [403, "The specified SecurityGroupId {id} is not in the VPC of the VSwitch."],
  SecurityGroupInstanceLimitExceed: [403, "The maximum number of instances in the security group {id} is exceeded."],
  SecurityGroupLimitExceeded: [403, "The maximum number of security groups of an ENI is exceeded."],
  "EnterpriseGroupLimited.MutliGroupType": [403, "The specified ENI must not join security groups of different types."],
  MaxEniCountExceeded: [403, "The maximum number of ENIs of the account is exceeded."],
  "QuotaExceed.Tags": [400, "The maximum number of tags is exceeded."],
  "Duplicate.TagKey": [400, "The tag key {key} is given more than once."],
  "InvalidTagKey.Malformed": [400, "The specified Tag.n.Key {key} is not valid."],
  "InvalidTagValue.Malformed": [400, "The specified Tag.n.Value is not valid."],
  "InvalidResourceType.NotFound": [404, "The ResourceType provided does not exist in our records."],
  "InvalidResourceId.NotFound": [404, "The specified resource {id} is not found."],

  // Attach, detach, delete
  "InvalidEniId.NotFound": [404, "The specified EniId {id} is not found."],
  "InvalidEcsId.NotFound": [404, "The specified EcsId {id} is not found."],
  "InvalidInstanceId.NotFound": [404, "The specified InstanceId {id} does not exist."],
  "InvalidOperation.InvalidEniState": [
    400,
    "The operation is not allowed in the current status of the ENI {id}: {current}; expected {expected}.",
  ],
  "InvalidOperation.InvalidEcsState": [400, "The operation is not allowed in the current status of the instance {id}: {current}."],
  "InvalidOperation.InvalidEniType": [403, "The operation is not allowed for an ENI of type {type}."],
  "InvalidOperation.EniServiceManaged": [403, "The ENI {id} is managed by another service."],
  EniPerInstanceLimitExceeded: [403, "The maximum number of ENIs of the instance {id} is exceeded."],
  "InvalidOperation.AvailabilityZoneMismatch": [403, "The ENI and the instance are not in the same zone."],
  "InvalidOperation.VpcMismatch": [403, "The ENI and the instance are not in the same VPC."],
  "InvalidOperation.DetachPrimaryEniNotAllowed": [400, "The primary ENI cannot be detached."],
  "InvalidParameter.EniNotBelongEcs": [400, "The ENI {id} is not attached to the instance {instance}."],
  "InvalidOperation.InstanceTypeNotSupportEniTrunking": [403, "The instance type does not support a trunk ENI."],
  "InvalidOperation.TrunkingIsNotAllowed": [403, "The instance has a trunk ENI already."],
  "InvalidOperation.InvalidTrunkEniStatus": [403, "The trunk ENI is not in use."],
  "InvalidParameter.EniNotBelongTrunk": [403, "The ENI is not a member of the trunk ENI."],
  "InvalidOperation.EniTypeNotSupportTrunking": [403, "The type of the ENI does not support trunking."],
  "InvalidOperation.HasMemberEniAttached": [403, "The trunk ENI has member ENIs."],
  "InvalidOperation.MaxEniQueueNumberExceeded": [403, "The queue number exceeds the maximum of the instance type."],

  // Security groups
  "InvalidVpcId.NotFound": [404, "Specified VPC does not exist."],
  "QuotaExceed.SecurityGroup": [403, "The maximum number of security groups is reached."],
  "InvalidSecurityGroupName.Malformed": [400, "Specified security group name is not valid."],
  "InvalidSecurityGroupDiscription.Malformed": [400, "Specified security group description is not valid."],
  "InvalidParams.GroupType": [400, "The specified security group type is not valid."],
  DependencyViolation: [403, "{reason}"],
  "InvalidPolicy.Malformed": [400, 'The specified parameter "{name}" is not valid.'],
  "InvalidPriority.Malformed": [400, "The parameter Priority is invalid."],
  "InvalidPriority.ValueNotSupported": [400, "The parameter Priority is invalid."],
  "InvalidIpProtocol.ValueNotSupported": [
    400,
    "The parameter IpProtocol must be specified with case insensitive TCP, UDP, ICMP, ICMPv6, GRE or All.",
  ],
  "InvalidParam.PortRange": [400, "The specified parameter {name} is not valid. It should be two integers less than 65535 in ?/? format."],
  OperationDenied: [400, "The specified IpProtocol does not exist or IpProtocol and PortRange do not match."],
  "InvalidNicType.ValueNotSupported": [400, "The specified NicType does not exist."],
  "InvalidSourceCidrIp.Malformed": [400, "The specified parameter SourceCidrIp is not valid."],
  "InvalidDestCidrIp.Malformed": [400, "The specified parameter DestCidrIp is not valid."],
  "InvalidParam.Ipv6SourceCidrIp": [400, "The specified parameter Ipv6SourceCidrIp is not valid."],
  "InvalidParam.Ipv6DestCidrIp": [400, "The specified parameter Ipv6DestCidrIp is not valid."],
  "InvalidParam.SourceIp": [400, "The Parameters SourceCidrIp and Ipv6SourceCidrIp cannot be set at the same time."],
  "InvalidParam.DestIp": [400, "The Parameters DestCidrIp and Ipv6DestCidrIp cannot be set at the same time."],
  "InvalidParam.Ipv4ProtocolConflictWithIpv6Address": [400, "IPv6 address cannot be specified for IPv4-specific protocol."],
  "InvalidParam.Ipv6ProtocolConflictWithIpv4Address": [400, "IPv4 address cannot be specified for IPv6-specific protocol."],
  "MissingParameter.Source": [400, "One of the parameters SourceCidrIp, Ipv6SourceCidrIp or SourceGroupId must be specified."],
  "MissingParameter.Dest": [400, "One of the parameters DestCidrIp, Ipv6DestCidrIp or DestGroupId must be specified."],
  "InvalidSourceGroupId.NotFound": [404, "The SourceGroupId provided does not exist in our records."],
  "InvalidDestGroupId.NotFound": [404, "The DestGroupId provided does not exist in our records."],
  "InvalidSourceGroupId.Mismatch": [400, "Specified security group and source group are not in the same VPC."],
  "InvalidDestGroupId.Mismatch": [400, "Specified security group and destination group are not in the same VPC."],
  "InvalidParamter.Conflict": [403, "The specified SecurityGroupId should be different from the SourceGroupId."],
  "InvalidSecurityGroup.IsSame": [403, "The authorized SecurityGroupId should be different from the DestGroupId."],
  "InvalidOperation.EnterpriseGroupAuthorizeGroup": [403, "An advanced security group cannot authorize another security group."],
  "InvalidOperation.EnterpriseGroupInnerAccess": [403, "The inner access policy of an advanced security group cannot be changed."],
  AuthorizationLimitExceed: [403, "The limit of authorization records in the security group reaches."],
  "InvalidSecurityGroupRuleId.NotFound": [404, "The specified SecurityGroupRuleId {id} does not exist."],
  "InvalidInstanceId.AlreadyExists": [403, "The specified instance already exists in the specified security group."],
  "InvalidParam.EniIdAndInstanceId.Conflict": [403, "InstanceId and NetworkInterfaceId must not be given together."],
  "InvalidSecurityGroupAssociation.NotFound": [400, "{id} is not associated with the security group {group}."],
  "InvalidOperation.AtLeastInOneGroup": [403, "The ENI {id} must be in at least one security group."],
  InstanceLastSecurityGroup: [403, "The specified security group is the last security group for the instance."],

  // Assign, unassign
  "InvalidOperation.Ipv4CountExceeded": [403, "The maximum number of IPv4 addresses of the ENI {id} is exceeded."],
  "InvalidOperation.Ipv6CountExceeded": [403, "The maximum number of IPv6 addresses of the ENI {id} is exceeded."],
  "InvalidOperation.Ipv6NotSupport": [403, "The instance type does not support IPv6."],
  "Operation.Conflict": [403, "Request was denied due to conflict with a previous request, ecs task is conflicted."],
  "InvalidIp.IpUnassigned": [403, "The specified IP {address} is not assigned to the ENI."],
} as const satisfies Record<string, readonly [status: number, message: string]>;

export type ApiErrorCode = keyof typeof apiErrors;

export interface AccessDeniedDetail {
  readonly AuthAction: string;
  readonly AuthPrincipalType: string;
  readonly AuthPrincipalDisplayName: string;
  readonly AuthPrincipalOwnerId: string;
  readonly NoPermissionType: "ImplicitDeny" | "ExplicitDeny";
  readonly PolicyType: string;
  readonly EncodedDiagnosticMessage: string;
}

/** A refusal by the simulated cloud: code, HTTP status and text as the real one writes them. */
export class ApiError extends Error {
  override readonly name = "ApiError";
  readonly code: string;
  readonly status: number;
  readonly accessDeniedDetail?: AccessDeniedDetail;

  constructor(code: string, status: number, message: string, accessDeniedDetail?: AccessDeniedDetail) {
    super(message);
    this.code = code;
    this.status = status;
    if (accessDeniedDetail !== undefined) this.accessDeniedDetail = accessDeniedDetail;
  }
}

export function apiError(code: ApiErrorCode, fields: Readonly<Record<string, string>> = {}): ApiError {
  const [status, template] = apiErrors[code];
  return new ApiError(code, status, template.replace(/\{(\w+)\}/g, (_, name: string) => fields[name] ?? "").trim());
}

export function isApiErrorCode(code: string): code is ApiErrorCode {
  return Object.hasOwn(apiErrors, code);
}
