import { afterAll, afterEach, beforeAll, test } from 'vitest';

import type { Closure } from '../support/private-store.ts';
import { meanwhile, meanwhileSystem } from '../support/push-meanwhile.ts';
import { createPushRig, type PushRig } from '../support/push-rig.ts';

let rig: PushRig;
let system: Closure;

beforeAll(async () => {
  rig = await createPushRig();
  system = await meanwhileSystem(rig);
});
afterEach(() => rig?.endTest());
afterAll(() => rig?.close());

test.each(meanwhile('matrix'))('while archives are sent %s', (_, happens, nearMs) =>
  happens(rig, system, nearMs),
);
