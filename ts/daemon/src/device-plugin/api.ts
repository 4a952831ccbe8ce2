import { type GrpcObject, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";

/** The kubelet's device plugin API, of which we speak this version. */
export const apiVersion = "v1beta1";

const text = (id: number) => ({ type: "string", id });
const list = (type: string, id: number) => ({ rule: "repeated", type, id });
const call = (requestType: string, responseType: string) => ({ requestType, responseType });

/** Written from the published API (k8s.io/kubelet, deviceplugin/v1beta1): as much of it as a plugin needs that hands nothing into the container. */
const definition = {
  nested: {
    v1beta1: {
      nested: {
        Empty: { fields: {} },
        DevicePluginOptions: {
          fields: { preStartRequired: { type: "bool", id: 1 }, getPreferredAllocationAvailable: { type: "bool", id: 2 } },
        },
        RegisterRequest: {
          fields: { version: text(1), endpoint: text(2), resourceName: text(3), options: { type: "DevicePluginOptions", id: 4 } },
        },
        Device: { fields: { ID: text(1), health: text(2) } },
        ListAndWatchResponse: { fields: { devices: list("Device", 1) } },
        ContainerAllocateRequest: { fields: { devicesIds: list("string", 1) } },
        AllocateRequest: { fields: { containerRequests: list("ContainerAllocateRequest", 1) } },
        ContainerAllocateResponse: { fields: {} },
        AllocateResponse: { fields: { containerResponses: list("ContainerAllocateResponse", 1) } },
        Registration: { methods: { Register: call("RegisterRequest", "Empty") } },
        DevicePlugin: {
          methods: {
            GetDevicePluginOptions: call("Empty", "DevicePluginOptions"),
            ListAndWatch: { ...call("Empty", "ListAndWatchResponse"), responseStream: true },
            Allocate: call("AllocateRequest", "AllocateResponse"),
            PreStartContainer: call("Empty", "Empty"),
          },
        },
      },
    },
  },
};

/** Client of the kubelet's registry, and what a plugin serves. */
export function devicePluginApi(): { Registration: ServiceClientConstructor; DevicePlugin: ServiceClientConstructor } {
  // The library's type takes every namespace for a service, too.
  const services = loadPackageDefinition(fromJSON(definition as Parameters<typeof fromJSON>[0], { defaults: true })).v1beta1 as GrpcObject;
  // The definition above has both as services.
  return {
    Registration: services.Registration as ServiceClientConstructor,
    DevicePlugin: services.DevicePlugin as ServiceClientConstructor,
  };
}
