/**
 * Whether `text` is an https address on one of `hosts` and nothing but that; the problem in words, or undefined when it is fine.
 *
 * The upstream fetches what it is given, so this is a wall against making it fetch something else. It is an allow-list on the text
 * as written: the scheme, then exactly a listed host, then a path. Because the authority must equal a listed name character by
 * character, there is no room for userinfo, ports, numeric or IPv6 forms, look-alike letters, trailing dots or escapes, and no
 * difference between two URL parsers to exploit.
 */
export function addressProblem(text: string, hosts: ReadonlySet<string>, maxLength: number): string | undefined {
  if (text.length > maxLength) return `is longer than ${maxLength} characters`;
  if (!PRINTABLE.test(text)) return 'holds spaces, control characters or letters beyond ASCII; percent-encode them';
  if (ENCODED_BREAK.test(text)) return 'holds an encoded line break or NUL';
  const [, host] = ADDRESS.exec(text) ?? [];
  if (host === undefined) return 'is not a plain https address: https://<host>/<path>';
  if (!hosts.has(host.toLowerCase())) return `is not on an allowed host (${[...hosts].join(', ')})`;
  return undefined;
}

/** No backslash: browsers' parsers read it as a slash. */
const PRINTABLE = /^[\x21-\x5b\x5d-\x7e]+$/;
/** Also encoded twice and more: each layer of the upstream may decode once. */
const ENCODED_BREAK = /%(25)*0[0ad]/i;
const ADDRESS = /^https:\/\/([a-z0-9.-]+)(?:[/?#].*)?$/i;
