import { nixList, nixString } from '../nix/nix-text.ts';

/** What one process is asked for. */
export type Selection =
  | { readonly kind: 'hosts'; readonly hosts: readonly (readonly [host: string, attribute: string])[] }
  /** Every attribute that is a host name; only their names when they are more than `atMost`. */
  | { readonly kind: 'all'; readonly atMost: number };

/** A trace with this word tells where in the store the evaluated tree lies. */
export const sourceMark = 'varve-source:';

/** The context of an error that names the host being evaluated. */
export const hostContext = /while evaluating the host '([^']*)'/;

/**
 * The Nix expression that evaluates to an object with `found` (does the flake have the attribute), `outputs` and
 * `names` (what there is instead), and `hosts`. Data enters it as string literals only.
 */
export function evaluationExpression(ask: {
  readonly url: string;
  readonly attribute: string;
  readonly selection: Selection;
}): string {
  const { selection } = ask;
  return `
let
  flake = builtins.getFlake ${nixString(ask.url)};
  outputs = builtins.trace "${sourceMark} \${toString flake.sourceInfo.outPath}" flake.outputs;
  reach = value: path:
    if path == [ ] then { found = true; inherit value; }
    else if builtins.isAttrs value && builtins.hasAttr (builtins.head path) value
    then reach (builtins.getAttr (builtins.head path) value) (builtins.tail path)
    else { found = false; };
  set = reach outputs ${nixList(ask.attribute.split('.'))};
  names = if set.found then builtins.attrNames set.value else [ ];
  answer = host: attribute:
    if !(builtins.hasAttr attribute set.value) then { inherit host; missing = attribute; }
    else let toplevel = (builtins.getAttr attribute set.value).config.system.build.toplevel; in {
      inherit host;
      drvPath = toplevel.drvPath;
      toplevel = toplevel.outPath;
    };
  # Forced inside of the context, or else the error would not have it.
  one = host: attribute:
    builtins.addErrorContext "while evaluating the host '\${host}'"
      (let value = answer host attribute; in builtins.deepSeq value value);
  hosts = ${hostsExpression(selection)};
in {
  inherit (set) found;
  inherit names;
  outputs = builtins.attrNames outputs;
  hosts = if set.found then hosts else [ ];
}`;
}

function hostsExpression(selection: Selection): string {
  if (selection.kind === 'hosts') {
    const calls = selection.hosts.map(
      ([host, attribute]) => `(one ${nixString(host)} ${nixString(attribute)})`,
    );
    return `[ ${calls.join(' ')} ]`;
  }
  const valid = `builtins.filter (name: builtins.match "[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?" name != null) names`;
  return `let valid = ${valid}; in
    if builtins.length valid > ${selection.atMost} then map (host: { inherit host; }) valid
    else map (host: one host host) valid`;
}
