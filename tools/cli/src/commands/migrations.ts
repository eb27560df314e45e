import { setTimeout as sleep } from 'node:timers/promises';
import type { Json } from '../api';
import type { Commands, Context } from '../context';
import { BadNews } from '../failures';
import type { Column } from '../output';

const STATUS: Column[] = [
  ['release', ({ release }) => release.join('\n')], ['schemas current', 'schemas.current'], ['schemas behind', 'schemas.behind'],
  ['last run', ({ run }) => (run === null ? 'none' : run.state)], ['started', 'run.startedAt'], ['ended', 'run.finishedAt'],
  ['error', ({ run }) => (run?.error ? `${run.error.code}: ${run.error.message}` : undefined)],
  ['databases', ({ databases }) => databases.map(ofDatabase).join('\n')],
];
const PLAN: Column[] = [['database', 'cluster'], ['migration', 'migration'], ['schemas', 'homes']];
const DRIFT: Column[] = [['database', 'cluster'], ['schema', 'home'], ['what', 'kind'], ['name', 'object'], ['expected', 'expected'], ['found', 'found']];
const POLL_MS = 500;

function ofDatabase({ cluster, run, error }: Json): string {
  if (error !== null) return `${cluster}: does not answer: ${error}`;
  if (run === null) return `${cluster}: no run yet`;
  return `${cluster}: ${[`${run.state}, ${run.done} of ${run.homes}`, ...run.failed.map(({ home, detail }: Json) => `${home} failed: ${detail}`)].join('; ')}`;
}

export const migrations: Commands = (cli, act) =>
  cli.command('migrations', "The release's way through the tenants' schemas", (y) =>
    y
      .command(['status', 'list'], "The release's migrations, how many schemas have them, how the last run went", (o) => o, act(async ({ api, out }) => out.record(STATUS, await api.get('/v1/migrations'))))
      .command('plan', 'What a run would apply, and to how many schemas', (o) => o, act(async ({ api, out }) => {
        const plan = await api.get('/v1/migrations/plan');
        if (out.json) return out.raw(plan);
        out.list(PLAN, { data: plan.data.flatMap(({ cluster, missing }: Json) => missing.map((one: Json) => ({ cluster, ...one }))), nextCursor: null });
      }))
      .command(
        'run',
        'Bring every schema to the release, canaries first; goes on where an earlier run was cut off',
        (o) =>
          o
            .option('canary', { type: 'string', default: '1', describe: 'How many schemas go first, or which tenants: ten_…,ten_…' })
            .option('workers', { type: 'number', default: 2, describe: '2 to 4' })
            .example('$0 migrations run --canary ten_01k9x50d1f8e7n2x3r4t5y6w7z --workers 4', ''),
        act((context, argv) => run(context, argv)),
      )
      .command('drift', 'Where schemas are not as the release makes them; exit code 1 if any is', (o) => o, act(async ({ api, out }) => {
        const found = await api.get('/v1/migrations/drift');
        out.list(DRIFT, { ...found, nextCursor: null });
        if (found.data.length > 0) throw new BadNews(`${found.data.length} things are not as the release makes them`);
      }))
      .demandCommand(1, 'migrations: what about them?'),
  );

async function run({ api, out }: Context, { canary, workers }: { canary: string; workers: number }): Promise<void> {
  const first = /^\d+$/.test(canary) ? Number(canary) : canary.split(',');
  let status = await api.post('/v1/migrations', { body: { canary: first, workers } });
  for (let said = ''; goesOn(status); status = await api.get('/v1/migrations')) {
    const progress = status.databases.filter(({ run: one }: Json) => one !== null).map(({ cluster, run: one }: Json) => `${cluster} ${one.state} ${one.done}/${one.homes}`).join('  ');
    if (progress !== said) out.note(progress);
    said = progress;
    await sleep(POLL_MS);
  }
  out.record(STATUS, status);
  if (status.run?.error) throw new BadNews(`it ended with ${status.run.error.code}: ${status.run.error.message}`);
  const away = status.databases.filter(({ error }: Json) => error !== null).map(({ cluster }: Json) => cluster);
  if (away.length > 0) throw new BadNews(`not known of ${away.join(', ')}, which does not answer`);
  if (status.schemas.behind > 0) throw new BadNews(`${status.schemas.behind} schemas are still behind: run again, it goes on where it was`);
}

const goesOn = (status: Json): boolean => status.running === true;
