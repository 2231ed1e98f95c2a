import { afterEach, beforeEach } from 'vitest';
import type { DeploymentStore } from '../../shared/platform/ports/deployment-store.ts';
import { eventually } from '../support/eventually.ts';

/** A store for one test: empty, shared by everyone who opens it. */
export interface StoreRig {
  /** One more process's view of the same store. */
  open(): Promise<DeploymentStore>;
  /** The server is killed. */
  down(): Promise<void>;
  /** It is back with the data that it had. */
  up(): Promise<void>;
  /** It is back without any data. */
  upEmpty(): Promise<void>;
  close(): Promise<void>;
}

/** What a suite has in its hands: two views of one store, opened anew for each test. */
export interface StoreBench {
  readonly rig: StoreRig;
  readonly store: DeploymentStore;
  readonly other: DeploymentStore;
  /** Waits until every view talks to the server again. */
  back(): Promise<void>;
}

/** Sets up and clears a bench around each test of the suite that calls it; the function gives the present one. */
export function storeBench(make: () => Promise<StoreRig>): () => StoreBench {
  let bench: StoreBench | undefined;
  const present = () => {
    if (bench === undefined) throw new Error('there is a bench only inside a test');
    return bench;
  };
  beforeEach(async () => {
    const rig = await make();
    const store = await rig.open();
    const other = await rig.open();
    bench = {
      rig,
      store,
      other,
      async back() {
        for (const view of [store, other]) {
          await eventually(() => view.list().then(() => true), {
            what: 'a store that answers again',
            deadlineMs: 10_000,
          });
        }
      },
    };
  });
  afterEach(async () => {
    await bench?.rig.close();
    bench = undefined;
  });
  return present;
}
