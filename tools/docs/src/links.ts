import { existsSync, readFileSync } from 'node:fs';
import { execFileSync } from 'node:child_process';
import { dirname, join, relative } from 'node:path';
import { repositoryRoot } from './pages';

/** Markdown files that are in the repository or about to be, by their path below its root. */
export function markdownFiles(): string[] {
  const listed = execFileSync('git', ['ls-files', '--cached', '--others', '--exclude-standard', '*.md'], { cwd: repositoryRoot(), encoding: 'utf8' });
  return listed.split('\n').filter((file) => file !== '' && existsSync(join(repositoryRoot(), file)));
}

/** What a page links to inside the repository and is not there: files that are missing, headings that no page has. */
export function brokenLinks(file: string): string[] {
  const root = repositoryRoot();
  const text = readFileSync(join(root, file), 'utf8').replaceAll(/^ {4}.*$/gm, '');
  const targets = [...text.matchAll(/\]\(([^)\s]+)\)/g)].map(([, target = '']) => target).filter((target) => !/^[a-z]+:/.test(target));
  return targets.filter((target) => {
    const [path = '', heading] = target.split('#');
    const there = path === '' ? join(root, file) : join(root, dirname(file), path);
    if (!existsSync(there) || relative(root, there).startsWith('..')) return true;
    return heading !== undefined && !headings(readFileSync(there, 'utf8')).includes(heading);
  });
}

/** As GitHub makes them. */
const headings = (text: string): string[] =>
  [...text.matchAll(/^#+ (.+)$/gm)].map(([, heading = '']) => heading.toLowerCase().replaceAll(/[^\p{L}\p{N}\- _]/gu, '').replaceAll(' ', '-'));
