/** Where archives come from. */
export interface ArchiveSource {
  /** The bytes of a path's archive, in pieces of 256 KiB but for the last: the same ones each time. They are given away. */
  read(path: string): AsyncIterable<Uint8Array>;
}

/** What a path's archive must be. */
export interface ArchiveKey {
  readonly path: string;
  /** SHA-256, in 64 hexadecimal digits. */
  readonly narHash: string;
  /** Bytes. */
  readonly narSize: number;
}

/** A part of an archive, compressed by itself. */
export interface ArchivePiece {
  /** Bytes of the archive in it. */
  readonly length: number;
  /** One zstd frame. */
  readonly frame: Uint8Array;
}
