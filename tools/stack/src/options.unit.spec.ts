import { readOptions } from './options';

describe('the arguments of npm run stack', () => {
  it('count replicas per service, or for all', () => {
    expect(readOptions(['--replicas', 'upstream-fetcher=2', '--replicas', 'metering=3'], {})).toMatchObject({ replicas: { 'upstream-fetcher': 2, metering: 3 } });
    expect(readOptions(['--replicas', 'all=2'], {})).toMatchObject({ replicas: { 'tenant-registry': 2, 'audit-ledger': 2 } });
  });

  it('may ask for the parts alone', () => {
    expect(readOptions(['--only', 'kafka,redis'], {})).toMatchObject({ only: ['kafka', 'redis'] });
  });

  it('take the data directory from the flag, then from the environment, then .weir', () => {
    expect(readOptions(['--data-dir', '/a'], { WEIR_DATA_DIR: '/b' })).toMatchObject({ dataDir: '/a' });
    expect(readOptions([], { WEIR_DATA_DIR: '/b' })).toMatchObject({ dataDir: '/b' });
    expect(readOptions([], {})).toMatchObject({ dataDir: '.weir' });
  });

  it.each([['--replica', 'all=2'], ['--replicas', 'gateway=2'], ['--replicas', 'all=0'], ['--replicas', 'metering'], ['--only', 'mysql'], ['start']])(
    'are refused by name when they are not known: %s %s',
    (...argv) => expect(readOptions(argv, {})).toEqual({ problem: expect.any(String) }),
  );
});
