import { lookup as resolve, type LookupAddress } from 'node:dns';
import type { LookupFunction } from 'node:net';
import ipaddr from 'ipaddr.js';
import { webhookAddressRefused } from '../errors';

/** Whether an address is one of the public internet: no loopback, private, link-local, shared, documentation, mapped or reserved one. */
export function isPublic(address: string): boolean {
  if (!ipaddr.isValid(address)) return false;
  const parsed = ipaddr.process(address);
  return parsed.range() === 'unicast';
}

/**
 * For the URL of a webhook, before it is kept: https, a name or a public address, no user information.
 *
 * @throws AppError `invalid-request`
 */
export function assertDeliverable(text: string, privateToo: boolean): string {
  const url = URL.parse(text);
  if (url === null) throw webhookAddressRefused('must be a URL');
  if (url.username !== '' || url.password !== '') throw webhookAddressRefused('must not have a name or password in it');
  if (privateToo) return url.href;
  if (url.protocol !== 'https:') throw webhookAddressRefused('must begin with https://');
  const host = url.hostname.replace(/^\[|\]$/g, '');
  if (ipaddr.isValid(host) ? !isPublic(host) : !host.includes('.') || /\.(local|internal|localhost|home\.arpa)$/i.test(host)) throw webhookAddressRefused('must be an address of the public internet');
  return url.href;
}

/** Resolves a name for the connection itself, so that what was checked is what is connected to, and refuses a name of which any address is not public. */
export const publicLookup: LookupFunction = (hostname, options, done) => {
  resolve(hostname, { ...options, all: true }, (error, addresses) => {
    if (error !== null) return done(error, '', 4);
    const refused = addresses.find(({ address }) => !isPublic(address));
    if (refused !== undefined) return done(Object.assign(new Error(`${hostname} is ${refused.address}, which is no public address`), { code: 'ENOTPUBLIC' }), '', 4);
    const [first] = addresses;
    if (options.all === true) return (done as unknown as (error: null, all: LookupAddress[]) => void)(null, addresses);
    done(null, first?.address ?? '', first?.family ?? 4);
  });
};
