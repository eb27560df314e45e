import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { routeOf } from '@weir/stack';
import { SERVICES, type ServiceName } from '@weir/tenancy';
import { ROOT } from './repository';

const CONTROLLER = /@Controller\(\s*(?:'([^']*)')?\s*\)/g;
const METHOD = /@(?:Get|Post|Put|Patch|Delete|Head)\(\s*(?:'([^']*)')?\s*\)/g;

/** Paths of a service's controllers, from the sources: `/v1/tenants/:t/tokens`. */
function pathsOf(service: ServiceName): string[] {
  const dir = join(ROOT, 'services', service, 'src');
  return readdirSync(dir, { recursive: true, encoding: 'utf8' })
    .filter((file) => file.endsWith('.http.ts'))
    .flatMap((file) => {
      const text = readFileSync(join(dir, file), 'utf8');
      const controllers = [...text.matchAll(CONTROLLER)];
      return controllers.flatMap((controller, index) => {
        const own = text.slice(controller.index, controllers[index + 1]?.index);
        return [...own.matchAll(METHOD)].map(([, path = '']) => `/${controller[1] ?? ''}/${path}`.replace(/\/+/g, '/').replace(/\/$/, ''));
      });
    });
}

describe('the edge', () => {
  test.each(SERVICES)('sends every path of the controllers of %s to it', (service) => {
    const paths = pathsOf(service);
    expect(paths).not.toEqual([]);
    expect(paths.map((path) => [path, routeOf(path)])).toEqual(paths.map((path) => [path, service]));
  });

  test('sends the data plane to upstream-fetcher, and a path of nobody to nobody', () => {
    expect(routeOf('/tiklive/userinfo-by-username/')).toBe('upstream-fetcher');
    expect(routeOf('/tiklives')).toBeUndefined();
    expect(routeOf('/metrics')).toBeUndefined();
  });

  test('does not take a tenant for a resource of the same name', () => {
    expect(routeOf('/v1/tenants/usage')).toBe('tenant-registry');
    expect(routeOf('/v1/tenants/ten_1/usage')).toBe('metering');
  });
});
