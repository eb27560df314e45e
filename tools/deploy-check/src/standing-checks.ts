import { baseManifests } from './base-manifests';
import { judged, type Check } from './check';
import { composeProblems, composeProcesses, type ComposeFile } from './compose';
import { edgeProblems } from './edge';
import { imageProblems } from './image';
import { kubernetesProblems } from './kubernetes';
import { readYaml } from './repository';
import { secretProblems } from './secrets';

/** Need nothing but Node: run by `npm test` too. */
export const standingChecks: readonly Check[] = [
  { name: 'Dockerfile', run: () => judged(imageProblems(), 'pinned bases, a user by number, a health check, settings that services know') },
  {
    name: 'docker-compose.yml',
    run() {
      const file = readYaml<ComposeFile>('docker-compose.yml');
      return judged(composeProblems(file), `${Object.keys(file.services).length} services; ${composeProcesses(file).length} processes' settings parsed by their own schemas`);
    },
  },
  {
    name: 'k8s/base',
    run() {
      const resources = baseManifests();
      return judged(kubernetesProblems(resources), `${resources.length} objects: probes, users, needs, accounts; settings parsed by the services' own schemas`);
    },
  },
  { name: 'edge routes', run: () => judged(edgeProblems(), 'the Envoy configurations are what the route table and the catalogs say') },
  { name: 'secret names', run: () => judged(secretProblems(), 'what k8s asks Secrets Manager for is what terraform makes') },
];
