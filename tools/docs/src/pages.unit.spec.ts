import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { PAGES, repositoryRoot } from './pages';

describe('the generated pages', () => {
  it.each(Object.keys(PAGES))('%s says what the code says: npm run docs writes it', (path) => {
    expect(readFileSync(join(repositoryRoot(), path), 'utf8')).toBe(PAGES[path]?.());
  });
});
