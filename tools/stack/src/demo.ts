import { find, send, settle, type Api } from './demo/api';

/** As standalone.json and stack.json list it. */
export interface DemoTenant {
  readonly id: string;
  readonly slug: string;
  readonly keyMode: string;
  readonly token: string;
}

export interface DemoOptions {
  readonly url: string;
  readonly operatorToken: string;
  /** Where the simulator is when it is the upstream: it is told of the demo's keys. undefined: the upstream is a real one, and no key is made up for it. */
  readonly simulatorUrl: string | undefined;
  /** What an earlier run made: tokens are shown once, so they are remembered and not asked for again. */
  readonly known: readonly DemoTenant[];
}

const PLATFORM_KEY = { key: 'tl_demo_platform_4f9a1c', label: 'demo platform' };
const OWN_KEY = { key: 'tl_demo_byo_7be2d0', label: 'demo own' };
const TENANTS = [
  { slug: 'demo-shared', keyMode: 'shared', plan: 'pro' },
  { slug: 'demo-byo', keyMode: 'byo', plan: 'pro' },
  { slug: 'demo-hybrid', keyMode: 'hybrid', plan: 'pro' },
] as const;

/**
 * Three tenants to try Weir with, one per key mode, and the keys they call with, through the HTTP API alone. Again for a Weir that has
 * them changes nothing. Resolves once a call of a new tenant has been answered.
 *
 * @throws AppError `demo-failed`
 */
export async function ensureDemo({ url, operatorToken, simulatorUrl, known }: DemoOptions): Promise<DemoTenant[]> {
  const operator: Api = { url, token: operatorToken };
  if (simulatorUrl !== undefined) {
    await Promise.all([PLATFORM_KEY, OWN_KEY].map(({ key }) => tellSimulator(simulatorUrl, key)));
    await ensureKey(operator, '/v1/upstream-keys', PLATFORM_KEY);
  }
  return Promise.all(TENANTS.map((tenant) => ensureTenant(operator, tenant, known, simulatorUrl !== undefined)));
}

async function ensureTenant(operator: Api, wanted: (typeof TENANTS)[number], known: readonly DemoTenant[], withKeys: boolean): Promise<DemoTenant> {
  const { slug, keyMode } = wanted;
  const there = await find(operator, '/v1/tenants', (tenant) => tenant['slug'] === slug);
  const id = there === undefined ? await create(operator, wanted) : String(there['id']);
  const remembered = known.find((tenant) => tenant.id === id);
  if (remembered !== undefined) return remembered;

  if (keyMode === 'byo' && withKeys) await ensureKey(operator, `/v1/tenants/${id}/upstream-keys`, OWN_KEY);
  const { token } = await settle(operator, 'POST', `/v1/tenants/${id}/tokens`, { label: 'demo', role: 'owner' });
  const tenant = { id, slug, keyMode, token: String(token) };
  if (withKeys) await untilAnswered({ url: operator.url, token: tenant.token });
  return tenant;
}

async function create(operator: Api, tenant: (typeof TENANTS)[number]): Promise<string> {
  const body = { ...tenant, name: `Demo, ${tenant.keyMode} key` };
  const operation = await settle(operator, 'POST', '/v1/tenants', body, { prefer: 'wait=10', 'idempotency-key': `weir-${tenant.slug}` });
  return String(operation['tenantId']);
}

/** @param path of the list that the key belongs in */
async function ensureKey(operator: Api, path: string, key: typeof PLATFORM_KEY): Promise<void> {
  const there = await find(operator, path, (item) => item['label'] === key.label);
  if (there === undefined) await settle(operator, 'POST', path, key, { 'idempotency-key': `weir-${key.label.replaceAll(' ', '-')}` });
}

async function tellSimulator(simulatorUrl: string, key: string): Promise<void> {
  await send({ url: simulatorUrl, token: '' }, 'POST', '/_simulator/keys', { key, credits: null });
}

/** Until the news of a tenant, its token, its key and its quota have arrived at whoever answers calls: well under a second. */
async function untilAnswered(tenant: Api): Promise<void> {
  await settle(tenant, 'GET', '/tiklive/userid/?username=weir');
}
