import { kafkaBus, type Bus, type TopicDifference } from '@weir/bus';
import { TOPICS } from '@weir/contracts';
import { AppError } from '@weir/kernel';
import { describeSettings, parseSettings, runMain } from '@weir/service-host';
import { HOME, collectBundle, prepareDatabase, withLogin } from '@weir/tenancy';
import { migrateSettings, type MigrateConfig } from './config';

const HELP = `Prepares database and topics for this release: logins, schemas, migrations, topics. Idempotent.\n--check changes nothing, lists where topics are not as declared, and ends with 1 then.\n\n${describeSettings(migrateSettings)}`;

const argv = process.argv.slice(2);

void runMain(argv.filter((arg) => arg !== '--check'), HELP, async (configOnly) => {
  const config = parseSettings(migrateSettings, process.env);
  if (configOnly) return undefined;
  if (argv.includes('--check')) return check(config);
  const say = (line: string) => process.stdout.write(`${line}\n`);

  const clusters = Object.entries(config.clusters).map(([name, url]) => [name, withLogin(url, config.adminUrl)] as const);
  for (const [name, url] of [[HOME, config.adminUrl] as const, ...clusters]) {
    const { control, schemas } = await prepareDatabase(url, collectBundle(), config.loginPassword, (done, of) => say(`${name}: schemas ${done}/${of}`));
    say(`database ${name}: ${control.length} control migrations applied, ${schemas} schemas brought up to date`);
  }
  await withTopics(config, async (bus) => {
    const { created, different } = await bus.ensureTopics(TOPICS);
    say(`topics: ${created.length} created`);
    for (const difference of different) say(`warning: ${inWords(difference)}`);
  });
  return undefined;
});

/** @throws AppError `topics-differ` naming each setting that is not as declared */
async function check(config: MigrateConfig): Promise<undefined> {
  await withTopics(config, async (bus) => {
    const different = await bus.checkTopics(TOPICS);
    for (const difference of different) process.stdout.write(`${inWords(difference)}\n`);
    if (different.length > 0) throw new AppError('topics-differ', 'conflict', `${different.length} settings of topics are not as declared`);
    process.stdout.write(`${TOPICS.length} topics are as declared\n`);
  });
  return undefined;
}

async function withTopics(config: MigrateConfig, work: (bus: Bus) => Promise<void>): Promise<void> {
  if (config.kafkaBrokers === undefined) return;
  const bus = kafkaBus({ brokers: config.kafkaBrokers.split(','), clientId: 'weir-migrate', prefix: config.topicPrefix });
  await work(bus).finally(() => bus.close());
}

const inWords = ({ topic, setting, declared, actual }: TopicDifference): string =>
  setting === 'partitions' && actual === 0 ? `${topic} is missing` : `${topic}: ${setting} is ${actual}, declared is ${declared}`;
