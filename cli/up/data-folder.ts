import { mkdir } from 'node:fs/promises';
import { createServer } from 'node:net';
import { homedir } from 'node:os';
import { isAbsolute, join, resolve } from 'node:path';
import { FleetError } from '../../shared/domain/errors.ts';

/** Where `varve up` keeps everything, unless told: root's services under /var/lib, others' under their state. */
export function defaultDataFolder(
  env: Readonly<Record<string, string | undefined>>,
  uid: number | undefined,
): string {
  if (uid === 0) return '/var/lib/varve';
  const state = env['XDG_STATE_HOME'];
  return join(state !== undefined && isAbsolute(state) ? state : join(homedir(), '.local', 'state'), 'varve');
}

/** Makes the folder, for this user only. @throws FleetError INVALID_INPUT */
export async function prepareDataFolder(path: string): Promise<string> {
  const folder = resolve(path);
  try {
    await mkdir(join(folder, 'log'), { recursive: true, mode: 0o700 });
  } catch (cause) {
    throw new FleetError({
      code: 'INVALID_INPUT',
      disposition: 'stalled',
      message: `the data folder ${folder} cannot be made`,
      hint: 'choose another one with --data',
      cause,
    });
  }
  return folder;
}

export interface ListenPlace {
  readonly address: string;
  readonly port: number;
}

/** `127.0.0.1:7420`, `[::1]:7420`, `:7420`. @throws FleetError INVALID_INPUT */
export function parseListen(text: string): ListenPlace {
  const match = /^(?:\[([0-9a-f:]+)\]|([A-Za-z0-9.-]*)):(\d{1,5})$/i.exec(text);
  const port = Number(match?.[3]);
  if (match === null || port < 1 || port > 65_535) {
    throw new FleetError({
      code: 'INVALID_INPUT',
      disposition: 'stalled',
      message: `${JSON.stringify(text.slice(0, 80))} is not an address to listen at`,
      hint: 'write it like 127.0.0.1:7420',
    });
  }
  return { address: match[1] ?? (match[2] === '' || match[2] === undefined ? '127.0.0.1' : match[2]), port };
}

/** @throws FleetError CONFLICT when something listens there already */
export async function mustBeFree(place: ListenPlace): Promise<void> {
  const server = createServer();
  try {
    await new Promise<void>((done, refuse) => {
      server.once('error', refuse);
      server.listen(place.port, place.address, done);
    });
  } catch (cause) {
    const code = cause instanceof Error && 'code' in cause ? String(cause.code) : '';
    throw new FleetError({
      code: 'CONFLICT',
      disposition: 'stalled',
      message:
        code === 'EADDRINUSE'
          ? `something listens at ${place.address}:${place.port} already`
          : `it cannot be listened at ${place.address}:${place.port} (${code})`,
      hint: 'is Varve running (varve status)? Otherwise choose another place: --listen 127.0.0.1:7421',
      cause,
    });
  } finally {
    await new Promise<void>((done) => server.close(() => done()));
  }
}
