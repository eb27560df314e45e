import type { Json } from '../api';
import type { Commands } from '../context';
import type { Column } from '../output';

const LIST: Column[] = [
  ['topic', 'name'], ['partitions', 'partitions'], ['kept', ({ cleanup, retentionMs }: Json) => (cleanup === 'compact' ? 'last of each key' : `${retentionMs / 86_400_000} days`)],
  ['can be filled again', ({ reEmittable }: Json) => (reEmittable === true ? 'yes' : 'no: drain it first')],
];

export const topics: Commands = (cli, act) =>
  cli.command('topics', 'The topics of the bus', (y) =>
    y
      .command('list', 'List them, and how far the relays are behind', (o) => o, act(async ({ api, out }) => {
        const page = await api.get('/v1/topics');
        out.list(LIST, page);
        out.note(`not published yet: ${page.lag.events} events of ${page.lag.tenants} tenants, for ${page.lag.seconds.toFixed(1)} s; ${page.lag.reEmitting} tenants are being re-emitted`);
        for (const { tenantId, events, seconds } of page.lag.furthestBehind as Json[]) out.note(`  ${tenantId}: ${events} events, ${seconds.toFixed(1)} s`);
      }))
      .command(
        're-emit',
        'Publish the logs again from their beginning, after topics were lost or wiped',
        (o) => o.option('topic', { type: 'string', array: true, describe: 'Only this one; may be given several times' }).example('$0 topics re-emit --topic weir.tenant.state', ''),
        act(async ({ api, out }, { topic }) => out.record([['topics', 'topics'], ['tenants', 'tenants']], await api.post('/v1/topics/re-emit', { body: topic === undefined ? {} : { topics: topic } }))),
      )
      .demandCommand(1, 'topics: what about them?'),
  );
