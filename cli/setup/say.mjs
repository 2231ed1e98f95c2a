// What set-up tells people: one line for each thing it does, with how long it took.

const colours = process.stderr.isTTY && process.env.NO_COLOR === undefined;
const paint = (code, text) => (colours ? `\u001B[${code}m${text}\u001B[0m` : text);
const write = (text) => process.stderr.write(text);

export function seconds(ms) {
  return `${(ms / 1_000).toFixed(1)} s`;
}

export const say = {
  note: (text) => write(`${paint(2, '·')} ${text}\n`),
  problem: (text) => write(`${paint(31, '✗')} ${text}\n`),
  /** Shows `what` while `act` runs, then how it went. `act` gives false when it failed. */
  async phase(what, act) {
    const startedAt = performance.now();
    if (process.stderr.isTTY) write(`${paint(2, '…')} ${what}`);
    const done = await act();
    const mark = done === false ? paint(31, '✗') : paint(32, '✓');
    const took = paint(2, seconds(performance.now() - startedAt));
    write(`${process.stderr.isTTY ? '\r' : ''}${mark} ${what} ${took}\n`);
    return done;
  },
};
