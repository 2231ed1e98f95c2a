import { expect, it } from 'vitest';

import { driftText } from '../../../../../controller/reconcile/plan/drift-text.ts';
import type { Drift } from '../../../../../shared/domain/drift.ts';

const at = Date.UTC(2026, 10, 26, 3, 18);
const text = (drift: Partial<Drift>): string =>
  driftText({ kind: 'switched', generation: undefined, at, sightings: [], ...drift });

it('what was done to a host is said with what it is now, when, and who may have done it', () => {
  expect(text({})).toBe(
    'it was switched to a system that is no profile generation on 26 November 2026 03:18 UTC',
  );
  expect(text({ generation: 7 })).toMatch(/^it was switched to profile generation 7 on /);
  expect(text({ kind: 'booted', generation: 6 })).toMatch(/^it was booted into profile generation 6 on /);
  expect(text({ kind: 'profile', generation: 6 })).toMatch(/^profile generation 6 was set on /);
  expect(text({ kind: 'profile' })).toMatch(/^the profile was set on /);
  expect(text({ kind: 'boot-default', at: undefined })).toBe('another system was made to boot');
  expect(
    text({
      kind: 'boot-default',
      at: undefined,
      sightings: [
        { kind: 'login', user: 'root', from: '192.0.2.1', at },
        { kind: 'login', user: 'ada', from: '192.0.2.2', at },
      ],
    }),
  ).toBe('another system was made to boot; logged in then: root from 192.0.2.1, ada from 192.0.2.2');
});
