import { crc32c } from "./crc32c.ts";

/**
 * One frame is one atomic commit:
 *
 *   u32le length of the payload · u32le CRC-32C of everything but itself · u8 version · payload
 *
 * The length is covered by the checksum, so that a damaged length cannot make two frames look like one.
 */
const headerBytes = 9;
export const frameVersion = 1;
/** No commit comes near it; a larger length is damage, and must not make the reader wait for bytes that never were. */
const maxPayloadBytes = 16 * 1024 * 1024;

export function encodeFrame(payload: Uint8Array, version = frameVersion): Uint8Array {
  const frame = new Uint8Array(headerBytes + payload.length);
  const view = new DataView(frame.buffer);
  view.setUint32(0, payload.length, true);
  view.setUint8(8, version);
  frame.set(payload, headerBytes);
  view.setUint32(4, checksum(frame), true);
  return frame;
}

function checksum(frame: Uint8Array): number {
  const covered = new Uint8Array(frame.length - 4);
  covered.set(frame.subarray(0, 4));
  covered.set(frame.subarray(8), 4);
  return crc32c(covered);
}

export interface Frame {
  readonly version: number;
  readonly payload: Uint8Array;
}

/** All frames up to the first byte that is not part of a whole, undamaged one; `legalBytes` is where that byte stands. */
export function scanFrames(bytes: Uint8Array): { frames: Frame[]; legalBytes: number } {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const frames: Frame[] = [];
  let offset = 0;
  while (bytes.length - offset >= headerBytes) {
    const length = view.getUint32(offset, true);
    const end = offset + headerBytes + length;
    if (length > maxPayloadBytes || end > bytes.length) break;
    const frame = bytes.subarray(offset, end);
    if (checksum(frame) !== view.getUint32(offset + 4, true)) break;
    frames.push({ version: view.getUint8(offset + 8), payload: frame.subarray(headerBytes) });
    offset = end;
  }
  return { frames, legalBytes: offset };
}
