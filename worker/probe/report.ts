import { z } from 'zod';

import {
  type HostRecord,
  type ProbeReport,
  type Tidied,
  rebootReasons,
} from '../../shared/domain/contact.ts';
import { FleetError } from '../../shared/domain/errors.ts';
import { isStorePath, parseDeploymentId, parseStorePath } from '../../shared/domain/names.ts';
import { endOf, parseJournalLine } from '../guard/journal.ts';
import { DriftSaid } from './drift.ts';

const optionalPath = z.string().transform((text) => (isStorePath(text) ? text : undefined));
const count = z
  .string()
  .regex(/^\d{1,15}$/)
  .transform(Number);
const optionalCount = z.string().transform((text) => (/^\d{1,15}$/.test(text) ? Number(text) : undefined));

const recordSchema = z.object({ data: z.array(z.string()), journal: z.array(z.string()) });

const reportSchema = z.object({
  current: optionalPath,
  booted: optionalPath,
  profile: optionalPath,
  profileGeneration: optionalCount,
  bootDefault: optionalPath,
  bootId: z.string(),
  owner: z.string(),
  epoch: count,
  counter: count,
  nixVersion: z.string(),
  nixos: z.boolean(),
  freeBytes: z.number(),
  locked: z.boolean(),
  rebootNeeded: z.array(z.enum(rebootReasons)),
  failedUnits: z.array(z.string()),
  restarting: z.array(z.string()),
  newlyFailed: z.array(z.string()),
  rooted: z.array(z.string()),
  records: z.array(recordSchema),
  generations: z.array(z.tuple([z.string(), z.string()])),
  collectedAgo: optionalCount,
  tidiedAgo: optionalCount,
  tidied: z.string(),
  drift: DriftSaid.nullable().transform((said) => said ?? undefined),
});

/** A report of which only the worker can say whose logins are its own. */
export type ReportSaid = Omit<ProbeReport, 'drift'> & { readonly drift: DriftSaid | undefined };

/**
 * Reads what the probe's script printed.
 * @throws FleetError NOT_NIXOS; INTERNAL when it is no report
 */
export function parseReport(text: string): ReportSaid {
  const parsed = reportSchema.safeParse(json(text));
  if (!parsed.success) throw noReport(text, parsed.error);
  const { epoch, counter, nixos, owner, records, rooted, generations, ...others } = parsed.data;
  const { collectedAgo, tidiedAgo, tidied, ...rest } = others;
  if (!nixos && rest.current === undefined) {
    throw new FleetError({
      code: 'NOT_NIXOS',
      disposition: 'stalled',
      message: 'the host does not run NixOS',
      hint: 'install NixOS on it, or take it out of the fleet',
    });
  }
  return {
    ...rest,
    owner: owner === '' ? undefined : owner,
    highestToken: epoch === 0 && counter === 0 ? undefined : { epoch, counter },
    rooted: rooted.filter(isStorePath),
    records: records.flatMap(toRecord),
    generations: generations.flatMap(([number, toplevel]) =>
      /^\d{1,15}$/.test(number) && isStorePath(toplevel) ? [{ number: Number(number), toplevel }] : [],
    ),
    tidied: tidiedAgo === undefined ? undefined : toTidied(tidied, tidiedAgo),
    collectedAgoMs: collectedAgo === undefined ? undefined : collectedAgo * 1_000,
  };
}

/** `<failures in a row> <why>`, as the host wrote it down. */
function toTidied(text: string, agoSeconds: number): Tidied {
  const [failures = '', ...why] = text.split(' ');
  const failure = why.join(' ');
  return {
    agoMs: agoSeconds * 1_000,
    failures: /^\d{1,6}$/.test(failures) ? Number(failures) : 0,
    failure: failure === '' ? undefined : failure,
  };
}

/** A record that cannot be read says nothing; the guard writes its data whole or not at all. */
function toRecord(raw: z.infer<typeof recordSchema>): readonly HostRecord[] {
  const data = new Map(
    raw.data.map((line): [string, string] => {
      const at = line.indexOf('=');
      return [line.slice(0, at), line.slice(at + 1)];
    }),
  );
  const previous = data.get('previous') ?? '';
  const lines = raw.journal.flatMap((line) => parseJournalLine(line) ?? []);
  const end = lines.findLast((line) => line.event === 'end');
  try {
    return [
      {
        deployment: parseDeploymentId(data.get('deployment') ?? ''),
        token: { epoch: Number(data.get('epoch')), counter: Number(data.get('counter')) },
        toplevel: parseStorePath(data.get('toplevel') ?? ''),
        previous: isStorePath(previous) ? previous : undefined,
        bootId: data.get('boot') ?? '',
        // Nobody who saw the window reads this: without a witness, an unconfirmed host says nothing about its toplevel.
        end: end === undefined ? undefined : endOf(end.fields, false),
      },
    ];
  } catch {
    return [];
  }
}

function json(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (thrown) {
    throw noReport(text, thrown);
  }
}

function noReport(text: string, cause: unknown): FleetError {
  return new FleetError({
    code: 'INTERNAL',
    disposition: 'transient',
    message: 'the host’s answer to a probe cannot be read',
    details: { answer: text.slice(0, 200) },
    cause,
  });
}
