import type { ReadServiceConfig, ServiceConfigInput } from './service-config-text.ts';

/** Secrets of the service configuration, each read from where it says. */
export interface Secrets {
  read(
    path: readonly PropertyKey[],
    ref: { readonly file?: string | undefined; readonly env?: string | undefined },
  ): string;
  /** Every one that was read, for the redactor. */
  readonly all: readonly string[];
}

/** What cannot be read is complained of. */
export function createSecrets(input: ServiceConfigInput, read: ReadServiceConfig): Secrets {
  const all: string[] = [];
  return {
    all,
    read(path, ref) {
      const secret = lookUp(path, ref).replace(/\r?\n$/, '');
      if (secret !== '') all.push(secret);
      return secret;
    },
  };

  function lookUp(path: readonly PropertyKey[], ref: Parameters<Secrets['read']>[1]): string {
    if (ref.file !== undefined) {
      try {
        const text = input.readFile(ref.file);
        if (text.trim() === '') read.complain([...path, 'file'], `${ref.file} is empty`);
        return text;
      } catch (thrown) {
        const why = thrown instanceof Error && 'code' in thrown ? String(thrown.code) : 'it cannot be read';
        read.complain([...path, 'file'], `${ref.file}: ${why}`);
        return '';
      }
    }
    const text = ref.env === undefined ? undefined : input.env[ref.env];
    if (text === undefined || text === '')
      read.complain([...path, 'env'], `the variable ${ref.env} is not set`);
    return text ?? '';
  }
}
