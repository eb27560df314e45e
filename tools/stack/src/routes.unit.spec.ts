import { routeOf } from './routes';

describe('the route of a path', () => {
  it.each([
    ['/tiklive/userid/', 'upstream-fetcher'],
    ['/v1/catalog', 'upstream-fetcher'],
    ['/v1/tenants', 'tenant-registry'],
    ['/v1/tenants/ten_1', 'tenant-registry'],
    ['/v1/tenants/ten_1/tokens/tok_1/reroll', 'tenant-registry'],
    ['/v1/tenants/ten_1/upstream-keys/key_1/check', 'key-vault'],
    ['/v1/tenants/ten_1/kms-key', 'key-vault'],
    ['/v1/upstream-keys', 'key-vault'],
    ['/v1/upstream-keys/key_1/shares', 'rate-limiter'],
    ['/v1/tenants/ten_1/limits', 'rate-limiter'],
    ['/v1/tenants/ten_1/usage', 'metering'],
    ['/v1/tenants/ten_1/invoices/preview', 'metering'],
    ['/v1/tenants/ten_1/events', 'audit-ledger'],
    ['/v1/operations/op_1', 'tenant-registry'],
    ['/v1/parked', 'tenant-registry'],
  ])('%s is %s', (path, service) => expect(routeOf(path)).toBe(service));

  it.each(['/', '/docs', '/tikliveness', '/v2/tenants'])('%s is nobody’s', (path) => expect(routeOf(path)).toBeUndefined());
});
