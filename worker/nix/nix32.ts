/**
 * Nix's base 32, as in the names of the store and in hashes: no e, o, t or u, and the most significant digit, which
 * holds what is left over, comes first. (The manual of Nix, "Nix32 encoding"; libutil/hash.cc.)
 */
const digits = '0123456789abcdfghijklmnpqrsvwxyz';
const bitsOfDigit = 5;

export function encodeNix32(bytes: Uint8Array): string {
  let text = '';
  for (let place = Math.ceil((bytes.length * 8) / bitsOfDigit) - 1; place >= 0; place -= 1) {
    const [index, shift] = position(place);
    const pair = (bytes[index] ?? 0) | ((bytes[index + 1] ?? 0) << 8);
    text += digits.charAt((pair >> shift) & 31);
  }
  return text;
}

/** The bytes; `undefined` when the text is not what some bytes are encoded as. */
export function decodeNix32(text: string): Buffer | undefined {
  const bytes = Buffer.alloc(Math.floor((text.length * bitsOfDigit) / 8));
  // Bytes take no more digits than they need.
  if (Math.ceil((bytes.length * 8) / bitsOfDigit) !== text.length) return undefined;
  for (let place = 0; place < text.length; place += 1) {
    const digit = digits.indexOf(text.charAt(text.length - 1 - place));
    if (digit < 0) return undefined;
    const [index, shift] = position(place);
    const pair = digit << shift;
    bytes[index] = (bytes[index] ?? 0) | (pair & 0xff);
    if (pair <= 0xff) continue;
    // The first digit has bits to spare, and they are zero.
    if (index + 1 >= bytes.length) return undefined;
    bytes[index + 1] = (bytes[index + 1] ?? 0) | (pair >> 8);
  }
  return bytes;
}

/** The byte that a digit begins in, and at which bit. */
function position(place: number): readonly [index: number, shift: number] {
  const bit = place * bitsOfDigit;
  return [bit >> 3, bit & 7];
}
