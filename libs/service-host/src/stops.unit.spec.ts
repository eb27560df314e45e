import { stopEach } from './stops';

it('a shutdown goes through to its end when one step of it fails, and says so then', async () => {
  const done: string[] = [];
  const stops = [() => void done.push('jobs'), () => Promise.reject(new Error('the cache is gone')), async () => void done.push('pool')];
  await expect(stopEach(stops)).rejects.toThrow('the cache is gone');
  expect(done).toEqual(['jobs', 'pool']);
});
