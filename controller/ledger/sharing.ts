import type { Aim, Fact } from '../../shared/domain/facts.ts';
import { connectionKey, type Connection } from '../../shared/domain/fleet.ts';
import type { ReleasedHost } from '../../shared/domain/observation.ts';

/**
 * Gives back each fact as it is, made of what facts before it had already: the same few systems, hosts and reasons are
 * named again and again, and JSON gives a copy each time. A long history takes less than half of the memory so.
 */
export function createSharing(): (fact: Fact) => Fact {
  const texts = new Map<string, string>();
  const systems = new Map<string, ReleasedHost>();
  const connections = new Map<string, Connection>();

  function text<Text extends string>(value: Text): Text {
    const known = texts.get(value);
    if (known === value) return known as Text;
    texts.set(value, value);
    return value;
  }

  function maybeText<Text extends string>(value: Text | undefined): Text | undefined {
    return value === undefined ? undefined : text(value);
  }

  function system(value: ReleasedHost): ReleasedHost {
    const known = systems.get(value.toplevel);
    if (known?.drvPath === value.drvPath) return known;
    const fresh = { toplevel: text(value.toplevel), drvPath: text(value.drvPath) };
    systems.set(fresh.toplevel, fresh);
    return fresh;
  }

  function connection(value: Connection): Connection {
    const key = connectionKey(value);
    const known = connections.get(key);
    if (known === undefined) connections.set(key, value);
    return known ?? value;
  }

  function aim(value: Aim): Aim {
    return {
      ...value,
      revision: text(value.revision),
      tree: text(value.tree),
      toplevel: text(value.toplevel),
      drvPath: maybeText(value.drvPath),
    };
  }

  return (fact) => {
    switch (fact.kind) {
      case 'observation': {
        const { observation, key } = fact;
        const { revision, tree, author } = observation;
        return {
          ...fact,
          key: maybeText(key),
          observation: { ...observation, revision: text(revision), tree: text(tree), author: text(author) },
        };
      }
      case 'release': {
        const { key, tree, hosts } = fact.release;
        const shared = new Map([...hosts].map(([host, released]) => [host, system(released)]));
        return { ...fact, release: { ...fact.release, key: text(key), tree: text(tree), hosts: shared } };
      }
      case 'intent':
        return {
          ...fact,
          aim: aim(fact.aim),
          connection: connection(fact.connection),
          reason: text(fact.reason),
        };
      case 'outcome':
        return {
          ...fact,
          aim: aim(fact.aim),
          connection: connection(fact.connection),
          reason: text(fact.reason),
          previous: maybeText(fact.previous),
        };
      default:
        return fact;
    }
  };
}
