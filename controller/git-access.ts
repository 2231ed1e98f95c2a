import type { Credential } from './source/remote.ts';

/** What one command of the Git program needs to get into a remote. */
export interface GitAccess {
  /** For `-c`: later ones win there, and a setting from the environment would come before those that every command has. */
  readonly settings: readonly string[];
  readonly env: Readonly<Record<string, string>>;
}

export const openAccess: GitAccess = { settings: [], env: {} };

/**
 * The credential helper is a constant; the credential itself travels in the environment of the one command and is
 * given only to the origin that is configured.
 */
const helper =
  '!f() { test "$1" = get && printf "username=%s\\npassword=%s\\n" "$VARVE_GIT_USERNAME" "$VARVE_GIT_PASSWORD"; }; f';

/** `url`: of a remote over HTTP(S). */
export function accessWith(url: string, credential: Credential): GitAccess {
  return {
    settings: [`credential.${new URL(url).origin}.helper=${helper}`],
    env: {
      VARVE_GIT_USERNAME: credential.username.replaceAll(/[\r\n\0]/g, ''),
      VARVE_GIT_PASSWORD: credential.password.replaceAll(/[\r\n\0]/g, ''),
    },
  };
}
