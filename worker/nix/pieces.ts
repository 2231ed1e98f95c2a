import { encodeNumber, padding } from './protocol/wire.ts';

/** Puts bytes of any length together to pieces of one size. */
export interface Pieces {
  put(bytes: Uint8Array): void;
  /** Puts a text as Nix's protocols have it: its length before it, and zeros after it. */
  putText(text: Uint8Array): void;
  /** Where bytes can be put without a copy: at least one, at most a piece. `advance` says how many were. */
  room(): Buffer;
  advance(bytes: number): void;
  /** The pieces that have become full since it was last asked. */
  takeFull(): readonly Buffer[];
  /** What is left, once all has been put; it may be empty. */
  rest(): Buffer;
}

const zeros = Buffer.alloc(8);

export function createPieces(pieceBytes: number): Pieces {
  let full: Buffer[] = [];
  let piece = Buffer.allocUnsafe(pieceBytes);
  let used = 0;

  function advance(bytes: number): void {
    used += bytes;
    if (used < pieceBytes) return;
    full.push(piece);
    // Never one of before: whoever has it may not have sent it yet.
    piece = Buffer.allocUnsafe(pieceBytes);
    used = 0;
  }

  function put(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const fits = Math.min(bytes.length - at, pieceBytes - used);
      piece.set(at === 0 && fits === bytes.length ? bytes : bytes.subarray(at, at + fits), used);
      at += fits;
      advance(fits);
    }
  }

  return {
    put,
    putText(text) {
      put(encodeNumber(text.length));
      put(text);
      put(zeros.subarray(0, padding(text.length)));
    },
    room: () => piece.subarray(used),
    advance,
    takeFull() {
      if (full.length === 0) return full;
      const taken = full;
      full = [];
      return taken;
    },
    rest: () => piece.subarray(0, used),
  };
}
