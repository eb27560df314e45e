import { spawn } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { extname, join } from 'node:path';
import { sleep } from '@weir/kernel';
import type { Bench, Result, Sample, Side } from '../bench';
import { writeLog } from './exports';

const MANY = 100_000;
const FEW = 50_000;
const WITHIN_SECONDS = 10;
/** By which a verification of twice as many events may be larger. */
const FLAT_MIB = 40;

const sources = join(__dirname, '..', '..', '..');
const root = extname(__filename) === '.ts' ? join(sources, '..') : join(sources, '..', '..');
const WEIR = [...(extname(__filename) === '.ts' ? ['--require', join(root, 'tools', 'build', 'register.cjs')] : []), join(sources, 'cli', 'src', `main${extname(__filename)}`)];

/** What somebody pays who does not believe us: an export verified from its first byte to its last. */
export const audit: Bench = {
  name: 'audit',
  title: `weir verify over an export of ${MANY} events, beside a verifier written in Python from docs/audit-format.md: seconds, memory`,
  async open({ directory, progress }) {
    const files = new Map<number, string>();
    for (const count of [FEW, MANY]) {
      files.set(count, join(directory, `${count}.ndjson`));
      progress(`writing an export of ${count} events`);
      await writeLog(files.get(count) ?? '', count);
    }
    const of = (count: number) => files.get(count) ?? '';
    const python = verifying(`a verifier in Python, ${MANY} events`, MANY, 'python3', [join(root, 'services', 'audit-ledger', 'fixtures', 'verify-export.py'), of(MANY)]);
    const many = verifying(`weir verify, ${MANY} events`, MANY, process.execPath, [...WEIR, 'verify', of(MANY)], python.name);
    const few = verifying(`weir verify, ${FEW} events`, FEW, process.execPath, [...WEIR, 'verify', of(FEW)]);
    const peak = (result: Result | undefined) => result?.figures['peak MiB'];
    return {
      sides: [python, many, few],
      gates: [
        { title: `${many.name}: seconds`, value: (resultOf) => resultOf(many.name)?.figures['seconds'], atMost: WITHIN_SECONDS },
        {
          title: `${many.name}: MiB above ${FEW}`,
          value: (resultOf) => {
            const [large, small] = [peak(resultOf(many.name)), peak(resultOf(few.name))];
            return large === undefined || small === undefined ? undefined : large - small;
          },
          atMost: FLAT_MIB,
        },
      ],
      close: () => Promise.resolve(),
    };
  },
};

/** A turn is one verification, however long it takes. */
function verifying(name: string, events: number, command: string, args: readonly string[], against?: string): Side {
  return {
    name,
    ...(against === undefined ? {} : { against }),
    async run(): Promise<Sample> {
      const begun = performance.now();
      const child = spawn(command, [...args], { stdio: ['ignore', 'ignore', 'inherit'] });
      let over = false;
      const ended = new Promise<number | null>((resolve, reject) => child.once('exit', resolve).once('error', reject)).finally(() => (over = true));
      let peak = 0;
      for (; !over; await Promise.race([ended, sleep(20)])) peak = Math.max(peak, peakMiB(child.pid));
      if ((await ended) !== 0) throw new Error(`${name} did not find the export intact`);
      const seconds = (performance.now() - begun) / 1_000;
      return { operations: events, seconds, figures: { seconds, 'peak MiB': peak } };
    },
  };
}

function peakMiB(pid: number | undefined): number {
  try {
    return Number(/VmHWM:\s+(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1] ?? 0) / 1_024;
  } catch {
    return 0;
  }
}
