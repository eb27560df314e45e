import { kafkaBus } from '@weir/bus';
import { TOPICS } from '@weir/contracts';
import { describeSettings, parseSettings, runMain } from '@weir/service-host';
import { HOME, collectBundle, prepareDatabase, withLogin } from '@weir/tenancy';
import { migrateSettings } from './config';

const HELP = `Prepares database and topics for this release: logins, schemas, migrations, topics. Idempotent.\n\n${describeSettings(migrateSettings)}`;

void runMain(process.argv.slice(2), HELP, async (checkOnly) => {
  const config = parseSettings(migrateSettings, process.env);
  if (checkOnly) return undefined;
  const say = (line: string) => process.stdout.write(`${line}\n`);

  const clusters = Object.entries(config.clusters).map(([name, url]) => [name, withLogin(url, config.adminUrl)] as const);
  for (const [name, url] of [[HOME, config.adminUrl] as const, ...clusters]) {
    const { control, schemas } = await prepareDatabase(url, collectBundle(), config.loginPassword, (done, of) => say(`${name}: schemas ${done}/${of}`));
    say(`database ${name}: ${control.length} control migrations applied, ${schemas} schemas brought up to date`);
  }
  if (config.kafkaBrokers !== undefined) {
    const bus = kafkaBus({ brokers: config.kafkaBrokers.split(','), clientId: 'weir-migrate', prefix: config.topicPrefix });
    const { created, different } = await bus.ensureTopics(TOPICS);
    await bus.close();
    say(`topics: ${created.length} created${different.length === 0 ? '' : `, differing from their declaration: ${different.join(', ')}`}`);
  }
  return undefined;
});
