import { brokenLinks, markdownFiles } from './links';

describe('links between the pages and into the code', () => {
  it.each(markdownFiles())('%s links to nothing that is not there', (file) => {
    expect(brokenLinks(file)).toEqual([]);
  });
});
