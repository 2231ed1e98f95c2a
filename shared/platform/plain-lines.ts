// Colours and cursor movements of programs that believe that they write to a terminal, and titles that they set.
// oxlint-disable-next-line no-control-regex
const escapes = /\u001b(?:\[[0-?]*[ -/]*[@-~]|\][^\u0007\u001b]*(?:\u0007|\u001b\\)|[@-_])/g;
// Whatever else could do more to a reader's terminal than be shown. A tab may stay.
// oxlint-disable-next-line no-control-regex
const controls = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f]/g;

/** A text from elsewhere as lines that are safe to show, none longer than `mostBytes` in UTF-8. */
export function plainLines(text: string, mostBytes: number): readonly string[] {
  const whole = text.replace(/\r?\n$/, '');
  return whole.split(/\r?\n/).map((line) => {
    // A bare carriage return starts the line anew: what is shown in the end is what follows the last one.
    const shown = line.slice(line.lastIndexOf('\r', line.length - 2) + 1);
    return cut(shown.replaceAll(escapes, '').replaceAll(controls, ''), mostBytes);
  });
}

/** Some of what was said last is blank, or only for a terminal. What came before is not even looked at: it may be much. */
const lookedAt = 4;

/** The last of what a program said, for people: lines that are safe to show, without blank ones. */
export function lastLines(text: string, mostChars: number): string {
  const last: string[] = [];
  let left = mostChars;
  const whole = text.slice(startOfLast(text, lookedAt * mostChars));
  for (const line of plainLines(whole, mostChars).toReversed()) {
    const shown = line.trimEnd();
    if (shown === '') continue;
    if (shown.length > left) break;
    last.unshift(shown);
    left -= shown.length + 1;
  }
  return last.join('\n');
}

/** Where the lines begin that are in the last so many characters, or the last line, if it is longer. */
function startOfLast(text: string, chars: number): number {
  if (text.length <= chars) return 0;
  const inside = text.indexOf('\n', text.length - chars) + 1;
  return inside > 0 && inside < text.length ? inside : text.lastIndexOf('\n', text.length - 2) + 1;
}

const ellipsis = '…';

function cut(line: string, mostBytes: number): string {
  if (Buffer.byteLength(line) <= mostBytes) return line;
  const room = Buffer.from(line).subarray(0, mostBytes - Buffer.byteLength(ellipsis));
  // A character that was cut in two is decoded as U+FFFD, at most three of them.
  return `${room.toString('utf8').replace(/\ufffd{1,3}$/, '')}${ellipsis}`;
}
