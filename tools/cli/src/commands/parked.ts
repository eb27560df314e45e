import type { Argv } from 'yargs';
import type { Json } from '../api';
import { limitOption, part, type Commands } from '../context';
import { BadNews } from '../failures';
import type { Column } from '../output';

const LIST: Column[] = [['id', 'id'], ['state', 'state'], ['service', 'service'], ['topic', 'topic'], ['key', 'key'], ['reason', 'reason'], ['parked', 'parkedAt']];
const ONE: Column[] = [
  ['id', 'id'], ['state', 'state'], ['service', 'service'], ['group', 'group'], ['topic', 'topic'], ['partition', 'partition'], ['offset', 'offset'],
  ['key', 'key'], ['reason', 'reason'], ['error code', 'errorCode'], ['parked', 'parkedAt'],
];

export const parked: Commands = (cli, act) =>
  cli.command('parked', 'Messages that a service could not handle', (y) =>
    y
      .command(
        'list',
        'List those that wait for a decision',
        (o) => o.option('limit', limitOption).option('all', { type: 'boolean', describe: 'Also those that are released, done or dropped' }),
        act(async ({ api, out }, { limit, all }) => {
          const page = await api.list('/v1/parked', limit);
          out.list(LIST, all === true ? page : { ...page, data: page.data.filter(({ state }: Json) => state === 'parked') });
        }),
      )
      .command('show <id>', 'Show one', (o) => idArgument(o), act(async ({ api, out }, { id }) => {
        const { data } = await api.list('/v1/parked', 0);
        const found = data.find((message: Json) => message.id === id);
        if (found === undefined) throw new BadNews(`there is no parked message ${id}`);
        out.record(ONE, found);
      }))
      .command('release <id>', 'Hand it to its consumer again, and what waits behind it', (o) => idArgument(o), act(async ({ api, out }, { id }) =>
        out.record(ONE, await api.post(`/v1/parked/${part(id)}/release`)),
      ))
      .command('drop <id>', 'Give it up', (o) => idArgument(o), act(async ({ api, out }, { id }) => out.record(ONE, await api.post(`/v1/parked/${part(id)}/drop`))))
      .demandCommand(1, 'parked: what about them?'),
  );

const idArgument = <T>(y: Argv<T>) => y.positional('id', { type: 'string', demandOption: true });
