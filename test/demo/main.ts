// The story of the example fleet, on real hosts: node --import tsx test/demo/main.ts [--check]
import { AssertionError } from 'node:assert';
import { parseArgs } from 'node:util';

import { imageUnlessStopped } from '../hosts/early-stop.ts';
import { startFleet, type Fleet } from '../support/fleet.ts';
import { changeOneHost, deploy, removeRoles } from './changes.ts';
import { breakActivation, breakBuild, revert } from './failures.ts';
import { hosts, openStage } from './stage.ts';
import { createTelling, measure, type Measured, type Telling } from './telling.ts';

const chapters = [deploy, changeOneHost, removeRoles, breakBuild, breakActivation, revert];

const stop = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => stop.abort());
const stopped = new Promise<'stopped'>((resolve) => {
  stop.signal.addEventListener('abort', () => resolve('stopped'), { once: true });
});

/** True when everything was as it should be. */
async function tell(fleet: Fleet, telling: Telling): Promise<boolean> {
  const measured: Measured[] = [];
  let good = true;
  for (const chapter of chapters) {
    await telling.chapter(chapter.title, chapter.tells);
    if (stop.signal.aborted) return false;
    const { stage, settled } = await openStage(fleet, chapter === deploy);
    let says = 'the fleet comes to rest';
    try {
      const startedAt = performance.now();
      const revision = await chapter.act(stage);
      await chapter.rest(stage, revision);
      const tookMs = performance.now() - startedAt;
      await settled();
      for (const check of chapter.checks) {
        ({ says } = check);
        await check.holds(stage, revision);
        await telling.check(says);
      }
      measured.push(await measure(stage, chapter.title, revision, tookMs));
    } catch (thrown) {
      if (stop.signal.aborted) return false;
      telling.broken(says, whyOf(thrown));
      // What comes after builds on it.
      good = false;
      break;
    }
  }
  telling.table(measured);
  return good;
}

function whyOf(thrown: unknown): string {
  if (thrown instanceof AssertionError) return thrown.message;
  if (!(thrown instanceof Error)) return String(thrown);
  const cause = thrown.cause instanceof Error ? `\n${thrown.cause.message}` : '';
  return `${thrown.message}${cause}`;
}

async function main(): Promise<number> {
  const { values } = parseArgs({
    options: {
      check: { type: 'boolean', default: false },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  if (values.help) {
    process.stdout.write(
      'npm run demo            the story of the example fleet, told for people\n' +
        'npm run demo -- --check the same, at once; exits with 0 if everything was as it should be\n',
    );
    return 0;
  }
  const telling = createTelling({ paced: !values.check, signal: stop.signal });
  const startedAt = performance.now();
  if (!(await imageUnlessStopped(stopped, telling.say))) return 1;
  const fleet = await startFleet({ hosts });
  try {
    telling.say(
      `${hosts.join(', ')} and a Varve run after ${((performance.now() - startedAt) / 1_000).toFixed(1)} s`,
    );
    const told = await Promise.race([tell(fleet, telling), stopped]);
    return told === true ? 0 : 1;
  } finally {
    await fleet.close();
  }
}

try {
  process.exitCode = await main();
} catch (thrown) {
  if (!stop.signal.aborted) process.stderr.write(`${whyOf(thrown)}\n`);
  process.exitCode = 1;
}
if (stop.signal.aborted) process.exit(130);
