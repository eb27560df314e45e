import { imageEnvironment } from './image-environment';
import { read } from './repository';
import { commonVariables } from './settings';

/** `name:tag` or a digest, and the tag says a version. */
export const isPinned = (image: string): boolean => /@sha256:[0-9a-f]{64}$/.test(image) || (/:[\w.-]+$/.test(image) && !/:latest$/.test(image));

export function imageProblems(): string[] {
  const dockerfile = read('Dockerfile');
  const bases = [...dockerfile.matchAll(/^FROM (\S+)/gm)].map(([, image]) => image ?? '');
  const user = /^USER (\S+)$/m.exec(dockerfile)?.[1] ?? 'root';
  const ignored = read('.dockerignore').split('\n');
  return [
    ...bases.filter((image) => !isPinned(image)).map((image) => `Dockerfile: ${image} is not pinned`),
    ...(/^[1-9]\d*:[1-9]\d*$/.test(user) ? [] : [`Dockerfile: runs as ${user}, and not as a user by number`]),
    ...(dockerfile.includes('HEALTHCHECK') ? [] : ['Dockerfile: no HEALTHCHECK']),
    ...Object.keys(imageEnvironment())
      .filter((variable) => variable.startsWith('WEIR_') && !commonVariables.includes(variable))
      .map((variable) => `Dockerfile: no service knows ${variable}`),
    ...(ignored.find((line) => line !== '' && !line.startsWith('#')) === '*' ? [] : ['.dockerignore: does not begin with *: a .env would get into the image']),
  ];
}
