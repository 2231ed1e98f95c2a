import { FleetError } from '../../shared/domain/errors.ts';
import { connect } from './connect.ts';
import { hostKeyPolicy, hostKeyText } from './host-key.ts';

/**
 * The host key that a server shows now, as `type base64`. Nothing is sent after it was shown, and nothing is accepted
 * because of it: a person compares it and puts it into varve.yaml.
 * @throws FleetError HOST_UNREACHABLE
 */
export async function scanHostKey(address: string, port: number, deadlineMs = 10_000): Promise<string> {
  const connection = { address, port, user: 'nobody', hostKeys: [] };
  let shown: string | undefined;
  const stop = new FleetError({ code: 'HOST_KEY_UNKNOWN', disposition: 'stalled', message: 'only looking' });
  const { algorithms } = hostKeyPolicy(connection, '');
  try {
    const client = await connect({
      connection,
      policy: {
        algorithms,
        judge(key) {
          shown = hostKeyText(key);
          return stop;
        },
      },
      credentials: [],
      deadlineMs,
      keepaliveMs: 0,
    });
    client.end();
  } catch (thrown) {
    if (shown === undefined) throw thrown;
  }
  if (shown === undefined) throw stop;
  return shown;
}
