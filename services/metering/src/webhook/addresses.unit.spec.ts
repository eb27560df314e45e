import { assertDeliverable, isPublic, publicLookup } from './addresses';

describe('an address of a webhook', () => {
  it.each(['https://example.com/hook', 'https://hooks.example.co.uk:8443/a?b=c', 'https://93.184.216.34/', 'https://[2606:2800:220:1:248:1893:25c8:1946]/'])('%s may be kept', (url) => {
    expect(assertDeliverable(url, false)).toBe(url);
  });

  it.each([
    'http://example.com/',
    'ftp://example.com/',
    'https://user:secret@example.com/',
    'https://localhost/',
    'https://intranet/',
    'https://printer.local/',
    'https://db.internal/',
    'https://127.0.0.1/',
    'https://2130706433/',
    'https://0x7f.1/',
    'https://10.1.2.3/',
    'https://169.254.169.254/latest/meta-data/',
    'https://[::1]/',
    'https://[::ffff:10.0.0.1]/',
    'https://[fd00::1]/',
    'https://100.64.0.1/',
    'not a url',
  ])('%s is refused', (url) => {
    expect(() => assertDeliverable(url, false)).toThrow(expect.objectContaining({ code: 'invalid-request' }));
  });

  it.each([
    ['8.8.8.8', true],
    ['2001:4860:4860::8888', true],
    ['192.168.0.1', false],
    ['172.16.0.1', false],
    ['0.0.0.0', false],
    ['224.0.0.1', false],
    ['255.255.255.255', false],
    ['::ffff:192.168.0.1', false],
    ['fe80::1', false],
    ['64:ff9b::a00:1', false],
    ['nonsense', false],
  ])('%s is public: %s', (address, expected) => {
    expect(isPublic(address)).toBe(expected);
  });

  it('is resolved for the connection itself: a name that turns out to be private is not connected to', async () => {
    const outcome = await new Promise<NodeJS.ErrnoException | null>((done) => publicLookup('localhost', {}, (error) => done(error)));
    expect(outcome?.code).toBe('ENOTPUBLIC');
  });
});
