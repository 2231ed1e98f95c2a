import { afterAll, afterEach, beforeAll, test } from 'vitest';

import { contents, contentsOf, expectArrives } from '../support/push-contents.ts';
import { createPushRig, type PushRig } from '../support/push-rig.ts';

let rig: PushRig;
let closure: Awaited<ReturnType<typeof contentsOf>>;

beforeAll(async () => {
  rig = await createPushRig();
  closure = await contentsOf(rig);
});
afterEach(() => rig?.endTest());
afterAll(() => rig?.close());

test.each(contents('matrix'))('archives arrive whole: %s', (_, kind, nearMs) =>
  expectArrives(rig, closure(kind), nearMs),
);
