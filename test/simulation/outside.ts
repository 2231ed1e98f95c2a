import type { HostName } from '../../shared/domain/names.ts';
import { parseHostName } from '../../shared/domain/names.ts';
import type { Commit, Repository, TreeContent } from './models/model-source.ts';
import type { Features } from './features.ts';
import { qualities, type Content, type Quality } from './models/systems.ts';
import type { Random } from './random.ts';

/** What people do to the repository, one act at a time. */
export interface Outside {
  act(): string;
  /** The last word before the faults stop: a tree that can be followed. */
  settle(): string;
}

interface Act {
  readonly what: string;
  readonly weight: number;
  act(): Commit;
}

export function hostNames(count: number): readonly HostName[] {
  return Array.from({ length: count }, (_, i) => parseHostName(`host${i + 1}`));
}

export function firstContent(names: readonly HostName[]): TreeContent {
  return {
    hosts: new Map(names.map((name) => [name, { variant: 0, quality: 'good', port: 22 }])),
    readme: 0,
    evaluates: true,
    manifestIsValid: true,
  };
}

export function createOutside(deps: {
  readonly random: Random;
  readonly repository: Repository;
  readonly names: readonly HostName[];
  readonly features: Features;
}): Outside {
  const { random, repository, names } = deps;
  let variants = 0;

  function content(before: Content | undefined): Content {
    const quality: Quality = random.chance(0.6) ? 'good' : random.pick(qualities);
    const port = random.chance(0.1) ? 22 + random.int(3) : (before?.port ?? 22);
    variants += 1;
    return { variant: variants, quality, port };
  }

  function change(tree: TreeContent): TreeContent {
    const hosts = new Map(tree.hosts);
    for (const name of names) {
      if (hosts.has(name) && random.chance(0.5)) hosts.set(name, content(hosts.get(name)));
    }
    return { ...tree, hosts };
  }

  function addOrRemove(tree: TreeContent): TreeContent {
    const hosts = new Map(tree.hosts);
    const name = random.pick(names);
    if (hosts.has(name) && hosts.size > 1) hosts.delete(name);
    else if (!hosts.has(name)) hosts.set(name, content(undefined));
    return { ...tree, hosts };
  }

  /** Something that can be followed. */
  function mended(tree: TreeContent): TreeContent {
    const hosts = tree.hosts.size > 0 ? tree.hosts : firstContent(names).hosts;
    return { ...tree, hosts, evaluates: true, manifestIsValid: true };
  }

  /** A new commit with the tree of an older one. */
  function revertTo(commit: Commit): Commit {
    return repository.commit(commit.content);
  }

  function force(commit: Commit): Commit {
    repository.force(commit);
    return commit;
  }

  /** With another system for one host; the same one where it has nothing of its own. */
  function withHost(tree: TreeContent, host: HostName, one: Content | undefined): TreeContent {
    return one === undefined ? tree : { ...tree, hosts: new Map([...tree.hosts, [host, one]]) };
  }

  function test(host: HostName): Commit {
    const head = repository.head();
    const now = head.content.hosts.get(host);
    // How a host is reached is the tracked ref's to say.
    const tested = withHost(head.content, host, now && { ...content(now), port: now.port });
    return repository.test(host, { ...tested, evaluates: tested.evaluates && random.chance(0.9) }, head);
  }

  function rebase(host: HostName): Commit {
    const head = repository.head();
    const branch = repository.tests().get(host);
    const now = head.content.hosts.get(host);
    const own = branch?.content.hosts.get(host);
    if (branch === undefined || now === undefined || own === undefined) return head;
    const { evaluates } = branch.content;
    const onTop = withHost({ ...head.content, evaluates }, host, { ...own, port: now.port });
    return repository.test(host, onTop, head);
  }

  /** `squashed`: another commit with the same tree. */
  function merge(host: HostName, squashed: boolean): Commit {
    const branch = repository.tests().get(host);
    if (branch === undefined || !repository.isFollowed(branch)) return repository.head();
    return squashed ? repository.commit(branch.content) : force(branch);
  }

  const testing: readonly Act[] = [
    { what: 'push to a testing branch', weight: 3, act: () => test(random.pick(names)) },
    { what: 'rebase of a testing branch', weight: 2, act: () => rebase(random.pick(names)) },
    { what: 'merge of a testing branch', weight: 3, act: () => merge(random.pick(names), false) },
    { what: 'merge of a testing branch, squashed', weight: 1, act: () => merge(random.pick(names), true) },
    {
      what: 'testing branch deleted',
      weight: 1,
      act() {
        repository.pointTest(random.pick(names), undefined);
        return repository.head();
      },
    },
  ];

  const acts: Act[] = [
    { what: 'commit', weight: 6, act: () => repository.commit(change(repository.head().content)) },
    {
      what: 'commit of a readme',
      weight: 1,
      act: () => {
        const { content: now } = repository.head();
        return repository.commit({ ...now, readme: now.readme + 1 });
      },
    },
    {
      what: 'revert of the newest',
      weight: 3,
      act: () => revertTo(repository.head().parent ?? repository.head()),
    },
    { what: 'revert to an older tree', weight: 1, act: () => revertTo(random.pick(repository.heads())) },
    { what: 'force push', weight: 1, act: () => force(random.pick(repository.heads())) },
    {
      what: 'commit that does not evaluate',
      weight: 1,
      act: () => repository.commit({ ...change(repository.head().content), evaluates: false }),
    },
    {
      what: 'commit with an invalid manifest',
      weight: 0.5,
      act: () => repository.commit({ ...repository.head().content, manifestIsValid: false }),
    },
    {
      what: 'commit that mends what cannot be followed',
      weight: 2,
      act: () => repository.commit(mended(repository.head().content)),
    },
    {
      what: 'commit that adds or removes a host',
      weight: 0.5,
      act: () => repository.commit(addOrRemove(repository.head().content)),
    },
    {
      what: 'commit that removes every host',
      weight: 0.2,
      act: () => repository.commit({ ...repository.head().content, hosts: new Map() }),
    },
  ];
  if (deps.features.has('testing')) acts.push(...testing);
  const total = acts.reduce((sum, { weight }) => sum + weight, 0);

  return {
    act() {
      let at = random.next() * total;
      const chosen = acts.find(({ weight }) => (at -= weight) < 0) ?? acts[0];
      if (chosen === undefined) return 'nothing';
      const { revision } = chosen.act();
      return `${chosen.what}: ${revision.slice(0, 8)}`;
    },
    settle() {
      const { content: now } = repository.head();
      if (now.evaluates && now.manifestIsValid && now.hosts.size > 0) return 'nothing';
      repository.commit(mended(now));
      return 'commit that mends what cannot be followed';
    },
  };
}
