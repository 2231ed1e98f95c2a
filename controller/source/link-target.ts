/** As the kernel: more links on the way than this are a loop. */
const mostLinks = 40;

/**
 * Whether following a symbolic link leads out of the tree at any step, through other links too. Absolute targets do.
 * A link to nothing, or in a circle, inside the tree does not.
 *
 * @param links every link of the tree: path → target
 * @param effort what may still be spent on this tree, in parts of paths. Once nothing is left, links count as leaving.
 */
export function linkLeavesTree(
  path: string,
  links: ReadonlyMap<string, string>,
  effort: { left: number } = { left: Infinity },
): boolean {
  const rest = path.split('/').reverse();
  const at: string[] = [];
  let followed = 0;
  for (let part = rest.pop(); part !== undefined; part = rest.pop()) {
    if (part === '' || part === '.') continue;
    if (part === '..') {
      if (at.pop() === undefined) return true;
      continue;
    }
    at.push(part);
    effort.left -= at.length;
    if (effort.left < 0) return true;
    const target = links.get(at.join('/'));
    if (target === undefined) continue;
    followed += 1;
    if (followed > mostLinks) return false;
    if (target.startsWith('/')) return true;
    at.pop();
    rest.push(...target.split('/').reverse());
  }
  return false;
}
