export { type Architecture, type ImageConfig, type ImageSpec, ociArchive } from "./oci.ts";
export { type TarEntry, tar } from "./tar.ts";
