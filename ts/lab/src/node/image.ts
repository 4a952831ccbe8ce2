import { readFile, writeFile } from "node:fs/promises";
import { ociArchive } from "@terway/image";

/** Writes an image whose only file is a static program. Not compressed: it is unpacked on the same machine at once. */
export async function writeProgramImage(file: string, reference: string, program: string, args: readonly string[]): Promise<void> {
  const path = program.split("/").at(-1) ?? program;
  const layer = [{ path, mode: 0o755, data: await readFile(program) }];
  const { archive } = ociArchive({
    reference,
    architecture: "amd64",
    config: { Entrypoint: [`/${path}`, ...args] },
    layers: [layer],
  });
  await writeFile(file, archive);
}
