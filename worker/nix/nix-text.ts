/** The text as a string literal of the Nix language: nothing in it is an expression. */
export function nixString(text: string): string {
  const escaped = text
    .replaceAll('\\', '\\\\')
    .replaceAll('"', '\\"')
    .replaceAll('${', '\\${')
    .replaceAll('\n', '\\n')
    .replaceAll('\r', '\\r')
    .replaceAll('\t', '\\t');
  return `"${escaped}"`;
}

export function nixList(texts: readonly string[]): string {
  return `[ ${texts.map(nixString).join(' ')} ]`;
}
