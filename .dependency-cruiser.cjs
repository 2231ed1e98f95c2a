/**
 * Imports point inward. Each rule says which folder may know which; whatever is not allowed for a folder is
 * forbidden to it. Only the `main.ts` files wire things together.
 */

const ours = '^(controller|worker|shared|cli|test)/';
/** Folders of `worker` that do one step each. */
const steps = ['evaluate', 'deliver', 'activate', 'probe'];
/** Folders that stand for one technology. */
const technologies = [
  '^worker/nix/',
  '^worker/ssh/',
  '^shared/platform/redis/',
  '^controller/http/',
  '^controller/source/',
  '^controller/ledger/',
];
/** What decides, as opposed to what acts on it. */
const pure = '^controller/reconcile/plan/';
/** The one file of it that may use a package, and the one package. */
const openings = '^controller/reconcile/plan/openings\\.ts$';
const croner = '(^|/)node_modules/croner/';
const mains = '^(controller|worker|cli)/main\\.ts$';

/** A rule: files of `from` may import, of ours, only what `to` matches. */
const only = (name, comment, from, to) => ({
  name,
  comment,
  severity: 'error',
  from: Array.isArray(from) ? { path: from[0], pathNot: from[1] } : { path: from },
  to: { path: ours, pathNot: to },
});

module.exports = {
  forbidden: [
    {
      name: 'no-cycles',
      comment: 'A cycle is one module that was cut in the wrong place.',
      severity: 'error',
      from: {},
      to: { circular: true },
    },
    {
      name: 'unresolvable',
      comment: 'An import that leads nowhere.',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
    {
      name: 'nothing-from-tests',
      comment: 'Programs do not know their tests.',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { path: '^test/' },
    },
    {
      name: 'no-development-packages',
      comment: 'What ships runs without the development packages.',
      severity: 'error',
      from: { pathNot: '^test/' },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    only('domain-is-alone', 'The domain imports nothing of ours.', '^shared/domain/', '^shared/domain/'),
    {
      name: 'domain-is-pure',
      comment: 'The domain does no I/O and needs no package.',
      severity: 'error',
      from: { path: '^shared/domain/' },
      to: { dependencyTypes: ['core', 'npm', 'npm-dev'] },
    },
    only(
      'contracts-know-the-domain',
      'Contracts describe the domain as JSON.',
      '^shared/contracts/',
      '^shared/(contracts|domain)/',
    ),
    only('shared-is-shared', 'What both programs use knows neither.', '^shared/', '^shared/'),
    only(
      'ports-know-the-domain',
      'A port names only domain values.',
      '^shared/platform/ports/',
      '^shared/(domain|platform/ports)/',
    ),
    {
      name: 'plan-is-pure',
      comment:
        'What plan/ holds decides over domain values: no I/O, clock or package, however far one follows it. The one ' +
        'exception is croner, which says when a window opens: cron with time zones and daylight saving is better ' +
        'kept by a library than written anew, and given the time to start from it does no I/O and answers from ' +
        'nothing else.',
      severity: 'error',
      from: { path: pure },
      to: {
        reachable: true,
        pathNot: `^(shared/domain/|shared/platform/ports/|controller/reconcile/plan/)|${croner}`,
      },
    },
    {
      name: 'croner-in-one-file',
      comment: 'What else wants to know when a window opens asks openings.ts.',
      severity: 'error',
      from: { path: '^controller/', pathNot: openings },
      to: { path: croner },
    },
    only(
      'reconcile-awaits-ports',
      'The shell around the plan reaches the world through ports only.',
      '^controller/reconcile/',
      '^(controller/reconcile/|shared/(domain|contracts|platform/ports)/)',
    ),
    only(
      'processor-awaits-ports',
      'What the simulation runs reaches the world through ports only.',
      '^worker/(processor|outcome)\\.ts$',
      '^(worker/(processor|outcome)\\.ts$|shared/(domain|platform/ports)/)',
    ),
    only('controller-alone', 'Controller and worker never meet.', '^controller/', '^(controller|shared)/'),
    only('worker-alone', 'Controller and worker never meet.', '^worker/', '^(worker|shared)/'),
    only(
      'cli-sees-contracts',
      'The command speaks to the service over its API. Only keys it makes itself: a secret stays where it was made.',
      ['^cli/', '^cli/up/'],
      '^(cli/|shared/(contracts|domain)/|shared/platform/signing-key\\.ts$)',
    ),
    only(
      'up-starts-programs',
      '`varve up` may also use what is shared: it starts the programs, it does not import them.',
      '^cli/up/',
      '^(cli|shared)/',
    ),
    ...technologies.map((technology) => ({
      name: `technologies-apart-${technology.replaceAll(/\W+/g, '-').replaceAll(/^-|-$/g, '')}`,
      comment: 'One technology does not know another; steps and main files bring them together.',
      severity: 'error',
      from: { path: technology },
      to: { path: technologies.filter((other) => other !== technology) },
    })),
    ...steps.map((step) => ({
      name: `steps-apart-${step}`,
      comment: 'A step does not know another one.',
      severity: 'error',
      from: { path: `^worker/${step}/` },
      to: { path: steps.filter((other) => other !== step).map((other) => `^worker/${other}/`) },
    })),
    only(
      'cache-knows-technologies',
      'A cache is what archives and Nix know; it knows no step.',
      '^worker/cache/',
      '^(worker/(cache|push|nix)/|shared/)',
    ),
    only(
      'push-knows-technologies',
      'Pushing brings Nix and SSH together; it knows no step.',
      '^worker/push/',
      '^(worker/(push|nix|ssh)/|shared/)',
    ),
    {
      name: 'push-is-for-deliver',
      comment:
        'Delivering is what pushes; no other step, and no technology, does. Caches have the same archives.',
      severity: 'error',
      from: { path: '^worker/', pathNot: ['^worker/(push|deliver|cache)/', mains] },
      to: { path: '^worker/push/' },
    },
    {
      name: 'nobody-imports-main',
      comment: 'A main file is a program, not a module.',
      severity: 'error',
      from: {},
      to: { path: mains },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    exclude: { path: '^(dist|coverage)/' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      extensions: ['.ts', '.mts', '.js', '.mjs', '.json'],
      exportsFields: ['exports'],
      conditionNames: ['import', 'node', 'types', 'default'],
    },
  },
};
