import type { Argv } from 'yargs';
import type { Json } from '../api';
import { limitOption, part, type Commands } from '../context';
import type { Column } from '../output';

const STATES = ['parked', 'released', 'done', 'dropped'] as const;
const LIST: Column[] = [['id', 'id'], ['state', 'state'], ['service', 'service'], ['topic', 'topic'], ['key', 'key'], ['reason', 'reason'], ['parked', 'parkedAt']];
const ONE: Column[] = [
  ['id', 'id'], ['state', 'state'], ['service', 'service'], ['group', 'group'], ['topic', 'topic'], ['partition', 'partition'], ['offset', 'offset'],
  ['key', 'key'], ['reason', 'reason'], ['error code', 'errorCode'], ['parked', 'parkedAt'],
  ['decided by', 'decidedBy'], ['decided', 'decidedAt'], ['decided because', 'decisionReason'],
];
const WHOLE: Column[] = [
  ...ONE,
  ['published', 'publishedAt'],
  ['headers', ({ headers }: Json) => Object.entries(headers).map(([name, value]) => `${name}: ${String(value)}`).join('\n')],
  ['payload', ({ payload }: Json) => (payload === null ? 'none (a tombstone)' : `${payload.bytes} bytes, ${payload.encoding}${payload.truncated === true ? ', cut' : ''}\n${payload.content}`)],
];

export const parked: Commands = (cli, act) =>
  cli.command('parked', 'Messages that a service could not handle', (y) =>
    y
      .command(
        'list',
        'List those that wait for a decision',
        (o) =>
          o
            .option('limit', limitOption)
            .option('state', { choices: STATES, default: 'parked' as const, describe: 'In which state' })
            .option('all', { type: 'boolean', describe: 'In whatever state' })
            .option('group', { type: 'string', describe: 'Of one consumer group, such as weir.metering.usage' }),
        act(async ({ api, out }, { limit, state, all, group }) => out.list(LIST, await api.list('/v1/parked', limit, { state: all === true ? undefined : state, group }))),
      )
      .command('show <id>', 'Show one, with its headers and its payload', (o) => idArgument(o), act(async ({ api, out }, { id }) =>
        out.record(WHOLE, await api.get(`/v1/parked/${part(id)}`)),
      ))
      .command('release <id>', 'Hand it to its consumer again, with all that is parked of its key', (o) => reasonOption(idArgument(o)), act(async ({ api, out }, { id, reason }) =>
        out.record(ONE, await api.post(`/v1/parked/${part(id)}/release`, because(reason))),
      ))
      .command('drop <id>', 'Give this one up', (o) => reasonOption(idArgument(o)).demandOption('reason'), act(async ({ api, out }, { id, reason }) =>
        out.record(ONE, await api.post(`/v1/parked/${part(id)}/drop`, because(reason))),
      ))
      .demandCommand(1, 'parked: what about them?'),
  );

const idArgument = <T>(y: Argv<T>) => y.positional('id', { type: 'string', demandOption: true });
const reasonOption = <T>(y: Argv<T>) => y.option('reason', { type: 'string', describe: 'Why; it stands on the record' });
const because = (reason: string | undefined) => ({ headers: reason === undefined ? {} : { 'weir-reason': reason } });
