import type { Mutant } from '../run-mutants.ts';

const models = 'test/simulation/models';

/** The guard on a host and the worker's side of it: models here, whose counterparts are shell scripts and SSH. */
export const hostMutants: readonly Mutant[] = [
  {
    name: 'accept an equal token',
    file: `${models}/model-guard.ts`,
    from: 'compareTokens(token, highest) <= 0;',
    to: 'compareTokens(token, highest) < 0;',
  },
  {
    name: 'accept any token',
    file: `${models}/model-guard.ts`,
    from: 'compareTokens(token, highest) <= 0;',
    to: 'false;',
  },
  {
    name: 'never roll back what nobody confirmed',
    file: `${models}/model-guard.ts`,
    from: '() => rollBack(record, troubles.unconfirmed, false)',
    to: '() => {}',
  },
  {
    name: 'roll back to nothing: what failed goes on running',
    file: `${models}/model-guard.ts`,
    from: 'run(record, record.previous);',
    to: '',
  },
  {
    name: 'leave the profile behind on a roll back',
    file: `${models}/machine-system.ts`,
    from: 'restoreProfile(machine, record.profileGeneration, record.profile);',
    to: '',
  },
  {
    name: 'set profile and boot default before the confirmation',
    file: `${models}/model-guard.ts`,
    from: 'run(record, toplevel);\n    await',
    to: 'run(record, toplevel);\n    machine.profile = toplevel;\n    machine.bootDefault = toplevel;\n    await',
  },
  {
    name: 'accept a confirmation of a host that goes back already',
    file: `${models}/model-guard.ts`,
    from: 'if (record?.switchedAt === undefined || record.decided !== undefined) return;',
    to: 'if (record?.switchedAt === undefined) return;',
  },
  {
    name: 'leave open for ever what a power cut interrupted',
    file: `${models}/model-guard.ts`,
    from: '      else closeAfterBoot(record);',
    to: '',
  },
  {
    name: 'confirm over the old connection',
    file: `${models}/model-steps.ts`,
    from: 'const fresh = { patienceMs: confirmAnswerMs, isOpen: false };',
    to: 'const fresh = { patienceMs: confirmAnswerMs, isOpen: true };',
  },
  {
    name: 'confirm without a look at its health',
    file: `${models}/model-steps.ts`,
    from: "if (systems.find(deployment.toplevel).quality === 'unhealthy') {",
    to: 'if (false) {',
  },
  {
    name: 'raise no fence on a host',
    file: `${models}/model-host.ts`,
    from: 'if (raises && guard.busyWith() === undefined) machine.highest = fence;',
    to: '',
  },
  {
    name: 'take for delivered what was never pushed',
    file: `${models}/model-steps.ts`,
    from: '      if (!there) {',
    to: '      if (false) {',
  },
  {
    name: 'believe an older probe, because the clock of its worker is ahead',
    file: `${models}/model-store.ts`,
    from: 'return a.askedAt > b.askedAt || (a.askedAt === b.askedAt && a.at > b.at);',
    to: 'return a.at > b.at;',
  },
];
