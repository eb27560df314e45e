import { limitOption, type Commands } from '../context';
import type { Column } from '../output';

const LIST: Column[] = [['tenant', 'tenantId'], ['events', 'events'], ['seconds', ({ seconds }) => seconds.toFixed(1)], ['since', 'since'], ['', ({ reEmitting }) => (reEmitting === true ? 'being re-emitted' : '')]];
const ONE: Column[] = [
  ['tenant', 'tenantId'], ['not published', ({ events }) => `${events} events`], ['for', ({ seconds }) => `${seconds.toFixed(1)} s`],
  ['published up to', 'published'], ['caught up', 'caughtUpAt'], ['being re-emitted', ({ reEmitting }) => (reEmitting === true ? 'yes' : 'no')],
];
const PLATFORM = 'ten_platform';

export const relay: Commands = (cli, act) =>
  cli.command('relay', 'What publishes the logs', (y) =>
    y
      .command(
        'lag [tenant]',
        'How far it is behind: every tenant that waits, longest first, or one of them',
        (o) =>
          o
            .positional('tenant', { type: 'string', describe: `Id or slug; ${PLATFORM} for what belongs to no tenant` })
            .option('limit', limitOption)
            .example('$0 relay lag --limit 0 --json', 'all that wait')
            .example('$0 relay lag acme', ''),
        act(async ({ api, out, tenant: idOf }, { tenant, limit }) => {
          if (tenant === undefined) return out.list(LIST, await api.list('/v1/relay/lag', limit));
          out.record(ONE, await api.get(`/v1/relay/lag/${await idOf(tenant)}`));
        }),
      )
      .demandCommand(1, 'relay: what about it?'),
  );
