import { describeSettings, parseSettings, runMain } from '@weir/service-host';
import { settings } from './config';
import { serviceSettings } from './services';
import { startStandalone, type Standalone } from './standalone';

const HELP = `weir standalone: everything in one process, on embedded Postgres; needs Node alone.\n\n${describeSettings({ ...settings, ...serviceSettings() })}`;

void runMain(process.argv.slice(2), HELP, async (checkOnly) => {
  const config = parseSettings(settings, process.env);
  parseSettings(serviceSettings(), process.env);
  if (checkOnly) return undefined;
  const standalone = await startStandalone(config, process.env);
  process.stdout.write(welcome(standalone));
  return standalone.stop;
});

function welcome({ file, madeOperatorToken }: Standalone): string {
  const [tenant] = file.tenants;
  const call = tenant === undefined ? [] : ['', `  curl -i -H 'Authorization: Bearer ${tenant.token}' '${file.url}/tiklive/userinfo-by-username/?username=tiktok'`, ''];
  return [
    `ready ${file.url}`,
    ...call,
    `API reference: ${file.url}/docs`,
    ...(madeOperatorToken ? [`operator token (kept in standalone.json, shown once): ${file.operatorToken}`] : []),
    'This is everything in one process. npm run stack runs each service by itself, over Kafka, Redis, Postgres and a KMS endpoint.',
    '',
  ].join('\n');
}
