import type { UpstreamKeyState } from '@weir/contracts';
import { PLATFORM } from '@weir/kernel';
import { simulatorMissing } from '../errors';
import type { KeyChoice } from './key-choice';

/** What the simulator's own key stands under in usage and limits: no vault knows it, and its secret is none. */
export const SIMULATOR_KEY: UpstreamKeyState = {
  id: 'key_simulator',
  owner: PLATFORM,
  status: 'usable',
  active: 1,
  weight: 1,
  scopes: ['download'],
  versions: [],
};

/** Built into the simulator, with credits and a rate without end. */
export const SIMULATOR_SECRET = 'sim_test_key';

/** Whose keys a test token's call uses, whatever the tenant's key mode. */
export const SIMULATOR_CHOICE: KeyChoice = {
  owner: 'platform',
  candidates: [{ owner: 'platform', key: SIMULATOR_KEY }],
  otherwise: simulatorMissing,
};
