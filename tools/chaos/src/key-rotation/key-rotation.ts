import { join } from 'node:path';
import { mintToken } from '@weir/access';
import { postgresBus } from '@weir/bus';
import { TOPICS, tenantState, type TenantState } from '@weir/contracts';
import { newId, type TenantId } from '@weir/kernel';
import { oneService, startPostgres } from '@weir/stack';
import { MIGRATOR, collectBundle, createPool, ensureDatabase, loginOf, prepareDatabase, provisioner } from '@weir/tenancy';
import { startSimulator } from '@weir/tiklive-simulator';
import { invariant, type Scenario } from '../scenario';
import { operatorOf, type Operator } from '../trial-to-own-key/operator';

const TENANTS = 40;
const KEYS_EACH = 2;
const PASSWORD = 'chaos';
/** Longest life of a vault between two kills, ms after it was ready: a rotation of all takes longer. */
const LONGEST_LIFE_MS = 250;

/** The vault is killed again and again while it seals every key anew, under new data keys and a new key-encryption key. */
export const keyRotation: Scenario = {
  name: 'key-rotation',
  title: 'V8 rotations of all data keys and of the key-encryption key, killed at any point; so many kills',
  times: 20,
  async run({ times, random, directory, progress }) {
    const server = await startPostgres({ dataDir: join(directory, 'postgres'), settings: { max_connections: 100, fsync: 'off' } });
    const home = await ensureDatabase(server.adminUrl, 'weir');
    await prepareDatabase(home, collectBundle(), PASSWORD);
    const as = (username: string) => Object.assign(new URL(home), { username, password: PASSWORD }).href;
    const migrator = createPool({ url: as(MIGRATOR), name: 'chaos/migrator', max: 2 });
    const bus = postgresBus({ pool: migrator, directUrl: as(MIGRATOR) });
    await bus.ensureTopics(TOPICS);
    const simulator = await startSimulator();
    const operatorToken = mintToken({ mode: 'live' }).token;
    const vault = await oneService('key-vault', {
      dataDir: join(directory, 'vault'),
      onDeath: (how) => progress(`the vault ended with ${how}`),
      environment: {
        WEIR_OPERATOR_TOKEN: operatorToken,
        WEIR_BUS: 'postgres',
        WEIR_POSTGRES_URL: as(loginOf('key-vault')),
        WEIR_KEY_ENCRYPTION: 'local',
        WEIR_UPSTREAM_URL: simulator.url,
        WEIR_KEY_JOBS_EVERY_MS: '20',
        WEIR_KEY_ROTATION_TURN_MS: '500',
        WEIR_KEY_RETIRE_AFTER_MS: '0',
      },
    });
    const operator = operatorOf(vault.url, operatorToken);
    await vault.start();
    try {
      const paths: string[] = [];
      for (let t = 0; t < TENANTS; t++) {
        const id = newId('ten');
        await provisioner(migrator, collectBundle()).provision(id, 'schema');
        await bus.publish([{ topic: tenantState.topic, key: id, value: Buffer.from(JSON.stringify(tenantOf(id))), headers: { 'content-type': 'application/json', 'weir-version': '1' } }]);
        for (let k = 0; k < KEYS_EACH; k++) paths.push(await handIn(operator, simulator, id));
      }
      progress(`${paths.length} keys of ${TENANTS} tenants`);

      const reports: Report[] = [];
      let kills = 0;
      let rotation: string | undefined;
      while (kills < times || rotation !== undefined) {
        rotation ??= (await operator('POST', '/v1/key-rotations', {})).id as string;
        if (kills < times) {
          await new Promise((resolve) => setTimeout(resolve, random() * LONGEST_LIFE_MS));
          await vault.kill();
          kills++;
          await vault.start();
        }
        const body = await operator('GET', `/v1/key-rotations/${rotation}`);
        if (body.status === 'running') continue;
        reports.push(body.report as Report);
        rotation = undefined;
        progress(`${kills} kills, ${reports.length} rotations`);
      }

      const unusable: string[] = [];
      for (const path of paths) {
        const body = await operator('POST', `${path}/check`);
        if (body.state !== 'usable' || body.lastCheck.outcome !== 'accepted') unusable.push(path);
      }
      const last = reports.at(-1);
      return {
        invariants: [
          invariant('V8 every rotation ends complete: no secret left under an old key, none unreadable', reports.every(({ complete }) => complete), reports.map(({ totals }) => totals)),
          invariant('V8 every secret is counted in the last report', last?.totals.blobs === paths.length, last?.totals),
          invariant('V8 every key is readable, and the upstream takes it', unusable.length === 0, unusable),
        ],
        figures: { kills, rotations: reports.length, keys: paths.length, tenants: TENANTS },
      };
    } finally {
      await vault.kill();
      await simulator.close();
      await bus.close();
      await migrator.end();
      await server.stop();
    }
  },
};

interface Report {
  readonly complete: boolean;
  readonly totals: { readonly blobs: number };
}

async function handIn(operator: Operator, simulator: Awaited<ReturnType<typeof startSimulator>>, owner: TenantId): Promise<string> {
  const key = newId('key').replace('key_', 'tik-');
  simulator.keys.set({ key, credits: null, perMinute: null, burst: 10_000, scopes: [], suspended: false });
  const keys = `/v1/tenants/${owner}/upstream-keys`;
  const { id } = await operator('POST', keys, { key });
  return `${keys}/${id}`;
}

const tenantOf = (id: TenantId): TenantState => ({
  id,
  slug: id.slice(4),
  status: 'active',
  keyMode: 'byo',
  plan: { id: 'pro', version: 1 },
  trialEndsAt: null,
  defaultProject: newId('prj'),
  placement: 'schema',
  version: 1,
  registeredAt: Date.now(),
});
