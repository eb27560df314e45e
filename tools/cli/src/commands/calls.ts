import type { Json } from '../api';
import { part, tenantOption, type Commands } from '../context';
import type { Column } from '../output';

const CALL: Column[] = [
  ['request', 'requestId'], ['at', 'at'], ['endpoint', 'endpoint'], ['mode', 'mode'], ['project', 'projectId'], ['token', 'tokenId'], ['prices', 'priceVersion'], ['key', ({ key, keyMode }: Json) => `${key} (${keyMode})`],
  ['cache', 'cache'], ['upstream took', 'upstreamCredits'], ['unsettled', 'unsettledCredits'], ['charged', 'chargedCredits'],
  ['in the sums of', ({ charge }: Json) => (charge === null ? undefined : charge.adjusts === null ? charge.day : `${charge.day}, adjusting ${charge.adjusts}`)],
  ['on the invoice', ({ invoice }: Json) => (invoice === null || invoice === undefined ? undefined : `${invoice.number ?? `${invoice.id} (${invoice.status})`}, lines ${invoice.lines.join(' and ')}`)],
  ['why', 'why'],
];
const ATTEMPTS: Column[] = [
  ['attempt', 'attempt'], ['state', 'state'], ['purpose', 'purpose'], ['key', 'keyId'], ['held', 'heldCredits'], ['status', 'upstreamStatus'], ['upstream took', 'upstreamCredits'], ['charged', 'chargedCredits'], ['held at', 'heldAt'], ['decided at', 'decidedAt'],
];

export const calls: Commands = (cli, act) =>
  cli.command('calls', 'Single calls', (y) =>
    y
      .command('show <request>', 'Why was I charged: a call’s attempts, key, cache and credits, by its Weir-Request-Id', (o) => o.positional('request', { type: 'string', demandOption: true }).option('tenant', tenantOption),
      act(async ({ api, out, ...context }, { request, tenant }) => {
        const call = await api.get(`/v1/tenants/${await context.tenant(tenant)}/calls/${part(request)}`);
        if (out.json) return out.raw(call);
        out.record(CALL, call);
        if (call.attempts.length > 0) out.list(ATTEMPTS, { data: call.attempts, nextCursor: null });
      }))
      .demandCommand(1, 'calls: what about them?'),
  );
