import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import { inCgroups } from '../hosts/cgroup.ts';
import { Answer, type Order, type SenderPlace, type Wish } from './push-orders.ts';

/** Our sender, as the bench has it. */
export interface Sender {
  /** How long it took there, in milliseconds. */
  tell(wish: Wish): Promise<number>;
  close(): Promise<void>;
}

/** Starts it in the cgroups that these files are of. */
export function startSender(cgroups: readonly string[], place: SenderPlace): Sender {
  const program = fileURLToPath(new URL('push-sender.ts', import.meta.url));
  const [shell, ...args] = inCgroups(cgroups, [
    ...[process.execPath, '--import', import.meta.resolve('tsx'), program, JSON.stringify(place)],
  ]);
  const child: ChildProcess = spawn(shell, args, {
    // What it has to say is for people: standard output is for figures.
    stdio: ['ignore', 2, 2, 'ipc'],
  });
  const ended = once(child, 'exit');
  const waiting = new Map<number, { resolve: (ms: number) => void; reject: (error: Error) => void }>();
  let last = 0;
  child.on('message', (message) => {
    const answer = Answer.parse(message);
    const who = waiting.get(answer.id);
    waiting.delete(answer.id);
    if (answer.kind === 'done') who?.resolve(answer.ms);
    else who?.reject(new Error(`our push failed: ${answer.why}`));
  });
  child.on('exit', (code) => {
    for (const { reject } of waiting.values()) reject(new Error(`the sender ended with ${String(code)}`));
  });
  return {
    tell(wish) {
      last += 1;
      const id = last;
      const order: Order =
        wish.kind === 'push'
          ? { ...wish, id, connection: { ...wish.connection, hostKeys: [...wish.connection.hostKeys] } }
          : { ...wish, id };
      return new Promise((resolve, reject) => {
        waiting.set(id, { resolve, reject });
        child.send(order, (error) => {
          if (error !== null) reject(error);
        });
      });
    },
    async close() {
      if (child.connected) child.disconnect();
      await ended;
    },
  };
}
