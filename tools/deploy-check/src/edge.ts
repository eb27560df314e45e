import { readdirSync } from 'node:fs';
import { join } from 'node:path';
import { readCatalogs, tiklive } from '@weir/upstream-catalog';
import { envoyConfig } from './envoy';
import { ROOT, read } from './repository';

export const FURTHER_UPSTREAMS = 'k8s/components/further-upstreams';

/** The catalogs in the component, in the order of their files' names. @throws AppError `catalog-invalid` */
function furtherBasePaths(): string[] {
  const files = readdirSync(join(ROOT, FURTHER_UPSTREAMS)).filter((name) => name.endsWith('.json')).sort();
  const [, ...further] = readCatalogs(tiklive, files.map((place) => ({ place, text: read(join(FURTHER_UPSTREAMS, place)) })));
  return further.map(({ basePath }) => basePath);
}

/** What is generated, by its path. */
export const edgeConfigs = (): ReadonlyMap<string, string> =>
  new Map([
    ['k8s/base/edge/envoy.yaml', envoyConfig()],
    [join(FURTHER_UPSTREAMS, 'envoy.yaml'), envoyConfig({ basePaths: furtherBasePaths() })],
  ]);

export const edgeProblems = (): string[] =>
  [...edgeConfigs()].flatMap(([path, config]) => (read(path) === config ? [] : [`${path} is not what tools/stack/src/routes.ts and the catalogs say: npm run check:deploy -- --write`]));
