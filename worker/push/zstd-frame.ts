const frameMagic = 0xfd2fb528;
/** The first of sixteen that begin a frame which decoders pass over. */
const skippableMagic = 0x184d2a50;
/** The most that the format lets a block hold. */
const maxBlockBytes = 128 * 1024;
const blockHeaderBytes = 3;
export const skippableHeaderBytes = 8;

/**
 * A zstd frame that holds the bytes as they are: 15 bytes more for 256 KiB. It says how many there are, so that whoever
 * reads it needs no more memory than that.
 */
export function storedFrame(bytes: Uint8Array): Buffer {
  const header = frameHeader(bytes.byteLength);
  // Nothing takes a block too: a frame has a last one.
  const blocks = Math.max(1, Math.ceil(bytes.byteLength / maxBlockBytes));
  const frame = Buffer.allocUnsafeSlow(header.byteLength + blocks * blockHeaderBytes + bytes.byteLength);
  frame.set(header);
  let at = header.byteLength;
  for (let block = 0; block < blocks; block += 1) {
    const held = bytes.subarray(block * maxBlockBytes, (block + 1) * maxBlockBytes);
    const isLast = block === blocks - 1;
    // Bit 0 marks the last one; bits 1 and 2 are the kind, where zero is "as it is"; then its length.
    frame.writeUIntLE((held.byteLength << 3) | (isLast ? 1 : 0), at, blockHeaderBytes);
    frame.set(held, at + blockHeaderBytes);
    at += blockHeaderBytes + held.byteLength;
  }
  return frame;
}

/** A frame for readers that know of it; for all others it is nothing. */
export function skippableFrame(bytes: Uint8Array): Buffer {
  const frame = Buffer.allocUnsafeSlow(skippableHeaderBytes + bytes.byteLength);
  frame.writeUInt32LE(skippableMagic, 0);
  frame.writeUInt32LE(bytes.byteLength, 4);
  frame.set(bytes, skippableHeaderBytes);
  return frame;
}

/** The length of content is in one byte, two (which count from 256) or four, and is the window as well. */
function frameHeader(length: number): Buffer {
  const singleSegment = 1 << 5;
  const lengthBytes = length < 256 ? 1 : length < 256 + 65_536 ? 2 : 4;
  const header = Buffer.alloc(5 + lengthBytes);
  header.writeUInt32LE(frameMagic, 0);
  // Bits 6 and 7: how long the length is, as a power of two.
  header.writeUInt8(singleSegment | (Math.log2(lengthBytes) << 6), 4);
  header.writeUIntLE(lengthBytes === 2 ? length - 256 : length, 5, lengthBytes);
  return header;
}
