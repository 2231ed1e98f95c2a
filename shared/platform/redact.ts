/** Takes what is secret out of a text. */
export interface Redactor {
  (text: string): string;
  /** One more secret, from now on: one that was replaced while the program runs. */
  learn(secret: string): void;
}

const mark = '[redacted]';

/** Shorter ones would tear ordinary words apart; a secret of three letters protects nothing anyway. */
const shortestSecret = 4;

/**
 * What is secret wherever it comes from: a password in a URL, what follows an authorization header, tokens of forges
 * and clouds, private keys. Every repetition that could begin at many places is bounded: the text may be somebody
 * else's, megabytes without a line end, and must not hold up the process.
 */
const patterns: readonly (readonly [RegExp, string])[] = [
  [/(\b[a-z][a-z0-9+.-]{0,30}:\/\/)[^\s/@"'\\]+@/gi, `$1${mark}@`],
  [
    /(\bauthorization\\?["']?\s{0,8}[:=]\s{0,8}\\?["']?(?:basic|bearer|token)\s{1,8})[^\s"'\\]+/gi,
    `$1${mark}`,
  ],
  [/\b(?:gh[opusr]_[A-Za-z0-9]{30,255}|github_pat_[A-Za-z0-9_]{30,255}|glpat-[\w-]{20,255})/g, mark],
  [/\bA(?:KIA|SIA)[A-Z0-9]{16}\b/g, mark],
  [/-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----[^"-]{0,16384}(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?/g, mark],
];

/**
 * A redactor for these secrets, in every form in which they commonly appear in text: as they are, inside JSON,
 * URL-encoded, and in base64 (also as the password of a basic authorization for git's user names).
 */
export function createRedactor(secrets: readonly string[]): Redactor {
  let ordered: readonly string[] = [];
  const redact = (text: string): string => {
    let out = text;
    for (const form of ordered) out = out.replaceAll(form, mark);
    for (const [pattern, replacement] of patterns) out = out.replaceAll(pattern, replacement);
    return out;
  };
  const learn = (secret: string): void => {
    const known = [secret, secret.trim()].filter((text) => text.length >= shortestSecret);
    // The longest first: one secret may be a part of another.
    ordered = [...new Set([...ordered, ...known.flatMap(formsOf)])].sort((a, b) => b.length - a.length);
  };
  secrets.forEach(learn);
  return Object.assign(redact, { learn });
}

function formsOf(secret: string): readonly string[] {
  return [
    secret,
    JSON.stringify(secret).slice(1, -1),
    encodeURIComponent(secret),
    Buffer.from(secret, 'utf8').toString('base64'),
    ...['x-access-token', 'git', 'oauth2'].map((user) =>
      Buffer.from(`${user}:${secret}`, 'utf8').toString('base64'),
    ),
  ];
}
