import { simulate } from './simulate.ts';
const runs = Number(process.argv[2] ?? 20);
const from = Number(process.argv[3] ?? 0);
const t0 = performance.now();
const v = new Map<string, number>();
let steps = 0;
let acts = 0;
for (let i = from; i < from + runs; i += 1) {
  const r = await simulate({ seed: `${i}` });
  steps += r.steps;
  acts += r.activations;
  for (const [k, n] of r.verdicts) v.set(k, (v.get(k) ?? 0) + n);
  if (r.violation !== undefined) {
    console.log(r.seed, r.steps, JSON.stringify(r.violation), [...r.kinds].join(' '));
    if (runs === 1) for (const e of r.trace) console.log(`${(e.at / 1000).toFixed(3)} ${e.what}`);
  }
}
console.log({ steps, acts, ms: performance.now() - t0 }, v);
