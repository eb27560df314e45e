import { dockerRun, type Image } from './container';

const image: Image = {
  part: 'kms',
  name: 'example/kms:1',
  port: 5000,
  mounts: { '/repo/kms.py': '/weir/kms.py' },
  entrypoint: 'python',
  command: ['/weir/kms.py'],
  keeps: '/var/lib/kms',
  environment: (hostPort) => ({ ADVERTISED: `127.0.0.1:${hostPort}` }),
};

describe('a part in a container', () => {
  it('listens on this machine alone, reads our files, and keeps its own in a volume', () => {
    expect(dockerRun('weir-kms-1', 25_000, image, true).join(' ')).toBe(
      'run --detach --rm --name weir-kms-1 --publish 127.0.0.1:25000:5000 --volume weir-kms-1:/var/lib/kms ' +
        '--volume /repo/kms.py:/weir/kms.py:ro --env ADVERTISED=127.0.0.1:25000 --entrypoint python example/kms:1 /weir/kms.py',
    );
  });

  it('keeps nothing for a test', () => {
    expect(dockerRun('weir-kms-1', 25_000, image, false)).not.toContain('weir-kms-1:/var/lib/kms');
  });
});
