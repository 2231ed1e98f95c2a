// A thread that compresses: a piece comes in, its frame or, where that would save little, the piece itself goes out, in
// the order in which they came. It dies of what it cannot do: whoever started it starts another.
//
// Plain JavaScript, so that Node itself runs it, from the sources as from what is built.

import { parentPort } from 'node:worker_threads';

import { compress, init } from '@bokuweb/zstd-wasm';

const level = 3;
/** A frame larger than this part of its piece costs the receiver more than it saves on the way. */
const worthwhile = 0.9;

await init();
parentPort.on('message', (piece) => {
  const frame = compress(piece, level);
  const isWorthwhile = frame.byteLength <= piece.byteLength * worthwhile;
  const bytes = isWorthwhile ? frame : piece;
  // oxlint-disable-next-line unicorn/require-post-message-target-origin -- a thread, not a window
  parentPort.postMessage({ isFrame: isWorthwhile, bytes }, [bytes.buffer]);
});
