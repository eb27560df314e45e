import { AppError } from '@weir/kernel';
import { output } from './run';

export type Need = 'java' | 'maven' | 'python';

interface Tool {
  readonly what: string;
  readonly install: string;
  present(): boolean;
}

const TOOLS: Record<Need, Tool> = {
  java: {
    what: 'Java 17 or later',
    install: 'apt-get install openjdk-17-jre-headless',
    present: () => Number(/version "(\d+)/.exec(output('java', '-version'))?.[1] ?? 0) >= 17,
  },
  maven: { what: 'Maven', install: 'apt-get install maven', present: () => output('mvn', '-v').includes('Maven') },
  python: {
    what: 'Python 3.10 or later with venv',
    install: 'apt-get install python3-venv',
    present: () => output('python3', '-c', 'import sys, venv, ensurepip; print("ok" if sys.version_info >= (3, 10) else "old")').startsWith('ok'),
  },
};

/** One line on each that this machine lacks, with the command that installs it on Debian and Ubuntu. */
export const missing = (needs: readonly Need[]): string[] =>
  [...new Set(needs)].map((need) => TOOLS[need]).filter((tool) => !tool.present()).map(({ what, install }) => `${what} (${install})`);

/** @throws AppError `tools-missing`, on one line */
export function assertPresent(needs: readonly Need[], forWhat: string): void {
  const lacking = missing(needs);
  if (lacking.length > 0) throw new AppError('tools-missing', 'invalid', `${forWhat} needs what this machine lacks: ${lacking.join(', ')}`);
}
