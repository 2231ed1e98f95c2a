import type { Fact, FactOf } from '../../shared/domain/facts.ts';
import type { TestedBranch } from '../../shared/domain/testing.ts';
import {
  parseDeploymentId,
  parseDrvPath,
  parseHostName,
  parseRevision,
  parseStorePath,
  parseTree,
} from '../../shared/domain/names.ts';

const hash = '0123456789abcdfghijklmnpqrsvwxyz';
export const web1 = parseHostName('web1');
export const web2 = parseHostName('web2');
const toplevel = parseStorePath(`/nix/store/${hash}-nixos-system-web1`);
const drvPath = parseDrvPath(`/nix/store/${hash}-nixos-system-web1.drv`);
const revision = parseRevision('ab'.repeat(20));
const tree = parseTree('cd'.repeat(20));
const gate = { address: 'gate.example', port: 22, user: 'root', hostKeys: ['ssh-ed25519 BBBB'] };
const connection = {
  address: 'web1.example',
  port: 22,
  user: 'root',
  hostKeys: ['ssh-ed25519 AAAA'],
  via: gate,
};
const failure = {
  code: 'ACTIVATION_FAILED',
  disposition: 'stalled',
  message: 'exit status 1',
  hint: 'see the log',
  details: { status: '1' },
} as const;

function anAim(n: number, host = web1): FactOf<'intent'>['aim'] {
  return {
    deployment: parseDeploymentId(`dmhx0000${String(n).padStart(6, '0')}`),
    host,
    observation: n,
    revision,
    tree,
    toplevel,
    drvPath,
    action: 'activate',
    mode: 'switch',
    token: { epoch: 1, counter: n },
  };
}

export const aGenesis: Fact = { kind: 'genesis', at: 1_000, owner: 'feedc0de' };

export function anObservation(n: number): FactOf<'observation'> {
  return {
    kind: 'observation',
    at: 1_000 + n,
    observation: { n, revision, tree, at: 1_000 + n, forced: false, author: 'Ada', subject: `commit ${n}` },
    key: `${tree}.0`,
  };
}

export function anIntent(n: number, host = web1): FactOf<'intent'> {
  return {
    kind: 'intent',
    at: 2_000 + n,
    aim: anAim(n, host),
    connection,
    reason: 'it changed',
    createdAt: 1_900,
  };
}

export function anOutcome(n: number, host = web1): FactOf<'outcome'> {
  return {
    kind: 'outcome',
    at: 3_000 + n,
    aim: anAim(n, host),
    phase: 'rolled-back',
    connection,
    delivery: { builds: 1, pushedPaths: 2, pushedBytes: 3, durationMs: 4.5 },
    previous: toplevel,
    failure,
    evidence: true,
    reason: 'it changed',
    createdAt: 1_900,
    timeline: { pending: 1_900, delivering: 1_950 },
  };
}

const aTestedBranch: TestedBranch = {
  ...{ revision, tree, author: 'Ada', subject: 'a try' },
  ...{ ignored: undefined, onto: revision, key: `${tree}.2` },
};

const aPin = { kind: 'pin', at: 1_900, host: web1, by: 'ada', reason: 'it is on fire' } as const;

/** One of each kind, with everything that may be absent there, and then one of each that can be without. */
export const everyKind: readonly Fact[] = [
  aGenesis,
  { kind: 'epoch', at: 1_001, epoch: 1, leader: 'controller-a' },
  anObservation(1),
  { ...anObservation(2), key: undefined },
  {
    kind: 'release',
    at: 1_100,
    release: {
      key: `${tree}.0`,
      tree,
      hosts: new Map([
        [web1, { drvPath, toplevel }],
        [web2, { drvPath, toplevel }],
      ]),
    },
    durationMs: 812.25,
  },
  { kind: 'evaluation-failed', at: 1_200, key: `${tree}.1`, tree, failure },
  { kind: 'adopted', at: 1_300, host: web1, by: 'ada', takeover: true, running: toplevel, connection },
  { kind: 'adopted', at: 1_301, host: web2, by: 'ada', takeover: false, running: undefined, connection },
  { kind: 'adopt-asked', at: 1_302, host: web2, by: 'ada', takeover: false },
  anIntent(1),
  anOutcome(1),
  { ...anOutcome(2, web2), phase: 'succeeded', delivery: undefined, previous: undefined, failure: undefined },
  {
    kind: 'hold',
    at: 1_400,
    scope: { kind: 'host', host: web1 },
    by: 'ada',
    reason: 'line one\nline "two" ü \u0000',
    until: 9_000,
  },
  { kind: 'hold', at: 1_401, scope: { kind: 'host', host: web1 }, by: 'ada', reason: '', until: undefined },
  { kind: 'hold-lifted', at: 1_402, scope: { kind: 'host', host: web1 }, by: 'ada' },
  { kind: 'retry', at: 1_500, host: undefined, by: 'ada', drift: undefined },
  {
    kind: 'retry',
    at: 1_500,
    host: web1,
    by: 'ada',
    drift: { current: toplevel, profile: undefined, bootDefault: toplevel },
  },
  {
    kind: 'hold',
    at: 1_601,
    scope: { kind: 'group', group: 'routers' },
    by: 'ada',
    reason: 'x',
    until: 9_000,
  },
  { kind: 'hold-lifted', at: 1_602, scope: { kind: 'fleet' }, by: 'ada' },
  { kind: 'suspended', at: 1_610, by: 'ada', reason: 'an incident' },
  { kind: 'resumed', at: 1_611, by: 'eve' },
  { kind: 'override', at: 1_620, scope: { kind: 'fleet' }, by: 'ada', reason: 'a leak', until: 9_000 },
  { kind: 'approved', at: 1_630, observation: 1, gate: { kind: 'group', name: 'routers' }, by: 'ada' },
  { kind: 'testing', at: 1_700, host: web1, branch: aTestedBranch },
  { kind: 'testing', at: 1_701, host: web1, branch: { ...aTestedBranch, ignored: 'it is not on top' } },
  { kind: 'testing', at: 1_702, host: web1, branch: undefined },
  {
    kind: 'rollout',
    at: 1_800,
    observation: 1,
    change: { kind: 'began', absent: [web2], keepsTrials: true },
  },
  { kind: 'rollout', at: 1_801, observation: 1, change: { kind: 'wave-passed', wave: 'canary' } },
  {
    kind: 'rollout',
    at: 1_802,
    observation: 1,
    change: { kind: 'wave-failed', wave: 'rest', reason: 'no', hosts: [web2] },
  },
  { kind: 'rollout', at: 1_803, observation: 1, change: { kind: 'ended' } },
  { ...aPin, cause: 'person', to: { toplevel, drvPath, observation: 1 }, from: toplevel },
  {
    ...aPin,
    at: 1_901,
    cause: 'wave',
    to: { toplevel, drvPath: undefined, observation: 0 },
    from: undefined,
  },
];
