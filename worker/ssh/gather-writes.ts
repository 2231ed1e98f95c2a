import type { Socket } from 'node:net';

type Told = (error?: Error | null) => void;

/**
 * From now on the system is given in one call what is written to a TCP socket in one go. ssh2 writes every packet in three
 * pieces, and a call for each of them costs a push more processor time than to encrypt does.
 * @param socket one whose `connect` was called: that brings the usual `write` back
 */
export function gatherWrites(socket: Socket): Socket {
  const write = socket.write.bind(socket);
  let gathers = false;
  socket.write = (bytes: Uint8Array | string, how?: BufferEncoding | Told, told?: Told): boolean => {
    if (!gathers) {
      gathers = true;
      socket.cork();
      process.nextTick(() => {
        gathers = false;
        socket.uncork();
      });
    }
    return typeof how === 'function' ? write(bytes, undefined, how) : write(bytes, how, told);
  };
  return socket;
}
