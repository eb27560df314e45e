import { envoyConfig } from './envoy';
import { read } from './repository';

export const EDGE_CONFIG = 'k8s/base/edge/envoy.yaml';

export const edgeProblems = (): string[] =>
  read(EDGE_CONFIG) === envoyConfig() ? [] : [`${EDGE_CONFIG} is not what tools/stack/src/routes.ts says: npm run check:deploy -- --write`];
