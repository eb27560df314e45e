/**
 * The one text of a JSON value: members sorted by UTF-16 code units, no white space, numbers as ECMAScript writes them
 * (RFC 8785). Content hashes are taken over its UTF-8 bytes.
 *
 * @throws TypeError on what JSON cannot hold (NaN, Infinity, undefined inside an array, functions); a bigint is written as digits.
 */
export function canonicalJson(value: unknown): string {
  if (value === null) return 'null';
  switch (typeof value) {
    case 'boolean':
      return value ? 'true' : 'false';
    case 'string':
      return JSON.stringify(value);
    case 'bigint':
      return value.toString();
    case 'number':
      if (!Number.isFinite(value)) throw new TypeError(`not a JSON number: ${value}`);
      return JSON.stringify(value);
    case 'object':
      return Array.isArray(value) ? array(value) : object(value as Record<string, unknown>);
    default:
      throw new TypeError(`not a JSON value: ${typeof value}`);
  }
}

const array = (values: readonly unknown[]): string => `[${values.map(canonicalJson).join(',')}]`;

function object(value: Record<string, unknown>): string {
  const members = Object.keys(value)
    .filter((name) => value[name] !== undefined)
    .sort()
    .map((name) => `${JSON.stringify(name)}:${canonicalJson(value[name])}`);
  return `{${members.join(',')}}`;
}
